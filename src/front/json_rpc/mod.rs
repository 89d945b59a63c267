//! What the two protocols over JSON-RPC 2.0 have in common: one message a line, the standard's error codes.

#[cfg(any(test, fuzzing))]
pub(in crate::front) mod checked;

use serde::Serialize;

/// The error codes of the standard.
pub(in crate::front) mod code {
    /// The line is no JSON.
    pub const PARSE: i32 = -32700;
    /// It is, and no message.
    pub const INVALID_REQUEST: i32 = -32600;
    pub const METHOD_NOT_FOUND: i32 = -32601;
    pub const INVALID_PARAMS: i32 = -32602;
    pub const INTERNAL: i32 = -32603;
}

/// The line of a message.
pub(in crate::front) fn line(message: &impl Serialize) -> Option<String> {
    match serde_json::to_string(message) {
        Ok(mut line) => {
            line.push('\n');
            Some(line)
        }
        // Only a map with keys that are no text could fail, and there is none.
        Err(error) => {
            tracing::error!(%error, "a message could not be written");
            None
        }
    }
}
