//! JSON-RPC 2.0 as ACP has it: one object a line, both sides call and notify.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

use crate::front::fit;
use crate::front::json_rpc::{code, line};

/// Characters of a client's word in a message.
const MAX_WORD: usize = 100;

/// What a call is known by. It goes back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Id {
    Number(Number),
    Text(String),
    /// Allowed, and an id like any other.
    Null,
}

/// A line from the client.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    /// A request, which is answered whatever it is.
    Call { id: Id, method: String, params: Value },
    /// A call that nobody answers.
    Notice { method: String, params: Value },
    /// The answer to a call of ours: its result, or the error's message.
    Answer { id: Id, answer: Result<Value, String> },
}

/// An error object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RpcError {
    pub code: i32,
    pub message: &'static str,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// What is wrong with a line, ready to be sent back. The id is null when the line has none that could be
/// trusted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub id: Id,
    pub error: RpcError,
}

impl RpcError {
    /// Nobody has a model that could be asked.
    pub const AUTH_REQUIRED: i32 = -32000;

    fn new(code: i32, message: &'static str, data: Value) -> Self {
        Self { code, message, data }
    }

    /// The call makes no sense now. The words say why.
    pub fn request(why: impl Into<String>) -> Self {
        Self::new(code::INVALID_REQUEST, "Invalid request", json!({"error": why.into()}))
    }

    /// There is no such method.
    pub fn method(name: &str) -> Self {
        let name: String = name.chars().take(MAX_WORD).collect();
        Self::new(code::METHOD_NOT_FOUND, "Method not found", json!({"method": name}))
    }

    /// The parameters are not what the method takes. The words say why.
    pub fn params(why: impl Into<String>) -> Self {
        Self::new(code::INVALID_PARAMS, "Invalid params", json!({"error": why.into()}))
    }

    /// There is no such session.
    pub fn session() -> Self {
        Self::new(
            code::INVALID_PARAMS,
            "Invalid params",
            json!({"session_id": "Session not found"}),
        )
    }

    /// Something failed here.
    pub fn internal(why: impl Into<String>) -> Self {
        Self::new(code::INTERNAL, "Internal error", json!({"error": why.into()}))
    }

    /// No model can be asked until the user has done something, of which `data` tells.
    pub fn auth_required(data: Value) -> Self {
        Self::new(Self::AUTH_REQUIRED, "Authentication required", data)
    }

    /// A line longer than is read.
    pub fn too_long(limit: usize) -> Self {
        let why = format!("the line is longer than {limit} bytes");
        Self::new(code::PARSE, "Parse error", json!({"error": why}))
    }
}

/// Reads a line. Bytes that are no UTF-8 are replaced.
pub(super) fn read(line: &[u8]) -> Result<Incoming, Refusal> {
    let Ok(value) = serde_json::from_str::<Value>(&String::from_utf8_lossy(line)) else {
        let error = RpcError::new(code::PARSE, "Parse error", Value::Null);
        return Err(Refusal { id: Id::Null, error });
    };
    let refuse = |why: &str| Err(Refusal { id: Id::Null, error: RpcError::request(why) });
    let mut fields = match value {
        Value::Object(fields) => fields,
        Value::Array(_) => return refuse("batches are not part of the protocol"),
        _ => return refuse("a message is an object"),
    };
    if fields.get("jsonrpc").is_none_or(|version| version != "2.0") {
        return refuse("\"jsonrpc\" is not \"2.0\"");
    }
    let id = match fields.remove("id") {
        None => None,
        Some(Value::Null) => Some(Id::Null),
        Some(Value::String(text)) => Some(Id::Text(text)),
        Some(Value::Number(number)) if !number.is_f64() => Some(Id::Number(number)),
        Some(_) => return refuse("an id is text, a whole number or null"),
    };
    let method = match fields.remove("method") {
        None => None,
        Some(Value::String(method)) => Some(method),
        Some(_) => return refuse("a method is text"),
    };
    let params = |fields: &mut Map<String, Value>| fields.remove("params").unwrap_or_default();
    match (method, id) {
        (Some(method), Some(id)) => Ok(Incoming::Call { id, method, params: params(&mut fields) }),
        (Some(method), None) => Ok(Incoming::Notice { method, params: params(&mut fields) }),
        (None, Some(id)) => match (fields.remove("error"), fields.remove("result")) {
            (None | Some(Value::Null), Some(result)) => {
                Ok(Incoming::Answer { id, answer: Ok(result) })
            }
            (None | Some(Value::Null), None) => refuse("it has no method, result or error"),
            (Some(error), _) => {
                let told = error["message"].as_str().unwrap_or("an error without a message");
                Ok(Incoming::Answer { id, answer: Err(told.to_owned()) })
            }
        },
        (None, None) => refuse("it has no method"),
    }
}

