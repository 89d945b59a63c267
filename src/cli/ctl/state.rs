//! `kimi ctl state`.

use super::args::Target;
use super::caller::Caller;
use super::link::{Link, Until};
use super::stopped::is_stopped;
use super::trouble::Trouble;
use super::words::{headline, question, set_in};
use crate::cli::ExitCode;
use crate::protocol::control::{Command, Instance};

pub(super) fn run(
    caller: &mut Caller<'_>,
    target: &Target,
    json: bool,
) -> Result<ExitCode, Trouble> {
    let instance = caller.choose(target)?;
    if instance.socket.is_none() || is_stopped(&instance) {
        // Its state file is all there is.
        let line = serde_json::to_string(&instance).unwrap_or_default();
        return tell(caller, &instance, json.then_some(line));
    }
    let mut link = Link::open(&instance, caller.env, caller.patience)?;
    let reply = link.ask(&Command::State, Until::Patience)?;
    let line = json.then(|| reply.state_json());
    tell(caller, link.state_of(&reply)?, line)
}

fn tell(
    caller: &mut Caller<'_>,
    instance: &Instance,
    json: Option<String>,
) -> Result<ExitCode, Trouble> {
    match json {
        Some(line) => caller.line(line.as_bytes())?,
        None => caller.say(&report(instance, caller.env.unix_now()))?,
    }
    Ok(ExitCode::Success)
}

/// The state with the open question or the last failure below it.
pub(super) fn report(instance: &Instance, now: f64) -> String {
    let mut text = headline(instance, now);
    let failure = instance.last.as_ref().and_then(|last| last.error.as_ref());
    if let Some(ask) = &instance.ask {
        text = format!("{text}\n{}", question(ask));
    } else if let Some(failure) = failure {
        text = format!("{text}\n{}", set_in(failure));
    }
    text
}
