//! `kimi ctl watch`.

use super::args::Target;
use super::caller::Caller;
use super::link::Until;
use super::trouble::Trouble;
use super::words::headline;
use crate::cli::ExitCode;
use crate::protocol::control::{Command, RefusalCode, State};

pub(super) fn run(
    caller: &mut Caller<'_>,
    target: &Target,
    json: bool,
) -> Result<ExitCode, Trouble> {
    let mut link = caller.connect(target)?;
    link.send(&Command::Watch)?;
    let mut until = Until::Patience;
    let mut ended = false;
    loop {
        let reply = match link.next(until) {
            Ok(Some(reply)) => reply,
            Ok(None) => break,
            Err(Trouble::HungUp { .. }) => break,
            Err(Trouble::Refused { refusal, .. }) if refusal.code == RefusalCode::Leaving => break,
            Err(trouble) => return Err(trouble),
        };
        until = Until::Then(None);
        let instance = link.state_of(&reply)?;
        ended = instance.state == State::Exited;
        if json {
            caller.line(reply.state_json().as_bytes())?;
        } else {
            caller.say(&headline(instance, caller.env.unix_now()))?;
        }
    }
    if !json && !ended {
        caller.say(State::Exited.word())?;
    }
    Ok(ExitCode::Success)
}
