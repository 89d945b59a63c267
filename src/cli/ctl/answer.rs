//! `kimi ctl answer`.

use super::args::{AnswerOptions, Target};
use super::caller::Caller;
use super::choice::choices;
use super::link::Until;
use super::trouble::Trouble;
use crate::cli::{ExitCode, UsageError};
use crate::front::text::clean_line;
use crate::protocol::control::{Command, Refusal, RefusalCode};

pub(super) fn run(
    caller: &mut Caller<'_>,
    target: &Target,
    options: &AnswerOptions,
) -> Result<ExitCode, Trouble> {
    if options.choices.is_empty() {
        return Err(UsageError::missing("a CHOICE; `kimi ctl state` lists them").into());
    }
    let mut link = caller.connect_awake(target)?;
    let reply = link.ask(&Command::State, Until::Patience)?;
    let state = link.state_of(&reply)?;
    let no_such = |message: String| {
        let refusal = Refusal { code: RefusalCode::NoSuchAsk, message };
        Trouble::Refused { who: link.who().to_owned(), refusal }
    };
    let Some(ask) = &state.ask else {
        return Err(no_such("it asks nothing".to_owned()));
    };
    if let Some(id) = &options.id
        && *id != ask.id
    {
        return Err(no_such(format!("question {id} is not open, but {}", ask.id)));
    }
    let choices = choices(ask, &options.choices, options.text.as_deref())?;
    // With the id that was just read: should another question be open by now, it is not answered.
    let command = Command::Answer { id: Some(ask.id.clone()), choices };
    let what = ask.text.lines().next().unwrap_or_default().to_owned();
    let reply = link.ask(&command, Until::Patience)?;
    if options.json {
        caller.line(reply.raw())?;
    } else {
        caller.say(&format!("answered: {}", clean_line(&what)))?;
    }
    Ok(ExitCode::Success)
}
