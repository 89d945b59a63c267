//! `kimi ctl send`.

use std::io::Read;

use super::args::{SendOptions, Target};
use super::caller::Caller;
use super::last;
use super::link::{Link, Until};
use super::state::report;
use super::trouble::{Trouble, of_finish};
use super::turn::{Awaited, Seen};
use super::values;
use super::words::receipt;
use crate::cli::{ExitCode, UsageError};
use crate::front::control::hex_sha256;
use crate::front::text::clean_line;
use crate::front::tui::composer::normalised;
use crate::protocol::control::{
    Command, Finish, Instance, LastTurn, MAX_LINE, Receipt, RefusalCode,
};

/// The longest message that is read, in bytes; with what JSON adds, the line to the instance is
/// checked again.
const MAX_TEXT: u64 = MAX_LINE as u64;

/// What a command has around its text, in bytes, at most.
const ENVELOPE: usize = 64;

pub(super) fn run(
    caller: &mut Caller<'_>,
    target: &Target,
    options: &SendOptions,
) -> Result<ExitCode, Trouble> {
    if options.timeout.is_some() && !options.wait {
        return Err(UsageError::invalid("'--timeout'", "It needs --wait.").into());
    }
    values::deadline(options.timeout.as_deref(), caller.env)?;
    // What the composer makes of a text, so that the receipt is for what was sent.
    let text = normalised(&text(caller, options.text.as_deref())?);
    // From here on: what comes before is not the instance's time.
    let deadline = values::deadline(options.timeout.as_deref(), caller.env)?;
    let instance = caller.choose(target)?;
    caller.awake(&instance, deadline)?;
    // The watch begins before the message is sent, so that it misses nothing.
    let watch = options.wait.then(|| watch(caller, &instance)).transpose()?;

    let mut link = Link::open(&instance, caller.env, caller.patience)?;
    let command = Command::Send { text: text.clone(), steer: options.steer };
    let reply = link.ask(&command, Until::Patience)?;
    let Some(taken) = &reply.answer.receipt else {
        // A slash command begins no turn: it is done by now.
        if options.json {
            caller.line(reply.raw())?
        } else {
            caller.say("done")?
        }
        return Ok(ExitCode::Success);
    };
    check(&text, taken)?;
    if options.json {
        caller.line(reply.raw())?;
    } else {
        let word = if taken.turn.is_some() { "sent" } else { "queued" };
        let told = format!("{word}: {}", receipt(taken));
        // stdout is the answer's.
        if options.wait { caller.remark(&told) } else { caller.say(&told)? }
    }
    let Some(mut watch) = watch else { return Ok(ExitCode::Success) };
    let mut awaited = Awaited::new(taken);
    let until = Until::Then(deadline);
    let mut next = until;
    loop {
        let reply = match watch.next(next) {
            Ok(Some(reply)) => reply,
            Ok(None) | Err(Trouble::HungUp { .. }) => return Err(link.ended()),
            Err(Trouble::Refused { refusal, .. }) if refusal.code == RefusalCode::Leaving => {
                return Err(link.ended());
            }
            Err(Trouble::Silent { .. }) => return Err(Trouble::Withdrawn { n: awaited.n }),
            Err(trouble) => return Err(trouble),
        };
        let instance = watch.state_of(&reply)?;
        next = until;
        match awaited.look(instance) {
            Seen::Nothing => {}
            Seen::Ended(turn) => return ended(caller, &mut link, &turn, options.json),
            Seen::Overtaken(turn) => return Err(Trouble::Overtaken { turn }),
            Seen::Exited => return Err(link.ended()),
            Seen::LostSight => return Err(Trouble::LostSight { n: awaited.n }),
            // Unless its turn is just about to begin.
            Seen::Gone => next = Until::Patience,
            Seen::Asks => {
                if options.json {
                    caller.line(reply.raw())?;
                }
                caller.remark(&report(instance, caller.env.unix_now()));
                return Ok(ExitCode::Asks);
            }
            Seen::Broken => {
                caller.remark(&report(instance, caller.env.unix_now()));
                return Ok(ExitCode::TurnFailed);
            }
        }
    }
}

