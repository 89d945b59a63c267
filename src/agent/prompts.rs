//! Prompts of MCP servers as slash commands: the server fills one in, and that is the message.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::slash::Command;
use super::turn;
use crate::mcp::connection::CallError;
use crate::mcp::prompts::message_parts;
use crate::mcp::server::login_wanted;
use crate::mcp::tidy::one_line;
use crate::protocol::{Outcome, UserInput};

/// Characters of what a server says of a failure.
const MAX_REASON: usize = 300;

/// What a command came to.
pub(super) enum Ran {
    /// A turn with the prompt's messages ended like this.
    Turn(Outcome),
    /// Nothing was sent; a line for the person says why.
    Said(String),
    /// It is no prompt.
    Unknown,
}

/// Runs the prompt that the command names, if it names one.
pub(super) async fn run(core: &Arc<Core>, command: &Command, cancel: &CancellationToken) -> Ran {
    let Some(servers) = core.dispatch.as_ref().map(|dispatch| dispatch.servers()) else {
        return Ran::Unknown;
    };
    let found = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ran::Turn(Outcome::Cancelled),
        found = servers.prompt(&command.name) => found,
    };
    let Some((name, prompt)) = found else { return Ran::Unknown };
    let arguments = match prompt.arguments(&name, &command.arguments) {
        Ok(arguments) => arguments,
        Err(why) => return Ran::Said(format!("{why} Nothing was sent.")),
    };
    let Some(server) = servers.get(&prompt.server) else { return Ran::Unknown };
    let timeout = servers.timeout_of(&server);
    let why = match server.prompt(&prompt.name, arguments, timeout, cancel).await {
        Ok(filled) => {
            let parts = message_parts(&filled, servers.limits().attached_chars);
            if !parts.is_empty() {
                let input = UserInput::Parts(parts);
                let input = match core.llm() {
                    Some(llm) => turn::without_unsupported(&llm, input),
                    None => input,
                };
                return Ran::Turn(turn::run_plain(core, input, cancel).await);
            }
            "it is empty".to_owned()
        }
        Err(CallError::Cancelled) => return Ran::Turn(Outcome::Cancelled),
        Err(CallError::Timeout(after)) => {
            format!("the server gave no answer within {} s", after.as_secs_f64())
        }
        Err(CallError::Unauthorized) => login_wanted(&server.config),
        Err(CallError::Closed(why) | CallError::Refused(why)) => one_line(&why, MAX_REASON),
    };
    Ran::Said(format!(
        "The prompt /{name} of the MCP server {} cannot be used: {}. Nothing was sent.",
        one_line(&prompt.server, 40),
        why.trim_end_matches('.')
    ))
}
