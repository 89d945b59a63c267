//! `kimi ctl`: what the running instances do, for people and for programs, and how to drive them.
//!
//! A client of the files that each instance keeps under `run/` and of the socket beside them; the
//! vocabulary is [`crate::protocol::control`]. One file per command. What comes from another instance
//! is cleaned on its way to people; `--json`, and `last` in a pipe, are exact.

mod args;
mod trouble;

#[cfg(unix)]
mod answer;
#[cfg(unix)]
mod caller;
#[cfg(unix)]
mod choice;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod last;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod list;
#[cfg(unix)]
mod send;
#[cfg(unix)]
mod state;
mod stopped;
#[cfg(unix)]
mod table;
#[cfg(unix)]
mod target;
#[cfg(unix)]
mod turn;
#[cfg(unix)]
mod values;
#[cfg(unix)]
mod wait;
#[cfg(unix)]
mod watch;
#[cfg(unix)]
mod words;

#[cfg(all(test, unix))]
mod tests;

pub use args::CtlCommand;
pub use trouble::EXIT_STATUS;

use super::ExitCode;
use crate::platform::Env;

/// Carries out `kimi ctl COMMAND`.
#[cfg(unix)]
pub fn main(command: Option<&CtlCommand>, env: &Env) -> ExitCode {
    use std::io::IsTerminal;

    use link::PATIENCE;

    let (mut input, mut out, mut err) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let terminal = out.is_terminal();
    let size = terminal.then(|| crossterm::terminal::size().ok()).flatten();
    let mut caller = caller::Caller {
        env,
        input_is_terminal: input.is_terminal(),
        input: &mut input,
        out: &mut out,
        err: &mut err,
        columns: terminal.then(|| size.map_or(80, |(columns, _)| usize::from(columns).max(40))),
        patience: PATIENCE,
    };
    caller.run(command)
}

/// Carries out `kimi ctl COMMAND`.
#[cfg(not(unix))]
pub fn main(_command: Option<&CtlCommand>, _env: &Env) -> ExitCode {
    super::complain("kimi: 'ctl' needs Unix sockets, which this system does not have\n");
    ExitCode::Failure
}