/// The message. Line ends at the end of stdin are those of the tool that wrote it.
fn text(caller: &mut Caller<'_>, word: Option<&str>) -> Result<String, Trouble> {
    let text = match word {
        Some(text) if text != "-" => text.to_owned(),
        None if caller.input_is_terminal => {
            return Err(UsageError::missing("TEXT, or a message on stdin").into());
        }
        _ => {
            let mut bytes = Vec::new();
            let read = (&mut *caller.input).take(MAX_TEXT + 1).read_to_end(&mut bytes);
            read.map_err(|error| Trouble::Input(format!("cannot read stdin: {error}")))?;
            let text = String::from_utf8(bytes).map_err(|_| {
                Trouble::Input("the message on stdin is not UTF-8; convert it first".to_owned())
            })?;
            text.trim_end_matches(['\n', '\r']).to_owned()
        }
    };
    if text.trim().is_empty() {
        return Err(UsageError::invalid("TEXT", "The message is empty.").into());
    }
    let too_long = text.len() as u64 > MAX_TEXT
        || serde_json::to_vec(&text).is_ok_and(|quoted| quoted.len() + ENVELOPE > MAX_LINE);
    if too_long {
        let limit = MAX_LINE >> 20;
        let message = format!("the message is longer than {limit} MB; name a file in it instead");
        return Err(Trouble::Input(message));
    }
    Ok(text)
}

/// A connection that tells every change from now on.
fn watch<'a>(caller: &Caller<'a>, instance: &Instance) -> Result<Link<'a>, Trouble> {
    let mut watch = Link::open(instance, caller.env, caller.patience)?;
    watch.send(&Command::Watch)?;
    match watch.next(Until::Patience)? {
        Some(_) => Ok(watch),
        None => Err(watch.ended()),
    }
}

/// Compares the receipt with what was sent.
fn check(text: &str, taken: &Receipt) -> Result<(), Trouble> {
    let sha256 = hex_sha256(text.as_bytes());
    if taken.bytes == text.len() && taken.sha256.eq_ignore_ascii_case(&sha256) {
        return Ok(());
    }
    let front = |hash: &str| hash.chars().take(12).collect::<String>();
    Err(Trouble::Altered {
        taken: format!("{} bytes, sha256 {}…", taken.bytes, front(&taken.sha256)),
        sent: format!("{} bytes, sha256 {}…", text.len(), front(&sha256)),
    })
}

/// Prints the answer of the turn that has ended.
fn ended(
    caller: &mut Caller<'_>,
    link: &mut Link<'_>,
    turn: &LastTurn,
    json: bool,
) -> Result<ExitCode, Trouble> {
    if let Some(sha256) = &turn.sha256 {
        let reply = link.ask(&Command::Last, Until::Patience)?;
        let text = last::text(&reply.answer, link.who())?;
        if !sha256.eq_ignore_ascii_case(&hex_sha256(text.as_bytes())) {
            return Err(Trouble::Overtaken { turn: turn.turn });
        }
        if json {
            caller.line(reply.raw())?;
        } else {
            last::print(caller, text)?;
        }
    }
    let number = turn.turn;
    match (turn.finish, &turn.error) {
        (Finish::Done, _) if turn.sha256.is_some() => {}
        (Finish::Done, _) => caller.remark(&format!("turn {number} has ended without an answer")),
        (Finish::Cancelled, _) => caller.remark(&format!("turn {number} was interrupted")),
        (Finish::Error, Some(error)) => {
            caller.remark(&format!("turn {number} failed: {}", clean_line(error)));
        }
        (Finish::Error, None) => caller.remark(&format!("turn {number} failed")),
    }
    Ok(of_finish(turn.finish))
}
