//! JSON-RPC 2.0 as the Kimi wire has it: one object a line, ids are text (wire.md section 1).

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::front::json_rpc::{code, line};
use crate::protocol::{Event, Request};

/// The methods that a client may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Initialize,
    Prompt,
    Steer,
    Cancel,
    Replay,
    SetPlanMode,
}

impl Method {
    pub const ALL: [Self; 6] = [
        Self::Initialize,
        Self::Prompt,
        Self::Steer,
        Self::Cancel,
        Self::Replay,
        Self::SetPlanMode,
    ];

    /// The method's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Prompt => "prompt",
            Self::Steer => "steer",
            Self::Cancel => "cancel",
            Self::Replay => "replay",
            Self::SetPlanMode => "set_plan_mode",
        }
    }
}

/// A line from the client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    Call {
        id: String,
        method: Method,
        params: Value,
    },
    /// The answer to a request of ours: its result, or the error's message.
    Answer {
        id: String,
        answer: Result<Value, String>,
    },
    /// Nothing that could be answered, such as a notification.
    Ignored,
}

/// What is wrong with a line, ready to be sent back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// `None` when the line has none that could be trusted.
    pub id: Option<String>,
    pub error: RpcError,
}

/// An error object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RpcError {
    pub code: i32,
    pub message: String,
    /// Null when there is nothing to add.
    pub data: Option<ErrorData>,
}

/// What else an error tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct ErrorData {
    /// The HTTP status of the provider.
    pub status_code: u16,
}

/// Characters of a client's word in a message.
const MAX_WORD: usize = 100;

impl RpcError {
    pub const INVALID_STATE: i32 = -32000;
    pub const LLM_NOT_SET: i32 = -32001;
    pub const LLM_NOT_SUPPORTED: i32 = -32002;
    pub const PROVIDER: i32 = -32003;
    pub const SIGN_IN: i32 = -32004;

    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// A turn or a replay runs.
    pub fn busy() -> Self {
        Self::new(Self::INVALID_STATE, "An agent turn is already in progress")
    }

    /// None runs.
    pub fn idle() -> Self {
        Self::new(Self::INVALID_STATE, "No agent turn is in progress")
    }

    /// The parameters of a method are not what it takes.
    pub fn params(method: Method) -> Self {
        let message = format!("Invalid parameters for method `{}`", method.name());
        Self::new(code::INVALID_PARAMS, message)
    }

    /// A line longer than is read.
    pub fn too_long(limit: usize) -> Self {
        let message = format!("Invalid JSON format: the line is longer than {limit} bytes");
        Self::new(code::PARSE, message)
    }
}

/// Reads a line. Bytes that are no UTF-8 are replaced.
pub(super) fn read(line: &[u8]) -> Result<Incoming, Refusal> {
    let refuse = |code, message: &str| {
        Err(Refusal { id: None, error: RpcError::new(code, message.to_owned()) })
    };
    let Ok(value) = serde_json::from_str::<Value>(&String::from_utf8_lossy(line)) else {
        return refuse(code::PARSE, "Invalid JSON format");
    };
    let Value::Object(mut fields) = value else {
        return refuse(code::INVALID_REQUEST, "Invalid request");
    };
    let speaks_2 = fields.get("jsonrpc").is_none_or(|version| version == "2.0");
    let (id, method) = (text(&mut fields, "id"), text(&mut fields, "method"));
    let (true, Ok(id), Ok(method)) = (speaks_2, id, method) else {
        return refuse(code::INVALID_REQUEST, "Invalid request");
    };
    match (method, id) {
        (Some(name), id) => {
            let method = Method::ALL.into_iter().find(|method| method.name() == name);
            match (method, id) {
                (_, None) => Ok(Incoming::Ignored),
                (Some(method), Some(id)) => {
                    let params = fields.remove("params").unwrap_or_default();
                    Ok(Incoming::Call { id, method, params })
                }
                (None, id) => {
                    let name: String = name.chars().take(MAX_WORD).collect();
                    let message = format!("Unexpected method received: {name}");
                    Err(Refusal { id, error: RpcError::new(code::METHOD_NOT_FOUND, message) })
                }
            }
        }
        (None, None) => refuse(code::INVALID_REQUEST, "Invalid request"),
        (None, Some(id)) => match (fields.remove("error"), fields.remove("result")) {
            (None | Some(Value::Null), None) => Ok(Incoming::Ignored),
            (None | Some(Value::Null), Some(result)) => {
                Ok(Incoming::Answer { id, answer: Ok(result) })
            }
            (Some(error), _) => match (error["code"].as_i64(), error["message"].as_str()) {
                (Some(_), Some(message)) => {
                    Ok(Incoming::Answer { id, answer: Err(message.to_owned()) })
                }
                _ => refuse(code::INVALID_REQUEST, "Invalid response"),
            },
        },
    }
}

/// A field that is text, if it is there at all; null is as good as absent.
fn text(fields: &mut Map<String, Value>, key: &str) -> Result<Option<String>, ()> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(()),
    }
}

#[derive(Serialize)]
struct Params<'a, T> {
    jsonrpc: &'static str,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    params: &'a T,
}

