//! What can go wrong with `kimi ctl`, and all its exit statuses.

use std::io;
use std::time::Duration;

use crate::cli::{ExitCode, UsageError};
use crate::protocol::control::{Finish, Refusal, RefusalCode, State};
use crate::store::StoreError;

/// The exit statuses, for the help. [`of_state`], [`of_finish`] and [`Trouble::code`] give them.
pub const EXIT_STATUS: &str = "\
Exit status:
    0  idle, or the state or the turn that was waited for has come
    1  no such instance, or the command could not be carried out
    2  the command line is wrong
   10  it asks something: kimi ctl state, kimi ctl answer
   11  the turn failed or was interrupted, or it can take no more messages
   12  it has ended
  124  timed out";

/// The status for what an instance was found to be.
pub fn of_state(state: State) -> ExitCode {
    match state {
        // Busy is an end of waiting only where it was waited for.
        State::Idle | State::Busy => ExitCode::Success,
        State::Ask => ExitCode::Asks,
        State::Error => ExitCode::TurnFailed,
        State::Exited => ExitCode::InstanceEnded,
    }
}

/// The status for the end of a turn.
pub fn of_finish(finish: Finish) -> ExitCode {
    match finish {
        Finish::Done => ExitCode::Success,
        Finish::Cancelled | Finish::Error => ExitCode::TurnFailed,
    }
}

/// Why a command came to nothing. The text is for a person: what failed, why, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no running instance. Start one with `kimi`")]
    NoneRuns,
    #[error("no running instance {wanted}. There is:\n{table}")]
    NoneFits { wanted: String, table: String },
    #[error(
        "{count} running instances{wanted}. Choose one with --pane, --pid, --session or --cwd:\n\
         {table}"
    )]
    Several { count: usize, wanted: String, table: String },
    #[error(
        "{who} takes no commands: it has no socket. `kimi ctl list` shows what it does; its log \
         says why"
    )]
    NoSocket { who: String },
    #[error("cannot connect to {who}: {source}. `kimi ctl list` shows which instances run")]
    Connect { who: String, source: io::Error },
    #[error(
        "{who} does not answer within {}. It may be stopped or stuck: look at its screen",
        seconds(*.within)
    )]
    Silent { who: String, within: Duration },
    #[error("the connection to {who} broke: {source}. It may have ended: `kimi ctl list`")]
    Broken { who: String, source: io::Error },
    #[error("{who} hung up before it answered. It may have ended: `kimi ctl list`")]
    HungUp { who: String },
    #[error("{who} has ended")]
    Ended { who: String },
    #[error("{who} answers with what is no answer ({why}). Is it of another version?")]
    Garbage { who: String, why: String },
    #[error("{who} refuses: {}", .refusal.message)]
    Refused { who: String, refusal: Refusal },
    #[error(
        "{who} is stopped (Ctrl-Z or SIGSTOP) and takes nothing until it goes on; it was sent \
         nothing"
    )]
    Stopped { who: String },
    #[error("timed out after {}; {who} goes on", seconds(*.after))]
    TimedOut { who: String, after: Duration },
    #[error("{0}")]
    Choice(String),
    #[error(
        "what arrived is not what was sent: {taken}, sent {sent}. Look at the instance before you \
         send it again"
    )]
    Altered { taken: String, sent: String },
    #[error(
        "message {n} waits in the queue and another one came in behind it, so its turn cannot be \
         told any more. `kimi ctl wait`, then `kimi ctl last`"
    )]
    LostSight { n: u64 },
    #[error("message {n} is no longer in the queue and began no turn: somebody took it back")]
    Withdrawn { n: u64 },
    #[error(
        "turn {turn} has ended, but a later one has replaced its answer. The record of the session \
         has it"
    )]
    Overtaken { turn: u64 },
    #[error("{0}")]
    Input(String),
    #[error("cannot write the output: {0}")]
    Output(io::Error),
}

impl Trouble {
    /// The exit status.
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::Usage,
            Self::TimedOut { .. } => ExitCode::TimedOut,
            Self::Ended { .. } => ExitCode::InstanceEnded,
            Self::Refused { refusal, .. } => match refusal.code {
                RefusalCode::Timeout => ExitCode::TimedOut,
                RefusalCode::Leaving => ExitCode::InstanceEnded,
                _ => ExitCode::Failure,
            },
            // A reader that has gone away has had enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Success,
            _ => ExitCode::Failure,
        }
    }
}

/// `5 s`, `0.2 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_and_the_statuses_agree() {
        let listed: Vec<u8> = EXIT_STATUS
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        let refused = |code| {
            let refusal = Refusal { code, message: String::new() };
            Trouble::Refused { who: String::new(), refusal }.code()
        };
        let given = [
            of_state(State::Idle),
            Trouble::NoneRuns.code(),
            Trouble::from(UsageError::no_such_command("x")).code(),
            of_state(State::Ask),
            of_finish(Finish::Error),
            of_state(State::Exited),
            refused(RefusalCode::Timeout),
        ];
        assert_eq!(given.map(ExitCode::status).to_vec(), listed);
        assert_eq!(of_state(State::Error), of_finish(Finish::Cancelled));
        assert_eq!(refused(RefusalCode::Leaving), of_state(State::Exited));
        assert_eq!(refused(RefusalCode::NoAnswer), ExitCode::Failure);
        assert!(EXIT_STATUS.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn a_duration_is_short() {
        assert_eq!(seconds(Duration::from_secs(5)), "5 s");
        assert_eq!(seconds(Duration::from_millis(240)), "0.2 s");
    }
}
