//! What holds for every line of a client.

use serde_json::Value;

use super::rpc::{self, Method};
use crate::front::json_rpc::checked::{Refused, check};
use crate::front::json_rpc::code;

/// A line is taken or refused, with the error that is due, in one line that the client can read.
pub fn check_line(line: &[u8]) -> Result<(), String> {
    let read = rpc::read(line).map(drop).map_err(|refusal| Refused {
        code: refusal.error.code,
        answer: rpc::error(&refusal),
        id: refusal.id.into(),
    });
    check(read, due(line))
}

/// The error code that the line is due, by the rules as they are written (wire.md section 1).
fn due(line: &[u8]) -> Option<i32> {
    let Ok(value) = serde_json::from_slice::<Value>(String::from_utf8_lossy(line).as_bytes())
    else {
        return Some(code::PARSE);
    };
    let absent_or_text = |key: &str| value[key].is_null() || value[key].is_string();
    let speaks_2 = value.get("jsonrpc").is_none_or(|version| version == "2.0");
    let refused = Some(code::INVALID_REQUEST);
    if !value.is_object() || !speaks_2 || !absent_or_text("id") || !absent_or_text("method") {
        return refused;
    }
    match (value["method"].as_str(), value["id"].as_str()) {
        (None, None) => refused,
        (Some(_), None) => None,
        (Some(name), Some(_)) => {
            let known = Method::ALL.iter().any(|method| method.name() == name);
            (!known).then_some(code::METHOD_NOT_FOUND)
        }
        (None, Some(_)) => {
            let error = &value["error"];
            let whole = error["code"].is_i64() && error["message"].is_string();
            (!error.is_null() && !whole).then_some(code::INVALID_REQUEST)
        }
    }
}
