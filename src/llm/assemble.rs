//! Puts streamed deltas together to the message they make.

use super::{Delta, FinishReason, LlmError, Message};
use crate::protocol::{ContentPart, TokenUsage, ToolCall};

/// Collects the deltas of one attempt.
///
/// Tool calls are keyed by their index, so that parallel calls whose pieces interleave come out
/// whole (agent-loop.md section 3, "Assembly").
#[derive(Debug, Default)]
pub struct Assembler {
    content: Vec<ContentPart>,
    calls: Vec<PendingCall>,
    pub message_id: Option<String>,
    pub usage: Option<TokenUsage>,
    pub finish: Option<FinishReason>,
}

#[derive(Debug)]
struct PendingCall {
    index: usize,
    id: Option<String>,
    name: String,
    arguments: String,
}

impl Assembler {
    /// Adds one delta.
    pub fn push(&mut self, delta: &Delta) {
        match delta {
            Delta::MessageId(id) => self.message_id = Some(id.clone()),
            Delta::Text(text) => match self.content.last_mut() {
                Some(ContentPart::Text { text: last }) => last.push_str(text),
                _ if text.is_empty() => {}
                _ => self.content.push(ContentPart::text(text)),
            },
            Delta::Think(think) => match self.content.last_mut() {
                Some(ContentPart::Think { think: last, encrypted: None }) => last.push_str(think),
                _ => self.content.push(ContentPart::think(think)),
            },
            Delta::Part(ContentPart::Think { think, encrypted }) => match self.content.last_mut() {
                Some(ContentPart::Think { think: last, encrypted: signature @ None }) => {
                    last.push_str(think);
                    signature.clone_from(encrypted);
                }
                _ => self.content.push(ContentPart::Think {
                    think: think.clone(),
                    encrypted: encrypted.clone(),
                }),
            },
            Delta::Part(part) => self.content.push(part.clone()),
            Delta::ToolCall { index, id, name, arguments } => {
                let call = match self.calls.iter_mut().position(|call| call.index == *index) {
                    Some(at) => &mut self.calls[at],
                    None => {
                        self.calls.push(PendingCall {
                            index: *index,
                            id: None,
                            name: String::new(),
                            arguments: String::new(),
                        });
                        let last = self.calls.len() - 1;
                        &mut self.calls[last]
                    }
                };
                if call.id.is_none() {
                    call.id.clone_from(id);
                }
                if let Some(name) = name {
                    call.name.push_str(name);
                }
                call.arguments.push_str(arguments);
            }
            Delta::Usage(usage) => self.usage = Some(*usage),
            Delta::Finish(reason) => self.finish = Some(reason.clone()),
        }
    }

    /// The message so far. A call without an id gets one from `fresh_id`; a call that never named
    /// its tool is dropped.
    pub fn message(&self, mut fresh_id: impl FnMut() -> String) -> Message {
        let calls = self
            .calls
            .iter()
            .filter(|call| !call.name.is_empty())
            .map(|call| {
                let id = call.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(&mut fresh_id);
                ToolCall::new(id, &call.name, &call.arguments)
            })
            .collect();
        Message::assistant(self.content.clone(), calls)
    }

    /// An answer needs text or a call; thinking alone is none (agent-loop.md section 3).
    pub fn check(&self) -> Result<(), LlmError> {
        let has_call = self.calls.iter().any(|call| !call.name.is_empty());
        let has_content = self.content.iter().any(|part| match part {
            ContentPart::Text { text } => !text.trim().is_empty(),
            ContentPart::Think { .. } => false,
            _ => true,
        });
        if has_call || has_content {
            return Ok(());
        }
        let thought = self.content.iter().any(|part| matches!(part, ContentPart::Think { .. }));
        Err(LlmError::Empty(match (&self.finish, thought) {
            (Some(FinishReason::Length), _) => {
                "the answer was cut at the completion limit before any text".to_owned()
            }
            (Some(FinishReason::ContentFilter), _) => {
                "the provider's content filter stopped the answer".to_owned()
            }
            (_, true) => "the model thought but did not answer".to_owned(),
            (_, false) => "the model sent an empty answer".to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(index: usize, id: Option<&str>, name: Option<&str>, arguments: &str) -> Delta {
        Delta::ToolCall {
            index,
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        }
    }

    #[test]
    fn interleaved_calls_come_out_whole() {
        let mut assembler = Assembler::default();
        for delta in [
            Delta::Think("a".into()),
            Delta::Think("b".into()),
            Delta::Text("c".into()),
            call(0, Some("x"), Some("Shell"), "{\"a\":"),
            call(1, Some("y"), Some("Glob"), "{\"b\""),
            call(0, None, None, "1}"),
            call(1, None, None, ":2}"),
        ] {
            assembler.push(&delta);
        }
        let message = assembler.message(|| unreachable!());
        assert_eq!(message.content, vec![ContentPart::think("ab"), ContentPart::text("c")]);
        assert_eq!(message.tool_calls[0], ToolCall::new("x", "Shell", "{\"a\":1}"));
        assert_eq!(message.tool_calls[1], ToolCall::new("y", "Glob", "{\"b\":2}"));
    }

    #[test]
    fn thinking_alone_is_no_answer() {
        let mut assembler = Assembler::default();
        assert!(assembler.check().is_err());
        assembler.push(&Delta::Think("hm".into()));
        assert!(matches!(assembler.check(), Err(LlmError::Empty(_))));
        assembler.push(&Delta::Text(" \n".into()));
        assert!(assembler.check().is_err());
        assembler.push(&Delta::Text("x".into()));
        assert!(assembler.check().is_ok());
    }
}
