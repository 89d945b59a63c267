//! `kimi ctl wait`.

use std::time::Duration;

use super::args::{Bounds, Target};
use super::caller::Caller;
use super::link::Until;
use super::trouble::{Trouble, of_finish, of_state};
use super::values;
use crate::cli::ExitCode;
use crate::protocol::control::{Command, Instance, RefusalCode, State};

/// How long the answer of an instance that has watched the time may be on its way.
const GRACE: Duration = Duration::from_millis(500);

pub(super) fn run(
    caller: &mut Caller<'_>,
    target: &Target,
    bounds: &Bounds,
) -> Result<ExitCode, Trouble> {
    let number = |option, value: &Option<String>| {
        value.as_ref().map(|value| values::number(option, value)).transpose()
    };
    let turn = number("--turn", &bounds.turn)?;
    let after_seq = number("--after", &bounds.after)?;
    let until = bounds.state.as_ref().map(|state| values::states("--state", state)).transpose()?;
    let timeout = bounds.timeout.as_ref().map(|value| values::seconds("--timeout", value));
    let timeout = timeout.transpose()?;
    let mut link = caller.connect(target)?;
    let command = Command::Wait {
        until: until.unwrap_or_default(),
        turn,
        after_seq,
        timeout_ms: timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
    };
    // The instance watches the time; we do in case that it is stuck.
    let deadline = values::deadline(bounds.timeout.as_deref(), caller.env)?;
    let deadline = deadline.map(|deadline| deadline.and(GRACE));
    let instance = match link.ask(&command, Until::Then(deadline)) {
        Ok(reply) => link.state_of(&reply)?.clone(),
        Err(trouble) if is_end(&trouble) => {
            caller.say(State::Exited.word())?;
            return Ok(of_state(State::Exited));
        }
        Err(trouble) => {
            return Err(match (trouble, timeout) {
                (Trouble::Refused { who, refusal }, Some(after))
                    if refusal.code == RefusalCode::Timeout =>
                {
                    Trouble::TimedOut { who, after }
                }
                (trouble, _) => trouble,
            });
        }
    };
    caller.say(instance.state.word())?;
    Ok(code(&instance, turn))
}

/// Whether this is how a wait looks when the instance has ended meanwhile.
fn is_end(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::HungUp { .. } => true,
        Trouble::Refused { refusal, .. } => refusal.code == RefusalCode::Leaving,
        _ => false,
    }
}

/// The exit status for what came; a turn that was waited for and went wrong says so.
fn code(instance: &Instance, turn: Option<u64>) -> ExitCode {
    let finish = instance.last.as_ref().filter(|last| Some(last.turn) == turn);
    match (of_state(instance.state), finish) {
        (ExitCode::Success, Some(last)) => of_finish(last.finish),
        (code, _) => code,
    }
}
