//! What holds for every line of a client.

use serde_json::Value;

use super::rpc;
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
            if told.len() > MOST || told.matches('\n').count() != 1 || !told.ends_with('\n') {
                return Err(format!("the answer is not one short line: {told:?}"));
            }
            let value: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
            (value["error"]["code"] == due && value["id"].is_null()).then_some(()).ok_or(told)
        }
        (read, due) => Err(format!("{due:?} was due: {read:?}")),
    }
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
