//! The `stream-json` form: one JSON object per assistant message, tool result, notification and
//! plan, as kimi-cli writes them.
//!
//! An assistant record is written when its message is whole: at the first tool result of its step,
//! at the next step, at the end of the turn. Notifications that come before are held until then.

use serde_json::json;

use super::Printer;
use super::output::Pieces;
use crate::llm::Message;
use crate::protocol::{ContentPart, Event, Notification, Outcome, ToolCall};

/// Collects the message that streams and writes records.
#[derive(Default)]
pub(super) struct Records {
    content: Vec<ContentPart>,
    calls: Vec<ToolCall>,
    held: Vec<Notification>,
}

impl Printer for Records {
    fn event(&mut self, event: &Event, to: &mut Pieces) {
        match event {
            Event::ContentPart(part) => merge(&mut self.content, part),
            Event::ToolCall(call) => self.calls.push(call.clone()),
            Event::ToolCallPart { arguments_part: Some(more) } => {
                if let Some(call) = self.calls.last_mut() {
                    call.push_arguments(more);
                }
            }
            Event::StepRetry { .. } => {
                self.content.clear();
                self.calls.clear();
                self.flush(to);
            }
            Event::ToolResult { tool_call_id, return_value } => {
                self.flush(to);
                to.record(&Message::tool_result(tool_call_id, return_value));
            }
            Event::Notification(notification) => {
                self.held.push(notification.clone());
                if self.content.is_empty() && self.calls.is_empty() {
                    self.flush(to);
                }
            }
            Event::PlanDisplay { content, file_path } => {
                self.flush(to);
                to.record(&json!({ "content": content, "file_path": file_path }));
            }
            Event::StepBegin { .. } | Event::StepInterrupted {} | Event::TurnEnd {} => {
                self.flush(to);
            }
            _ => {}
        }
    }

    fn ended(&mut self, _outcome: &Outcome, to: &mut Pieces) {
        self.flush(to);
    }
}

impl Records {
    fn flush(&mut self, to: &mut Pieces) {
        if !self.content.is_empty() || !self.calls.is_empty() {
            let content = std::mem::take(&mut self.content);
            to.record(&Message::assistant(content, std::mem::take(&mut self.calls)));
        }
        for notification in self.held.drain(..) {
            to.record(&notification);
        }
    }
}

/// Adds a part; neighbouring pieces of text, and of unsigned thinking, become one.
fn merge(content: &mut Vec<ContentPart>, part: &ContentPart) {
    match (content.last_mut(), part) {
        (Some(ContentPart::Text { text: last }), ContentPart::Text { text }) => last.push_str(text),
        (
            Some(ContentPart::Think { think: last, encrypted: signature @ None }),
            ContentPart::Think { think, encrypted },
        ) => {
            last.push_str(think);
            signature.clone_from(encrypted);
        }
        (_, ContentPart::Text { text }) if text.is_empty() => {}
        (_, part) => content.push(part.clone()),
    }
}
