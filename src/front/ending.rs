//! How a run ends, in every front end: the exit status, and the hint how to go on.

use std::sync::Arc;

use crate::front::text::{clean_line, truncate};
use crate::protocol::{Failure, FailureKind, Outcome, Spent, StopReason};
use crate::tasks::View;

/// Columns of a task's description.
const DESCRIPTION: usize = 120;

/// The exit statuses of the program (kimi-cli's, plus the two of death by signal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    Success,
    /// Anything that went wrong, also a turn that was interrupted in print mode.
    Failure,
    /// The command line makes no sense.
    Usage,
    /// The provider failed in a way that may pass (`EX_TEMPFAIL`): try again later.
    TryLater,
    /// A goal is blocked (kimi-code's, as the next one).
    GoalBlocked,
    /// A goal is paused: interrupted, or something failed on the way.
    GoalPaused,
    /// A budget of tokens or money is spent.
    BudgetSpent,
    /// The model kept making the same call, and the turn was ended.
    GoingInCircles,
    /// `kimi ctl`: the instance asks something and waits for the answer.
    Asks,
    /// `kimi ctl`: the turn failed or was interrupted, or the instance can take no more messages.
    TurnFailed,
    /// `kimi ctl`: the instance has ended.
    InstanceEnded,
    /// `--timeout`, and `kimi ctl`: not in time. The number is that of timeout(1).
    TimedOut,
    /// Ended by SIGINT outside a turn.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl ExitCode {
    /// The number.
    pub fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::TryLater => 75,
            Self::GoalBlocked => 3,
            Self::GoalPaused => 6,
            Self::BudgetSpent => 4,
            Self::GoingInCircles => 5,
            Self::Asks => 10,
            Self::TurnFailed => 11,
            Self::InstanceEnded => 12,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<&Outcome> for ExitCode {
    /// The status of a program whose only turn ended so.
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Finished { stop: StopReason::ToolCallRepeat } => Self::GoingInCircles,
            Outcome::Finished { .. } => Self::Success,
            Outcome::Cancelled | Outcome::MaxStepsReached { .. } => Self::Failure,
            Outcome::BudgetSpent(Spent::Time { .. }) => Self::TimedOut,
            Outcome::BudgetSpent(_) => Self::BudgetSpent,
            Outcome::Failed(failure) => Self::from(failure),
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::Provider { retryable: true, .. } => Self::TryLater,
            FailureKind::Provider { retryable: false, .. }
            | FailureKind::LlmNotSet
            | FailureKind::SignIn
            | FailureKind::LlmNotSupported
            | FailureKind::Command
            | FailureKind::Internal => Self::Failure,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.status())
    }
}

/// The lines on stderr that name the background tasks that ended with the program.
pub fn stopped_tasks(stopped: &[Arc<View>]) -> String {
    let plural = if stopped.len() == 1 { "" } else { "s" };
    let mut text = format!("Stopped {} background task{plural}:\n", stopped.len());
    for view in stopped {
        text.push_str(&stopped_task(&view.spec.id, &view.spec.description));
    }
    text
}

/// The model has written the description.
fn stopped_task(id: &str, description: &str) -> String {
    format!("  {id}  {}\n", truncate(&clean_line(description), DESCRIPTION))
}

/// The line on stderr that says how to come back to a session, with an empty line before it.
pub fn resume_hint(session_id: &str) -> String {
    format!("\nTo resume this session: kimi -r {session_id}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: FailureKind) -> Outcome {
        Outcome::Failed(Failure { kind, message: "no".to_owned(), hint: None })
    }

    #[test]
    fn a_task_that_was_stopped_is_one_short_harmless_line() {
        let hostile = format!("a\u{1b}[2Jb\r\nc\u{202e}d{}", "x".repeat(10 << 20));
        let line = stopped_task("bash-1", &hostile);
        assert!(line.starts_with("  bash-1  ") && line.ends_with("…\n"), "{line:?}");
        assert!(line.chars().count() < 150 && line.matches('\n').count() == 1, "{line:?}");
        assert!(!line.contains(['\u{1b}', '\r', '\u{202e}']) && !line.contains("[2J"), "{line:?}");
    }

    #[test]
    fn every_outcome_has_its_status() {
        let status = |outcome: &Outcome| ExitCode::from(outcome).status();
        assert_eq!(status(&Outcome::Finished { stop: StopReason::NoToolCalls }), 0);
        assert_eq!(status(&Outcome::Finished { stop: StopReason::ToolRejected }), 0);
        assert_eq!(status(&Outcome::Finished { stop: StopReason::ToolCallRepeat }), 5);
        assert_eq!(status(&Outcome::Cancelled), 1);
        assert_eq!(status(&Outcome::MaxStepsReached { steps: 3 }), 1);
        let spent = |spent| status(&Outcome::BudgetSpent(spent));
        assert_eq!(spent(Spent::Tokens { limit: 1, used: 2 }), 4);
        assert_eq!(spent(Spent::Money { limit_usd: 1.0, used_usd: 2.0 }), 4);
        assert_eq!(spent(Spent::Time { limit_s: 1.0 }), 124);
        assert_eq!(status(&failed(FailureKind::LlmNotSet)), 1);
        let provider = |retryable| FailureKind::Provider { status: Some(500), retryable };
        assert_eq!(status(&failed(provider(true))), 75);
        assert_eq!(status(&failed(provider(false))), 1);
    }
}
