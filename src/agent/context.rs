//! The history that the model sees, in memory and in `context.jsonl`.

use std::sync::Arc;

use super::dmail::marked;
use super::notifications::is_notification;
use super::prompt::MadePrompt;
use crate::llm::{ChatRequest, Message, Role, ToolSpec, estimate};
use crate::protocol::{ContentPart, ToolCall};
use crate::store::{ContextLog, ContextMark, ContextRecord, LoadedContext, StoreError, open_calls};

/// Stands where the model has said nothing.
const NO_ANSWER: &str = "[There was no answer to this.]";

/// Makes a system prompt. Reads files.
pub type MakePrompt = Arc<dyn Fn() -> MadePrompt + Send + Sync>;

/// The conversation. Every change is on disk before it is in memory.
pub struct Context {
    log: ContextLog,
    /// Makes the system prompt as it would be now.
    make_prompt: MakePrompt,
    /// `None` until [`Self::introduce`].
    system_prompt: Option<String>,
    /// The record has no system prompt yet: it goes in front of what comes next.
    unwritten: bool,
    messages: Vec<Message>,
    /// Tokens the provider counted up to the last response.
    counted: u64,
    /// Estimated tokens of what was added since.
    pending: u64,
    next_checkpoint: u64,
    /// Messages of the model with words in them that were added since the start.
    answers: u64,
}

impl Context {
    /// Continues a loaded history.
    pub fn new(log: ContextLog, loaded: LoadedContext, make_prompt: MakePrompt) -> Self {
        Self {
            log,
            make_prompt,
            system_prompt: loaded.system_prompt,
            unwritten: false,
            messages: loaded.messages,
            counted: loaded.token_count,
            pending: loaded.pending_text_tokens,
            next_checkpoint: loaded.next_checkpoint,
            answers: 0,
        }
    }

    /// Whether the session has a system prompt. It keeps the one it has, so that its requests stay
    /// byte-stable.
    pub fn is_introduced(&self) -> bool {
        self.system_prompt.is_some()
    }

    /// What makes its system prompt.
    pub fn prompt_maker(&self) -> MakePrompt {
        Arc::clone(&self.make_prompt)
    }

    /// Gives a session that has none its system prompt. Where the record cannot be written now, it
    /// is written with what comes next, or that fails.
    pub fn introduce(&mut self, system_prompt: String) {
        self.system_prompt = Some(system_prompt);
        self.unwritten = self.messages.is_empty();
        if let Err(error) = self.append(Vec::new()) {
            tracing::warn!(%error, "the system prompt cannot be written yet");
        }
    }

    /// The system prompt; empty before there is one.
    pub fn system_prompt(&self) -> &str {
        self.system_prompt.as_deref().unwrap_or_default()
    }

    /// Writes records behind the others.
    fn append(&mut self, mut records: Vec<ContextRecord>) -> Result<(), StoreError> {
        if self.unwritten {
            records.insert(0, ContextRecord::SystemPrompt(self.system_prompt().to_owned()));
        }
        self.log.append(&records)?;
        self.unwritten = false;
        Ok(())
    }

