//! Making a history that providers accept out of one that a crash interrupted.

use std::collections::HashSet;

use crate::llm::{Message, Role};
use crate::protocol::ToolReturnValue;

/// Pairs calls with results while messages go by in order: every call gets exactly one result,
/// every result has a call before it.
#[derive(Default)]
pub(super) struct Pairing {
    messages: Vec<Message>,
    /// Unanswered calls of the last assistant message, in its order.
    order: Vec<String>,
    open: HashSet<String>,
    /// How many results had no call.
    pub orphans: usize,
    /// How many calls in the middle had no result.
    pub filled: usize,
}

impl Pairing {
    /// The next message of the record.
    pub fn push(&mut self, message: Message) {
        if message.role == Role::Tool {
            let answers = message.tool_call_id.as_deref().is_some_and(|id| self.open.remove(id));
            if answers {
                self.messages.push(message);
            } else {
                self.orphans += 1;
            }
            return;
        }
        let filled = self.close();
        self.filled += filled.len();
        self.messages.extend(filled);
        if message.role == Role::Assistant {
            for call in &message.tool_calls {
                if self.open.insert(call.id.clone()) {
                    self.order.push(call.id.clone());
                }
            }
        }
        self.messages.push(message);
    }

    /// Results for the calls that are still open.
    fn close(&mut self) -> Vec<Message> {
        let open = std::mem::take(&mut self.open);
        std::mem::take(&mut self.order)
            .into_iter()
            .filter(|id| open.contains(id))
            .map(|id| interrupted(&id))
            .collect()
    }

    /// The history, and the results that were added at its end and still have to be recorded.
    pub fn finish(mut self) -> (Vec<Message>, Vec<Message>) {
        let tail = self.close();
        self.messages.extend(tail.iter().cloned());
        (self.messages, tail)
    }
}

/// Results for the calls at the end of a history that have none.
pub fn open_calls(messages: &[Message]) -> Vec<Message> {
    let answered: HashSet<&str> = messages
        .iter()
        .rev()
        .take_while(|message| message.role == Role::Tool)
        .filter_map(|message| message.tool_call_id.as_deref())
        .collect();
    let last = messages.iter().rev().find(|message| message.role != Role::Tool);
    last.into_iter()
        .flat_map(|message| &message.tool_calls)
        .filter(|call| !answered.contains(call.id.as_str()))
        .map(|call| interrupted(&call.id))
        .collect()
}

/// The result of a call that never came back.
fn interrupted(call_id: &str) -> Message {
    Message::tool_result(
        call_id,
        &ToolReturnValue::error(
            "This call was interrupted before it returned. What it did so far may have taken \
             effect, and what a command had started may still be running; check before doing it \
             again.",
            "Interrupted",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolCall;

    fn call(ids: &[&str]) -> Message {
        let calls = ids.iter().map(|id| ToolCall::new(*id, "Shell", "{}")).collect();
        Message::assistant(vec![], calls)
    }

    fn result(id: &str) -> Message {
        Message::tool_result(id, &ToolReturnValue::ok("x", ""))
    }

    fn ids(messages: &[Message]) -> Vec<String> {
        messages
            .iter()
            .map(|message| match &message.tool_call_id {
                Some(id) if message.text().contains("interrupted") => format!("!{id}"),
                Some(id) => id.clone(),
                None => format!("{:?}", message.role),
            })
            .collect()
    }

    #[test]
    fn open_calls_are_answered_where_they_stand() {
        let mut pairing = Pairing::default();
        for message in [
            call(&["a", "b"]),
            result("b"),
            Message::user_text("go on"),
            result("a"),
            call(&["a", "a", "c"]),
            result("c"),
            result("c"),
        ] {
            pairing.push(message);
        }
        assert_eq!((pairing.orphans, pairing.filled), (2, 1));
        let (messages, tail) = pairing.finish();
        assert_eq!(ids(&messages), ["Assistant", "b", "!a", "User", "Assistant", "c", "!a"]);
        assert_eq!(ids(&tail), ["!a"]);
    }
}
