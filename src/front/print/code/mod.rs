//! kimi-code's way to print: what a bare `-p` writes (clients.md sections 8 and 8a).
//!
//! | file | subject |
//! |---|---|
//! | `records` | `stream-json`: assistant, tool and meta records |
//! | `fit` | keeps a record below the length that readers take |
//! | `blocks` | text: one block with a bullet for each message |
//! | `trouble` | the line on stderr that says why a run failed |
//!
//! Of a run, stdout has a version record (unless the caller holds us to the old engine), the records
//! of its turns, the summary of a goal, and a record that names the session. A run that failed names
//! none, and nothing of its failure is on stdout.

mod blocks;
mod fit;
mod records;
#[cfg(test)]
mod tests;
mod trouble;

use serde::Serialize;

pub(super) use blocks::Blocks;
pub(super) use records::Records;
pub use trouble::failed_to_start;
pub(super) use trouble::tell;

use super::output::Pieces;
use super::turns::End;
use crate::front::ending::ExitCode;
use crate::protocol::{Event, HookAction, HookEvent};

/// The version, as the first line of a run.
pub(super) fn opening(as_record: bool, to: &mut Pieces) {
    #[derive(Serialize)]
    struct Version {
        role: &'static str,
        #[serde(rename = "type")]
        kind: &'static str,
        version: &'static str,
    }
    let version = env!("CARGO_PKG_VERSION");
    match as_record {
        true => to.record(&Version { role: "meta", kind: "system.version", version }),
        false => to.err(&format!("kimi version {version}\n")),
    }
}

/// How to come back to the session, as the last line of a run that went well.
pub(super) fn resume_hint(session_id: &str, as_record: bool, to: &mut Pieces) {
    #[derive(Serialize)]
    struct Hint<'a> {
        role: &'static str,
        #[serde(rename = "type")]
        kind: &'static str,
        session_id: &'a str,
        command: &'a str,
        content: &'a str,
    }
    let command = format!("kimi -r {session_id}");
    let content = format!("To resume this session: {command}");
    match as_record {
        true => to.record(&Hint {
            role: "meta",
            kind: "session.resume_hint",
            session_id,
            command: &command,
            content: &content,
        }),
        false => to.err(&format!("{content}\n")),
    }
}

/// The exit status of a run. Whether trying again may help is not told apart; the status of a signal
/// is the shell's.
pub(super) fn status(end: End) -> ExitCode {
    match end {
        End::Interrupted => ExitCode::Interrupted,
        end => match end.code() {
            ExitCode::TryLater => ExitCode::Failure,
            code => code,
        },
    }
}

/// What is said in place of an answer where a hook does not let the prompt go to the model.
pub(super) fn forbidden(event: &Event) -> Option<String> {
    match event {
        Event::HookResolved { event, action, reason, .. }
            if event == HookEvent::UserPromptSubmit.name()
                && action == HookAction::Block.word() =>
        {
            let reason = reason.trim();
            let reason = if reason.is_empty() { "(empty)" } else { reason };
            Some(format!("{event} hook blocked\n\n{reason}"))
        }
        _ => None,
    }
}