/// The line that tells an event. The event is encoded as it is in `wire.jsonl`.
pub(super) fn event(event: &Event) -> Option<String> {
    line(&Params { jsonrpc: "2.0", method: "event", id: None, params: event })
}

/// The line that puts a request. Its id is that of the request itself: clients answer by either.
pub(super) fn request(request: &Request) -> Option<String> {
    line(&Params { jsonrpc: "2.0", method: "request", id: Some(request.id()), params: request })
}

/// The line that answers a call.
pub(super) fn result(id: &str, result: &Value) -> Option<String> {
    line(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// The line that refuses something.
pub(super) fn error(refusal: &Refusal) -> Option<String> {
    line(&json!({"jsonrpc": "2.0", "id": refusal.id, "error": refusal.error}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> (Option<String>, i32, String) {
        match read(line.as_bytes()) {
            Err(Refusal { id, error }) => (id, error.code, error.message),
            Ok(read) => panic!("{line}: {read:?}"),
        }
    }

    #[test]
    fn what_cannot_be_read_has_its_error() {
        let deep = "[".repeat(10_000);
        for line in ["", " ", "not json", "{", "{\"id\":", "\u{feff}{}", "{\"a\":1e999}", &deep] {
            assert_eq!(refused(line), (None, -32700, "Invalid JSON format".into()), "{line}");
        }
        assert_eq!(read(b"{\"\xff\": ").unwrap_err().error.code, -32700);
        for line in [
            "[]",
            "1",
            "null",
            "\"x\"",
            "{}",
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"1.0","id":"a","method":"cancel"}"#,
            r#"{"jsonrpc":2.0,"id":"a","method":"cancel"}"#,
            r#"{"id":1,"method":"cancel"}"#,
            r#"{"id":{},"method":"cancel"}"#,
            r#"{"id":"a","method":7}"#,
            r#"{"result":{}}"#,
            r#"[{"id":"a","method":"cancel"}]"#,
        ] {
            assert_eq!(refused(line), (None, -32600, "Invalid request".into()), "{line}");
        }
        for line in [
            r#"{"id":"a","error":1}"#,
            r#"{"id":"a","error":{"code":"x","message":"m"}}"#,
            r#"{"id":"a","error":{"code":1}}"#,
        ] {
            assert_eq!(refused(line), (None, -32600, "Invalid response".into()), "{line}");
        }
        let unknown = |name: &str| {
            (Some("a".to_owned()), -32601, format!("Unexpected method received: {name}"))
        };
        assert_eq!(refused(r#"{"id":"a","method":"nonsense"}"#), unknown("nonsense"));
        // Ours, not the client's.
        assert_eq!(refused(r#"{"id":"a","method":"event"}"#), unknown("event"));
        let long = "é".repeat(5_000);
        let (_, _, message) = refused(&format!(r#"{{"id":"a","method":"{long}"}}"#));
        assert!(message.chars().count() < 200);
    }

    #[test]
    fn what_can_be_read_is_read() {
        let call = |line: &str| read(line.as_bytes()).unwrap();
        for line in [
            r#"{"id":"a","method":"cancel"}"#,
            r#"{"jsonrpc":"2.0","id":"a","method":"cancel","params":null,"extra":[1]}"#,
            " {\"id\":\"a\",\"method\":\"cancel\"}\r",
        ] {
            let expected =
                Incoming::Call { id: "a".into(), method: Method::Cancel, params: Value::Null };
            assert_eq!(call(line), expected, "{line}");
        }
        // Notifications have no answer, whatever they are.
        for line in [
            r#"{"method":"cancel"}"#,
            r#"{"method":"prompt","params":{}}"#,
            r#"{"method":"nonsense"}"#,
            r#"{"id":null,"method":"cancel"}"#,
            r#"{"id":"x"}"#,
        ] {
            assert_eq!(call(line), Incoming::Ignored, "{line}");
        }
        let answer = |answer| Incoming::Answer { id: "r".into(), answer };
        assert_eq!(call(r#"{"id":"r","result":{"a":1}}"#), answer(Ok(json!({"a": 1}))));
        assert_eq!(call(r#"{"id":"r","result":null}"#), answer(Ok(Value::Null)));
        assert_eq!(call(r#"{"id":"r","result":1,"error":null}"#), answer(Ok(json!(1))));
        let error = r#"{"id":"r","error":{"code":-1,"message":"no","data":[]}}"#;
        assert_eq!(call(error), answer(Err("no".into())));
    }

    #[test]
    fn lines_are_as_clients_know_them() {
        assert_eq!(
            event(&Event::TurnEnd {}).unwrap(),
            "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"type\":\"TurnEnd\",\"payload\":{}}}\n"
        );
        assert_eq!(
            result("é\n", &json!({})).unwrap(),
            "{\"jsonrpc\":\"2.0\",\"id\":\"é\\n\",\"result\":{}}\n"
        );
        let refusal = Refusal { id: None, error: RpcError::new(-32700, "Invalid JSON format") };
        assert_eq!(
            error(&refusal).unwrap(),
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Invalid JSON format\",\"data\":null}}\n"
        );
    }
}
