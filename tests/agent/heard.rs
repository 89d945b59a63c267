//! What a subscriber of a session heard, and how it is compared.

use kimi_tui::llm::{Delta, FinishReason, Message as Said};
use kimi_tui::protocol::{
    ContentPart, Event, Message, Outcome, Request, StopReason, ToolReturnValue,
};

use super::bench::Say;

/// A message as `role: text [calls]`, a result as `id> text`.
pub fn brief(message: &Said) -> String {
    let value = serde_json::to_value(message).unwrap();
    let text: String = message
        .content
        .iter()
        .map(|part| match part {
            ContentPart::Text { text } => text.clone(),
            ContentPart::Think { think, .. } => format!("({think})"),
            other => format!("{other:?}"),
        })
        .collect();
    match &message.tool_call_id {
        Some(id) => format!("{id}> {text}"),
        None => {
            let calls: Vec<_> =
                message.tool_calls.iter().map(|call| format!(" [{}]", call.id)).collect();
            format!("{}: {text}{}", value["role"].as_str().unwrap(), calls.concat())
        }
    }
}

/// What a subscriber heard.
#[derive(Clone)]
pub struct Heard(pub Vec<Message>);

impl Heard {
    pub fn outcome(&self) -> &Outcome {
        match self.0.last() {
            Some(Message::Outcome { outcome, .. }) => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub fn finished(&self) {
        let well = Outcome::Finished { stop: StopReason::NoToolCalls };
        assert_eq!(self.outcome(), &well, "{:#?}", self.lines());
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().filter_map(|message| match message {
            Message::Event(event) => Some(event),
            _ => None,
        })
    }

    /// The results in the order told: id and whether it is an error.
    pub fn results(&self) -> Vec<(String, ToolReturnValue)> {
        self.events()
            .filter_map(|event| match event {
                Event::ToolResult { tool_call_id, return_value } => {
                    Some((tool_call_id.clone(), return_value.clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// The ids of the calls told.
    pub fn calls(&self) -> Vec<String> {
        self.events()
            .filter_map(|event| match event {
                Event::ToolCall(call) => Some(call.id.clone()),
                _ => None,
            })
            .collect()
    }

    /// The answer text told.
    pub fn text(&self) -> String {
        self.events()
            .filter_map(|event| match event {
                Event::ContentPart(part) => part.as_text(),
                _ => None,
            })
            .collect()
    }

    /// One short line per message; status updates and session infos are left out.
    pub fn lines(&self) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|message| {
                Some(match message {
                    Message::Event(Event::StatusUpdate(_) | Event::SessionInfo(_)) => return None,
                    Message::Event(Event::TurnBegin { user_input }) => {
                        format!("turn: {}", user_input.text())
                    }
                    Message::Event(Event::SteerInput { user_input }) => {
                        format!("steer: {}", user_input.text())
                    }
                    Message::Event(Event::StepBegin { n }) => format!("step {n}"),
                    Message::Event(Event::ContentPart(ContentPart::Text { text })) => {
                        format!("text: {text}")
                    }
                    Message::Event(Event::ContentPart(ContentPart::Think { think, .. })) => {
                        format!("think: {think}")
                    }
                    Message::Event(Event::ToolCall(call)) => {
                        format!("call {} {} {}", call.id, call.function.name, call.arguments())
                    }
                    Message::Event(Event::ToolCallPart { arguments_part }) => {
                        format!("more: {}", arguments_part.as_deref().unwrap_or_default())
                    }
                    Message::Event(Event::ToolResult { tool_call_id, return_value }) => {
                        let word = if return_value.is_error { "error" } else { "ok" };
                        format!("result {tool_call_id} {word}")
                    }
                    Message::Event(Event::ToolOutput { tool_call_id, text }) => {
                        format!("live {tool_call_id}: {text}")
                    }
                    Message::Event(Event::ApprovalResponse(response)) => {
                        format!("{:?} {}", response.response, response.feedback)
                    }
                    Message::Event(Event::StepRetry { next_attempt, max_attempts, .. }) => {
                        format!("retry {next_attempt}/{max_attempts}")
                    }
                    Message::Event(event) => format!("{event:?}"),
                    Message::Request(Request::ApprovalRequest(request)) => {
                        format!("ask {} {}", request.tool_call_id, request.action)
                    }
                    Message::Request(Request::QuestionRequest(request)) => {
                        format!("question {}", request.tool_call_id)
                    }
                    Message::Request(request) => format!("{request:?}"),
                    Message::Outcome { op_id, outcome } => format!("{op_id}: {outcome:?}"),
                })
            })
            .collect()
    }
}

/// The last piece of a stream: why it ended.
pub fn finish(reason: FinishReason) -> Say {
    Say::Delta(Delta::Finish(reason))
}
