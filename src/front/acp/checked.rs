//! What holds for every line of a client.

use serde_json::Value;

use super::rpc;
use crate::front::json_rpc::checked::{Refused, check};
use crate::front::json_rpc::code;

/// A line is taken or refused, with the error that is due, in one line that the client can read.
pub fn check_line(line: &[u8]) -> Result<(), String> {
    // An id is trusted only in a line that is taken.
    let read = rpc::read(line).map(drop).map_err(|refusal| Refused {
        code: refusal.error.code,
        id: Value::Null,
        answer: rpc::error(&refusal),
    });
    check(read, due(line))
}

/// The error code that the line is due, by the rules of JSON-RPC 2.0 without batches.
fn due(line: &[u8]) -> Option<i32> {
    let Ok(value) = serde_json::from_slice::<Value>(String::from_utf8_lossy(line).as_bytes())
    else {
        return Some(code::PARSE);
    };
    let id = match value.get("id") {
        None => false,
        Some(Value::Null | Value::String(_)) => true,
        Some(Value::Number(number)) if !number.is_f64() => true,
        Some(_) => return Some(code::INVALID_REQUEST),
    };
    let says = |key: &str| value.get(key).is_some_and(|it| key == "result" || !it.is_null());
    let fits = value.is_object()
        && value["jsonrpc"] == "2.0"
        && match value.get("method") {
            Some(method) => method.is_string(),
            None => id && (says("result") || says("error")),
        };
    (!fits).then_some(code::INVALID_REQUEST)
}
