//! What a model is told of servers that are not connected.

use crate::mcp::config::BadServer;
use crate::mcp::server::{SWITCHED_OFF, Server, Status};
use crate::mcp::servers::ServerView;
use crate::mcp::tidy::{name_written_out, one_line};
use crate::protocol::ToolReturnValue;

/// Servers named in one line.
const MOST_NAMED: usize = 8;
/// Characters of a name, and of a reason.
const MAX_NAME: usize = 64;
const MAX_REASON: usize = 120;

/// The failure of a call to this server, `why` being half a sentence: its state comes first, and then
/// whether anybody can do something about it.
pub(super) fn away(server: &Server, why: &str) -> ToolReturnValue {
    let next = match server.state().status {
        // A login needs a person and a browser.
        Status::Unauthorized => "Only the user can do that; do not call it again before.",
        Status::Disabled => "The user can switch it on with /mcp.",
        Status::Pending | Status::Connecting => "It may be there later.",
        _ => "It is probably not working; do not just try again.",
    };
    not_there(&server.config.name, why, next)
}

/// The failure of a call to a server whose entry cannot be used.
pub(super) fn unusable(bad: &BadServer) -> ToolReturnValue {
    let next = "Only the user can correct its entry; do not call it again.";
    not_there(&bad.name, &bad.reason, next)
}

fn not_there(name: &str, why: &str, next: &str) -> ToolReturnValue {
    let name = name_written_out(name, MAX_NAME);
    let message = format!("The MCP server `{name}` is not connected: {why}. {next}");
    ToolReturnValue::error(message, "MCP server not connected")
}

/// Why this server is not connected, half a sentence; `None` if it is.
pub(super) fn reason(server: &Server) -> Option<String> {
    let state = server.state();
    match (state.status, state.reason) {
        (Status::Connected, _) => None,
        (Status::Disabled, _) => Some(SWITCHED_OFF.to_owned()),
        (Status::Pending | Status::Connecting, _) => Some("it is still starting".to_owned()),
        (_, Some(reason)) => Some(reason),
        (status, None) => Some(format!("it is {}", status.word())),
    }
}

/// The servers whose tools cannot be found now, with the reason, in a bounded line.
pub(super) fn absent(view: &[ServerView]) -> Option<String> {
    let absent: Vec<String> = view
        .iter()
        .filter(|server| !matches!(server.status, Status::Connected | Status::Disabled))
        .map(|server| {
            let reason = match (&server.status, &server.reason) {
                (Status::Pending | Status::Connecting, _) => "still starting".to_owned(),
                (Status::Unauthorized, Some(reason)) => {
                    format!("needs authorization by the user: {}", one_line(reason, MAX_REASON))
                }
                (_, Some(reason)) => format!("failed, {}", one_line(reason, MAX_REASON)),
                (_, None) => "failed".to_owned(),
            };
            format!("{} ({reason})", name_written_out(&server.name, MAX_NAME))
        })
        .collect();
    if absent.is_empty() {
        return None;
    }
    let more = match absent.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named: Vec<&str> = absent.iter().map(String::as_str).take(MOST_NAMED).collect();
    Some(format!("Not connected: {}{more}.", named.join(", ")))
}
