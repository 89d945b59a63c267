//! What holds for every line of a client.

use serde_json::Value;

use super::rpc::{self, Method};
use crate::front::json_rpc::code;

/// Longest answer to a line that is refused, in bytes.
const MOST: usize = 2_000;

/// A line is taken or refused, with the error that is due, in one line that the client can read.
pub fn check_line(line: &[u8]) -> Result<(), String> {
    let due = due(line);
    match (rpc::read(line), due) {
        (Ok(_), None) => Ok(()),
        (Err(refusal), Some(due)) if refusal.error.code == due => {
            let told = rpc::error(&refusal).ok_or("no answer could be written")?;
            if told.len() > MOST + refusal.id.map_or(0, |id| id.len() * 6) {
                return Err(format!("the answer has {} bytes", told.len()));
            }
            if told.matches('\n').count() != 1 || !told.ends_with('\n') {
                return Err(format!("the answer is not one line: {told:?}"));
            }
            let value: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
            (value["error"]["code"] == due).then_some(()).ok_or(told)
        }
        (read, due) => Err(format!("{due:?} was due: {read:?}")),
    }
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
