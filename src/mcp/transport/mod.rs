//! How messages get to a server and back.
//!
//! Whatever the way, a server that floods is slowed down before the protocol engine sees it, and
//! nothing that it sends is kept without a bound.

mod access;
#[cfg(any(test, fuzzing))]
mod checked;
mod http;
mod known;
mod last_words;
mod lines;
mod log;
mod process;
mod quiet;
mod sse;
mod stdio;
mod throttle;

pub(super) use access::Access;
#[cfg(any(test, fuzzing))]
pub use checked::check_stream;
pub(super) use http::{HttpError, client as http_client, headers, innermost, streamable};
pub(super) use last_words::LastWords;
pub(super) use log::ServerLog;
pub(super) use process::END_TIME;
pub(super) use sse::Sse;
pub(super) use stdio::{Command, Stdio};
pub(super) use throttle::Throttled;

use rmcp::model::ServerJsonRpcMessage;
use serde::Deserialize;
use serde_json::{Value, json};

/// The messages in a JSON text: one, or a batch of them. What is no message is left out.
fn messages(text: &[u8]) -> Result<Vec<ServerJsonRpcMessage>, serde_json::Error> {
    if text.trim_ascii_start().first() != Some(&b'[') {
        return serde_json::from_slice(text).map(|message| vec![message]).or_else(|error| {
            let asked = serde_json::from_slice(text).ok().and_then(asked);
            asked.map(|request| vec![request]).ok_or(error)
        });
    }
    let batch: Vec<Value> = serde_json::from_slice(text)?;
    let message = |message: Value| {
        ServerJsonRpcMessage::deserialize(&message).ok().or_else(|| asked(message))
    };
    Ok(batch.into_iter().filter_map(message).collect())
}

/// A request whose parameters are none that any method has. It counts without them, so that whoever
/// sent it is answered what is wrong: else it would wait for ever.
fn asked(mut message: Value) -> Option<ServerJsonRpcMessage> {
    let is_request = message.get("method")?.is_string() && message.get("id").is_some();
    if !is_request || message.get("params")?.is_object() {
        return None;
    }
    *message.get_mut("params")? = json!({});
    serde_json::from_value(message).ok()
}

/// A message in place of one that the protocol engine would pass over: a request whose parameters are
/// none ([`asked`]).
fn mended(text: &str) -> Option<String> {
    // Results, which are large, are not read twice.
    if !text.contains("\"method\"") {
        return None;
    }
    let message = serde_json::from_str(text).ok().and_then(asked)?;
    serde_json::to_string(&message).ok()
}

/// An answer in place of one that cannot be used.
fn refusal(id: u64, why: &str) -> Option<ServerJsonRpcMessage> {
    let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": why}});
    serde_json::from_value(error).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::JsonRpcMessage;

    #[test]
    fn messages_come_alone_or_in_batches() {
        let one = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        assert_eq!(messages(one).unwrap().len(), 1);
        let batch =
            br#" [{"jsonrpc":"2.0","id":1,"result":{}},5,{"jsonrpc":"2.0","id":2,"result":{}}]"#;
        assert_eq!(messages(batch).unwrap().len(), 2);
        assert!(messages(b"Listening on port 1").is_err());
        let odd = br#"{"jsonrpc":"2.0","id":"e","method":"elicitation/create","params":["m"]}"#;
        assert!(matches!(messages(odd).unwrap()[..], [JsonRpcMessage::Request(_)]));
        let batch = [b"[", &odd[..], b"]"].concat();
        assert_eq!(messages(&batch).unwrap().len(), 1);
        let whole = mended(std::str::from_utf8(odd).unwrap()).unwrap();
        let read: ServerJsonRpcMessage = serde_json::from_str(&whole).unwrap();
        assert!(matches!(read, JsonRpcMessage::Request(_)), "{whole}");
        for fine in [r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}"#, "x", r#"{"id":1}"#]
        {
            assert_eq!(mended(fine), None);
        }
        // Nobody can be answered.
        let no_id = br#"{"jsonrpc":"2.0","id":[],"method":"elicitation/create","params":["m"]}"#;
        assert!(messages(no_id).is_err());
        assert!(matches!(refusal(3, "x"), Some(JsonRpcMessage::Error(_))));
    }
}
