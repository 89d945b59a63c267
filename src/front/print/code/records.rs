//! The `stream-json` form of kimi-code: content is a string, tools go by kimi-code's names, retries
//! have a record of their own. Thinking is never told.

use serde::Serialize;

use super::fit::{self, MAX_RECORD};
use crate::customize::code_name;
use crate::front::print::Printer;
use crate::front::print::output::Pieces;
use crate::protocol::{ContentPart, Event, Outcome, ToolCall, ToolReturnValue};

/// Collects the message that streams and writes records.
#[derive(Default)]
pub(in crate::front::print) struct Records {
    text: String,
    calls: Vec<ToolCall>,
    /// A hook has spoken in place of the model.
    forbidden: bool,
}

#[derive(Serialize)]
struct Assistant<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    content: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tool_calls: &'a [Call],
}

#[derive(Serialize)]
struct Call {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    function: Function,
}

#[derive(Serialize)]
struct Function {
    name: String,
    arguments: String,
}

#[derive(Serialize)]
struct Tool<'a> {
    role: &'static str,
    tool_call_id: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct Retrying<'a> {
    role: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    failed_attempt: u32,
    next_attempt: u32,
    max_attempts: u32,
    delay_ms: u64,
    error_name: &'a str,
    error_message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
}

impl Printer for Records {
    fn event(&mut self, event: &Event, to: &mut Pieces) {
        if let Some(said) = super::forbidden(event) {
            self.flush(to);
            assistant(&said, Vec::new(), to);
            self.forbidden = true;
            return;
        }
        match event {
            Event::TurnBegin { .. } => self.forbidden = false,
            Event::ContentPart(ContentPart::Text { text }) if !self.forbidden => {
                self.text.push_str(text);
            }
            Event::ToolCall(call) => self.calls.push(call.clone()),
            Event::ToolCallPart { arguments_part: Some(more) } => {
                if let Some(call) = self.calls.last_mut() {
                    call.push_arguments(more);
                }
            }
            Event::StepRetry {
                next_attempt,
                max_attempts,
                wait_s,
                error_type,
                status_code,
                ..
            } => {
                self.text.clear();
                self.calls.clear();
                let message = match status_code {
                    Some(status) => format!("The provider answered with status {status}."),
                    None => "The provider could not be reached or broke off.".to_owned(),
                };
                to.record(&Retrying {
                    role: "meta",
                    kind: "turn.step.retrying",
                    failed_attempt: next_attempt.saturating_sub(1),
                    next_attempt: *next_attempt,
                    max_attempts: *max_attempts,
                    delay_ms: milliseconds(*wait_s),
                    error_name: error_type,
                    error_message: &message,
                    status_code: *status_code,
                });
            }
            Event::ToolResult { tool_call_id, return_value } => {
                self.flush(to);
                let content = output(return_value);
                let content = fit::shortened(&content, MAX_RECORD);
                to.record(&Tool { role: "tool", tool_call_id, content: &content });
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
        let calls = self.calls.drain(..).map(|call| Call {
            kind: "function",
            function: Function {
                arguments: fit::arguments(call.arguments(), MAX_RECORD),
                name: match code_name(&call.function.name) {
                    Some(name) => name.to_owned(),
                    None => call.function.name,
                },
            },
            id: call.id,
        });
        assistant(&self.text, calls.collect(), to);
        self.text.clear();
    }
}

/// One record, or as many as it takes: readers put the contents of all together again.
fn assistant(text: &str, calls: Vec<Call>, to: &mut Pieces) {
    let mut record = |content: &str, tool_calls: &[Call]| {
        if !content.is_empty() || !tool_calls.is_empty() {
            to.record(&Assistant { role: "assistant", content, tool_calls });
        }
    };
    let mut rest = text;
    loop {
        let (head, tail) = fit::split(rest, MAX_RECORD);
        rest = head;
        if tail.is_empty() {
            break;
        }
        record(head, &[]);
        rest = tail;
    }
    let mut room = MAX_RECORD.saturating_sub(fit::cost(rest));
    let mut group: Vec<Call> = Vec::new();
    for call in calls {
        let cost = fit::cost(&call.function.arguments) + fit::cost(&call.id) + 256;
        if cost > room && !(rest.is_empty() && group.is_empty()) {
            record(std::mem::take(&mut rest), &std::mem::take(&mut group));
            room = MAX_RECORD;
        }
        room = room.saturating_sub(cost);
        group.push(call);
    }
    record(rest, &group);
}

/// What the tool has put out; of a failure why it failed, first.
fn output(value: &ToolReturnValue) -> String {
    let out = value.output.text();
    match (value.is_error, out.is_empty()) {
        (true, false) => format!("{}\n{out}", value.message),
        (true, true) | (false, true) => value.message.clone(),
        (false, false) => out,
    }
}

fn milliseconds(seconds: f64) -> u64 {
    // A float that is no number, or too small or large, becomes the nearest there is.
    (seconds * 1000.0).round() as u64
}
