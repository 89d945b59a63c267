//! Requests that wait for the client, and what its answers mean (wire.md section 4).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::protocol::{
    ApprovalResponse, DisplayBlock, HookAction, HookResponse, QuestionResponse, Request, Response,
    ToolCallResponse, ToolOutput, ToolReturnValue, Verdict,
};

/// What the tool of a client that is gone returns.
const CLOSED: &str = "Wire connection closed before tool result was received.";

/// What a tool returns whose result cannot be read.
const UNREADABLE: &str = "Invalid tool result payload from client.";

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Approval,
    Question,
    ToolCall,
    Hook,
}

impl From<&Request> for Kind {
    fn from(request: &Request) -> Self {
        match request {
            Request::ApprovalRequest(_) => Self::Approval,
            Request::QuestionRequest(_) => Self::Question,
            Request::ToolCallRequest(_) => Self::ToolCall,
            Request::HookRequest(_) => Self::Hook,
        }
    }
}

/// The requests that were sent and not answered.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    kinds: HashMap<String, Kind>,
    /// Those of agents in the background, in their order: no turn ends them, and a client that says hello
    /// again may be another one.
    background: Vec<Request>,
}

impl Waiting {
    /// A request was sent.
    pub fn put(&mut self, request: &Request) {
        self.kinds.insert(request.id().to_owned(), Kind::from(request));
        if let Request::ApprovalRequest(approval) = request
            && approval.source_kind.as_deref() == Some("background_agent")
        {
            self.background.push(request.clone());
        }
    }

    /// What a client that says hello is sent again (wire.md section 7).
    pub fn background(&self) -> &[Request] {
        &self.background
    }

    /// Nobody wants to know any more.
    pub fn withdraw(&mut self, id: &str) {
        self.take(id);
    }

    fn take(&mut self, id: &str) -> Option<Kind> {
        let kind = self.kinds.remove(id)?;
        self.background.retain(|request| request.id() != id);
        Some(kind)
    }

    /// Takes the client's answer: its result, or the error's message. `None` when nothing waits for it:
    /// clients answer what is replayed, too.
    ///
    /// Every answer means something, also one that cannot be read: the session never hangs on it. The
    /// request is that of the envelope; the id within is not looked at.
    pub fn answer(&mut self, id: &str, answer: Result<Value, String>) -> Option<Response> {
        let kind = self.take(id)?;
        if let Err(message) = &answer {
            tracing::debug!(id, %message, "the client answers with an error");
        }
        Some(read(kind, id, answer))
    }

    /// The client is gone: the answers to everything that waits.
    pub fn close(&mut self) -> Vec<Response> {
        let closed = |(id, kind): (String, Kind)| refused(kind, &id, CLOSED);
        self.background.clear();
        self.kinds.drain().map(closed).collect()
    }
}

/// The answer to a request of a client that is gone.
pub(super) fn closed(request: &Request) -> Response {
    refused(Kind::from(request), request.id(), CLOSED)
}

#[derive(Deserialize)]
struct Approval {
    response: Verdict,
    feedback: Option<String>,
}

#[derive(Deserialize)]
struct Question {
    answers: Map<String, Value>,
}