    /// The stored history.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The history as it is sent: adjacent user messages merged into one, results in the order of
    /// their calls and not in that in which they came. Notifications stay by themselves.
    pub fn request_messages(&self) -> Vec<Message> {
        let mut merged: Vec<Message> = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            match merged.last_mut() {
                Some(last)
                    if last.role == Role::User
                        && message.role == Role::User
                        && !is_notification(last)
                        && !is_notification(message) =>
                {
                    last.content.extend(message.content.iter().cloned());
                }
                _ => merged.push(message.clone()),
            }
        }
        sort_results(&mut merged);
        merged
    }

    /// Tokens the context is believed to have.
    pub fn tokens(&self) -> u64 {
        self.counted.saturating_add(self.pending)
    }

    /// Marks a place that the conversation could return to. Returns its number.
    pub fn checkpoint(&mut self) -> Result<u64, StoreError> {
        let id = self.next_checkpoint;
        self.append(vec![ContextRecord::Checkpoint(id)])?;
        self.next_checkpoint += 1;
        Ok(id)
    }

    /// Returns to a checkpoint: it and all that came after it leave the conversation. The old file
    /// is kept beside the new one.
    pub fn revert(&mut self, checkpoint: u64) -> Result<(), StoreError> {
        let loaded = self.log.revert(checkpoint)?;
        self.messages = loaded.messages;
        self.counted = loaded.token_count;
        self.pending = loaded.pending_text_tokens;
        self.next_checkpoint = loaded.next_checkpoint;
        Ok(())
    }

    /// Adds a message.
    pub fn push(&mut self, message: Message) -> Result<(), StoreError> {
        self.append(vec![ContextRecord::Message(message.clone())])?;
        self.pending = self.pending.saturating_add(estimate::message_tokens(&message));
        self.answers += u64::from(is_answer(&message));
        self.messages.push(message);
        Ok(())
    }

    /// Answers a message of the user that was sent and got no answer: merged with the next one it
    /// would not be what was sent, and some models take no two of theirs in a row.
    pub fn answer_unanswered(&mut self) -> Result<(), StoreError> {
        match self.messages.last() {
            Some(last) if last.role == Role::User => {
                self.push(Message::assistant(vec![ContentPart::text(NO_ANSWER)], Vec::new()))
            }
            _ => Ok(()),
        }
    }

    /// Answers calls that never got a result, because the record could not be written or a fault
    /// ended the turn: no provider takes a conversation that leaves one open.
    pub fn answer_open_calls(&mut self) -> Result<(), StoreError> {
        for result in open_calls(&self.messages) {
            self.push(result)?;
        }
        Ok(())
    }

    /// Adds the model's message with the provider's counts around it, as kimi-cli records them:
    /// input tokens before, the total after. Without counts there are none in the record either
    /// (sessions.md section 3): what is read back is estimated then.
    pub fn push_answer(
        &mut self,
        message: Message,
        counted: Option<(u64, u64)>,
    ) -> Result<(), StoreError> {
        let Some((input, total)) = counted else { return self.push(message) };
        self.append(vec![
            ContextRecord::Usage(input),
            ContextRecord::Message(message.clone()),
            ContextRecord::Usage(total),
        ])?;
        self.answers += u64::from(is_answer(&message));
        self.messages.push(message);
        self.counted = total;
        self.pending = 0;
        Ok(())
    }

    /// Makes the system prompt anew, before a rewrite: rules, skills and the date may have changed, and
    /// nothing of what was sent is sent again.
    pub fn renew_prompt(&mut self) {
        self.system_prompt = Some((self.make_prompt)().text);
    }

    /// The tokens of a whole request with these messages, estimated: what comes out of a compaction, and
    /// what goes in where the provider has told nothing.
    pub fn estimated(&self, tools: &[ToolSpec], messages: &[Message]) -> u64 {
        let system = self.system_prompt();
        estimate::request_tokens(&ChatRequest { system, tools, messages, context_tokens: 0 })
    }

    /// Forgets the conversation; the old file is kept beside the new one.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        self.renew_prompt();
        self.rewrite(Vec::new(), 0)
    }

    /// Puts `messages` in place of the conversation, believed to take `tokens`. Marks of checkpoints
    /// that are no more are left out.
    pub fn rewrite(&mut self, mut messages: Vec<Message>, tokens: u64) -> Result<(), StoreError> {
        messages.retain(|message| marked(message).is_none());
        let mut records = vec![ContextRecord::SystemPrompt(self.system_prompt().to_owned())];
        if !messages.is_empty() {
            records.push(ContextRecord::Checkpoint(0));
        }
        records.extend(messages.iter().cloned().map(ContextRecord::Message));
        if tokens > 0 {
            records.push(ContextRecord::Usage(tokens));
        }
        self.log.replace(&records)?;
        self.unwritten = false;
        self.next_checkpoint = u64::from(!messages.is_empty());
        self.messages = messages;
        self.counted = tokens;
        self.pending = 0;
        Ok(())
    }

    /// Where the conversation ends now.
    pub fn mark(&mut self) -> Result<ContextMark, StoreError> {
        self.log.mark()
    }

    /// Whether the conversation can return to a mark.
    pub fn has(&self, mark: &ContextMark) -> Result<bool, StoreError> {
        self.log.has(mark)
    }

    /// Makes the conversation end at a mark again. The record as it was is kept beside the new one.
    /// False when the mark is in no record: nothing is changed then.
    pub fn return_to(&mut self, mark: &ContextMark) -> Result<bool, StoreError> {
        let Some(loaded) = self.log.return_to(mark)? else { return Ok(false) };
        if loaded.system_prompt.is_some() {
            self.system_prompt = loaded.system_prompt;
        }
        self.messages = loaded.messages;
        self.counted = loaded.token_count;
        self.pending = loaded.pending_text_tokens;
        self.next_checkpoint = loaded.next_checkpoint;
        Ok(true)
    }

    /// How many answers were added since the start: whoever has noted it knows later whether there
    /// is a newer one.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// The text of the newest answer that has any.
    pub fn last_answer(&self) -> Option<String> {
        self.messages.iter().rev().find(|message| is_answer(message)).map(words)
    }
}