/// The line that answers a call.
pub(super) fn result(id: &Id, result: &Value) -> Option<String> {
    fit::fitted(line(&json!({"jsonrpc": "2.0", "id": id, "result": result}))?)
}

/// The line that refuses something.
pub(super) fn error(refusal: &Refusal) -> Option<String> {
    line(&json!({"jsonrpc": "2.0", "id": refusal.id, "error": refusal.error}))
}

/// The line of a call of ours; `None` when it cannot be put.
pub(super) fn call(id: u64, method: &str, params: &Value) -> Option<String> {
    let call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    // Cut, it would ask for something else.
    line(&call).filter(|line| fit::fits(line))
}

/// The line that tells something.
pub(super) fn notice(method: &str, params: &Value) -> Option<String> {
    fit::fitted(line(&json!({"jsonrpc": "2.0", "method": method, "params": params}))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> (Id, i32) {
        match read(line.as_bytes()) {
            Err(Refusal { id, error }) => (id, error.code),
            Ok(read) => panic!("{line}: {read:?}"),
        }
    }

    #[test]
    fn what_is_no_message_has_its_error() {
        let deep = "[".repeat(10_000);
        for line in ["", "not json", "{", "{\"id\":", "\u{feff}{}", "{\"a\":1e999}", &deep] {
            assert_eq!(refused(line), (Id::Null, -32700), "{line}");
        }
        for line in [
            "[]",
            "1",
            "null",
            "\"x\"",
            "{}",
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"id":1,"method":"initialize"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"initialize"}"#,
            r#"{"jsonrpc":2.0,"id":1,"method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","id":1e300,"method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","id":[1],"method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"[{"jsonrpc":"2.0","id":1,"method":"initialize"}]"#,
        ] {
            assert_eq!(refused(line), (Id::Null, -32600), "{line}");
        }
    }

    #[test]
    fn ids_go_back_as_they_came() {
        for id in ["0", "-7", "18446744073709551615", "\"\"", "\"é\\u0000\"", "null"] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x","params":[1]}}"#);
            let Ok(Incoming::Call { id: read, method, params }) = read(line.as_bytes()) else {
                panic!("{line}");
            };
            assert_eq!((method.as_str(), params), ("x", json!([1])));
            let answer = result(&read, &json!({})).unwrap();
            let sent: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(sent["id"], serde_json::from_str::<Value>(id).unwrap(), "{answer}");
        }
    }

    #[test]
    fn the_other_kinds_are_told_apart() {
        let read = |line: &str| read(line.as_bytes()).unwrap();
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","method":"session/cancel","extra":1}"#),
            Incoming::Notice { method: "session/cancel".into(), params: Value::Null }
        );
        let id = || Id::Number(3.into());
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","id":3,"result":null}"#),
            Incoming::Answer { id: id(), answer: Ok(Value::Null) }
        );
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"no"}}"#),
            Incoming::Answer { id: id(), answer: Err("no".into()) }
        );
        assert!(matches!(
            read(r#"{"jsonrpc":"2.0","id":3,"error":7}"#),
            Incoming::Answer { answer: Err(_), .. }
        ));
    }

    #[test]
    fn errors_are_as_the_protocol_has_them() {
        let sent = |error| error_line(&Refusal { id: Id::Null, error });
        assert_eq!(
            sent(RpcError::method(&"x".repeat(500)))["error"]["data"]["method"],
            "x".repeat(100)
        );
        let parse = sent(RpcError::too_long(7));
        assert_eq!(parse["id"], Value::Null);
        assert_eq!(parse["error"]["code"], -32700);
        assert_eq!(sent(RpcError::session())["error"]["data"]["session_id"], "Session not found");
    }

    fn error_line(refusal: &Refusal) -> Value {
        serde_json::from_str(&error(refusal).unwrap()).unwrap()
    }
}
