//! `kimi ctl interrupt`.

use super::args::Target;
use super::caller::Caller;
use super::link::Until;
use super::trouble::Trouble;
use crate::cli::ExitCode;
use crate::protocol::control::Command;

pub(super) fn run(
    caller: &mut Caller<'_>,
    target: &Target,
    json: bool,
) -> Result<ExitCode, Trouble> {
    let mut link = caller.connect_awake(target)?;
    let reply = link.ask(&Command::Interrupt, Until::Patience)?;
    if json {
        caller.line(reply.raw())?;
    } else {
        let turn = reply.answer.state.map(|state| format!(" turn {}", state.turn));
        caller.say(&format!("interrupted{}", turn.unwrap_or_default()))?;
    }
    Ok(ExitCode::Success)
}