/// Puts the results that follow a message of the model in the order of its calls.
fn sort_results(messages: &mut [Message]) {
    for at in 0..messages.len() {
        let Some((message, after)) = messages.get_mut(at..).and_then(<[_]>::split_first_mut) else {
            continue;
        };
        let calls = &message.tool_calls;
        if calls.len() < 2 {
            continue;
        }
        let count = after.iter().take_while(|message| message.role == Role::Tool).count();
        if let Some(results) = after.get_mut(..count) {
            results.sort_by_key(|result| {
                let own = |call: &ToolCall| Some(&call.id) == result.tool_call_id.as_ref();
                calls.iter().position(own).unwrap_or(usize::MAX)
            });
        }
    }
}

/// Whether the model says something in it.
fn is_answer(message: &Message) -> bool {
    let blank = |part: &ContentPart| part.as_text().is_none_or(|text| text.trim().is_empty());
    let none = || {
        let [part] = message.content.as_slice() else { return false };
        part.as_text() == Some(NO_ANSWER)
    };
    message.role == Role::Assistant && !message.content.iter().all(blank) && !none()
}

fn words(message: &Message) -> String {
    message.content.iter().filter_map(ContentPart::as_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolReturnValue;

    #[test]
    fn only_the_provider_s_counts_are_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let make = || -> Context {
            let (log, loaded) = ContextLog::open(&dir.path().join("context.jsonl")).unwrap();
            Context::new(log, loaded, Arc::new(MadePrompt::default))
        };
        let answer = || Message::assistant(vec![ContentPart::text("four words are here")], vec![]);
        let mut context = make();
        context.introduce("s".to_owned());
        context.push(Message::user_text("hello there")).unwrap();
        context.push_answer(answer(), None).unwrap();
        let estimated = context.tokens();
        assert!(estimated > 0);
        let record = std::fs::read_to_string(dir.path().join("context.jsonl")).unwrap();
        assert!(!record.contains("_usage"), "{record}");
        let mut again = make();
        assert!(again.tokens() > 0, "what is read back is estimated");
        again.push_answer(answer(), Some((90, 100))).unwrap();
        assert_eq!((again.tokens(), make().tokens()), (100, 100));
        let record = std::fs::read_to_string(dir.path().join("context.jsonl")).unwrap();
        assert_eq!(record.matches("_usage").count(), 2, "{record}");
    }

    #[test]
    fn results_are_sent_in_the_order_of_their_calls() {
        let calls = |ids: [&str; 3]| {
            Message::assistant(vec![], ids.map(|id| ToolCall::new(id, "Look", "{}")).to_vec())
        };
        let result = |id: &str| Message::tool_result(id, &ToolReturnValue::ok(id, ""));
        let mut messages = vec![calls(["a", "b", "c"])];
        messages.extend(["c", "?", "a", "b"].map(result));
        messages.push(calls(["b", "a", "x"]));
        messages.extend(["a", "b"].map(result));
        sort_results(&mut messages);
        let ids: Vec<_> =
            messages.iter().filter_map(|message| message.tool_call_id.clone()).collect();
        assert_eq!(ids, ["a", "b", "c", "?", "b", "a"]);
    }
}
