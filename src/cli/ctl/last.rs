//! `kimi ctl last`.

use super::args::Target;
use super::caller::Caller;
use super::link::Until;
use super::trouble::Trouble;
use crate::cli::ExitCode;
use crate::front::text::clean;
use crate::protocol::control::{Answer, Command, Refusal, RefusalCode};

pub(super) fn run(
    caller: &mut Caller<'_>,
    target: &Target,
    json: bool,
) -> Result<ExitCode, Trouble> {
    let mut link = caller.connect_awake(target)?;
    let reply = link.ask(&Command::Last, Until::Patience)?;
    let text = text(&reply.answer, link.who())?;
    if json {
        caller.line(reply.raw())?;
    } else {
        print(caller, text)?;
    }
    Ok(ExitCode::Success)
}

/// The text of an answer to `last`.
pub(super) fn text<'a>(answer: &'a Answer, who: &str) -> Result<&'a str, Trouble> {
    answer.text.as_deref().ok_or_else(|| {
        let message = "there is no answer yet".to_owned();
        let refusal = Refusal { code: RefusalCode::NoAnswer, message };
        Trouble::Refused { who: who.to_owned(), refusal }
    })
}

/// Exactly the text in a pipe; on a terminal without what a terminal would act on, and so that the
/// next prompt begins a line.
pub(super) fn print(caller: &mut Caller<'_>, text: &str) -> Result<(), Trouble> {
    if caller.columns.is_none() {
        return caller.write(text.as_bytes());
    }
    let mut text = clean(text);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    caller.write(text.as_bytes())
}