#[derive(Deserialize)]
struct Hook {
    action: HookAction,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct ToolCall {
    return_value: ReturnValue,
}

/// What a tool returned, all of it required but the extras.
#[derive(Deserialize)]
struct ReturnValue {
    is_error: bool,
    output: ToolOutput,
    message: String,
    display: Vec<DisplayBlock>,
    extras: Option<Value>,
}

fn read(kind: Kind, id: &str, answer: Result<Value, String>) -> Response {
    let request_id = id.to_owned();
    let result = match answer {
        // A list would be taken for the fields in their order.
        Ok(result) if !result.is_object() => return refused(kind, id, UNREADABLE),
        Ok(result) => result,
        Err(message) => return refused(kind, id, &message),
    };
    let understood: serde_json::Result<Response> = match kind {
        Kind::Approval => serde_json::from_value(result).map(|Approval { response, feedback }| {
            let feedback = feedback.unwrap_or_default();
            Response::Approval(ApprovalResponse { request_id, response, feedback })
        }),
        Kind::Question => match serde_json::from_value(result) {
            Ok(Question { answers }) if answers.values().all(Value::is_string) => {
                Ok(Response::Question(QuestionResponse { request_id, answers, declined: false }))
            }
            Ok(_) => Err(serde::de::Error::custom("an answer is not text")),
            Err(error) => Err(error),
        },
        Kind::Hook => serde_json::from_value(result).map(|Hook { action, reason }| {
            let reason = reason.unwrap_or_default();
            Response::Hook(HookResponse { request_id, action, reason })
        }),
        Kind::ToolCall => serde_json::from_value(result).map(|ToolCall { return_value: value }| {
            let ReturnValue { is_error, output, message, display, extras } = value;
            let return_value = ToolReturnValue { is_error, output, message, display, extras };
            Response::ToolCall(ToolCallResponse { tool_call_id: request_id, return_value })
        }),
    };
    understood.unwrap_or_else(|error| {
        tracing::warn!(id, %error, "an answer of the client cannot be read");
        refused(kind, id, UNREADABLE)
    })
}

/// What no usable answer means: no to an act, no word on a question, no objection of a hook, and a tool
/// that failed with these words.
fn refused(kind: Kind, id: &str, words: &str) -> Response {
    let request_id = id.to_owned();
    match kind {
        Kind::Approval => Response::Approval(ApprovalResponse {
            request_id,
            response: Verdict::Reject,
            feedback: String::new(),
        }),
        Kind::Question => {
            Response::Question(QuestionResponse { request_id, ..QuestionResponse::default() })
        }
        Kind::Hook => Response::Hook(HookResponse {
            request_id,
            action: HookAction::Allow,
            reason: String::new(),
        }),
        Kind::ToolCall => Response::ToolCall(ToolCallResponse {
            tool_call_id: request_id,
            return_value: ToolReturnValue::error(words, "Client error"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answered(kind: Kind, answer: Result<Value, String>) -> Value {
        let mut waiting =
            Waiting { kinds: HashMap::from([("r".to_owned(), kind)]), ..Waiting::default() };
        let response = waiting.answer("r", answer.clone()).unwrap();
        assert_eq!(waiting.answer("r", answer), None, "answered twice");
        serde_json::to_value(response).unwrap()
    }

    #[test]
    fn answers_mean_what_they_say() {
        let said = |kind, result| answered(kind, Ok(result));
        assert_eq!(
            said(Kind::Approval, json!({"request_id": "other", "response": "approve_for_session"})),
            json!({"request_id": "r", "response": "approve_for_session", "feedback": ""})
        );
        assert_eq!(
            said(Kind::Approval, json!({"response": "reject", "feedback": "use make"})),
            json!({"request_id": "r", "response": "reject", "feedback": "use make"})
        );
        assert_eq!(
            said(Kind::Question, json!({"request_id": "r", "answers": {"b": "1", "a": "2, 3"}})),
            json!({"request_id": "r", "answers": {"b": "1", "a": "2, 3"}})
        );
        assert_eq!(
            said(Kind::Hook, json!({"request_id": "r", "action": "block", "reason": null})),
            json!({"request_id": "r", "action": "block", "reason": ""})
        );
        let value =
            json!({"is_error": false, "output": "o", "message": "", "display": [], "extras": null});
        assert_eq!(
            said(Kind::ToolCall, json!({"tool_call_id": "x", "return_value": value.clone()})),
            json!({"tool_call_id": "r", "return_value": value})
        );
    }

    #[test]
    fn what_agents_in_the_background_ask_is_kept_until_it_is_decided() {
        let asked = |id: &str, source: &str| {
            let request = json!({"type": "ApprovalRequest", "payload": {
                "id": id, "tool_call_id": "c", "sender": "Shell", "action": "run command",
                "description": "d", "source_kind": source, "display": []}});
            serde_json::from_value::<Request>(request).unwrap()
        };
        let mut waiting = Waiting::default();
        waiting.put(&asked("f", "foreground_turn"));
        for id in ["b1", "b2", "b3"] {
            waiting.put(&asked(id, "background_agent"));
        }
        let kept = |waiting: &Waiting| -> Vec<String> {
            waiting.background().iter().map(|request| request.id().to_owned()).collect()
        };
        assert_eq!(kept(&waiting), ["b1", "b2", "b3"]);
        assert!(waiting.answer("b2", Ok(json!({"response": "approve"}))).is_some());
        assert_eq!(kept(&waiting), ["b1", "b3"]);
        waiting.withdraw("b1");
        assert_eq!(kept(&waiting), ["b3"]);
        assert_eq!(waiting.close().len(), 2);
        assert!(kept(&waiting).is_empty());
    }

    #[test]
    fn everything_else_is_on_the_safe_side() {
        let hostile = [
            Ok(json!(null)),
            Ok(json!([])),
            Ok(json!(["approve"])),
            Ok(json!([{}])),
            Ok(json!({})),
            Ok(json!({"response": "yes", "answers": [], "action": "maybe", "return_value": {}})),
            Ok(json!({"response": 1, "answers": {"a": ["b"]}, "action": null, "return_value": []})),
            Err("no".to_owned()),
        ];
        for answer in hostile {
            assert_eq!(
                answered(Kind::Approval, answer.clone())["response"],
                "reject",
                "{answer:?}"
            );
            assert_eq!(
                answered(Kind::Question, answer.clone())["answers"],
                json!({}),
                "{answer:?}"
            );
            assert_eq!(answered(Kind::Hook, answer.clone())["action"], "allow", "{answer:?}");
            let value = &answered(Kind::ToolCall, answer.clone())["return_value"];
            let words = match &answer {
                Ok(_) => "Invalid tool result payload from client.",
                Err(words) => words,
            };
            assert_eq!((&value["is_error"], &value["message"]), (&json!(true), &json!(words)));
        }
        assert_eq!(Waiting::default().answer("r", Ok(json!({}))), None);
    }
}
