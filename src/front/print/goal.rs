//! A run that was asked to reach a goal: how it ends, and the record that says so.

use serde_json::{Value, json};

use super::output::Pieces;
use super::text::clean_line;
use crate::agent::starts_goal;
use crate::front::ending::ExitCode;
use crate::protocol::{GoalSnapshot, GoalStatus, GoalUpdate, Outcome};

/// What has become of the goal so far.
#[derive(Debug, Default)]
pub(super) struct GoalRun {
    newest: Option<GoalSnapshot>,
}

impl GoalRun {
    /// `Some` if that is what the prompt asks for.
    pub fn of(prompt: &str) -> Option<Self> {
        starts_goal(prompt).then(Self::default)
    }

    /// The goal has changed. One that is complete is gone after that, and is told all the same.
    pub fn hears(&mut self, update: &GoalUpdate) {
        if let Some(snapshot) = &update.snapshot {
            self.newest = Some(snapshot.clone());
        }
    }

    /// How it ended; `None` when it never began.
    fn status(&self) -> Option<GoalStatus> {
        // One that could not be stopped in time is paused when the session is opened again.
        self.newest.as_ref().map(|goal| match goal.status {
            GoalStatus::Active => GoalStatus::Paused,
            status => status,
        })
    }

    /// The exit status. A goal whose first turn failed is a failed run.
    pub fn code(&self, outcome: &Outcome) -> ExitCode {
        let turns = self.newest.as_ref().map_or(0, |goal| goal.used.turns_used);
        match self.status() {
            Some(GoalStatus::Complete) => ExitCode::Success,
            Some(GoalStatus::Blocked) => ExitCode::GoalBlocked,
            Some(_) if turns > 1 || !matches!(outcome, Outcome::Failed(_)) => ExitCode::GoalPaused,
            _ => ExitCode::from(outcome),
        }
    }

    /// The last word: a record on stdout (clients.md section 8), or a line on stderr. Nothing for a
    /// goal that never began.
    pub fn tell(&self, as_record: bool, to: &mut Pieces) {
        let (Some(goal), Some(status)) = (&self.newest, self.status()) else { return };
        let reason = goal.terminal_reason.as_deref();
        let used = &goal.used;
        if as_record {
            // The order of the keys is part of the format.
            to.out(&format!(
                "{{\"type\":\"goal.summary\",\"goalId\":{},\"status\":{},\"reason\":{},\"turnsUsed\":{},\
                 \"tokensUsed\":{},\"wallClockMs\":{}}}\n",
                Value::from(goal.goal_id.as_str()),
                json!(status),
                json!(reason),
                used.turns_used,
                used.tokens_used,
                used.wall_clock_ms
            ));
            return;
        }
        let reason = reason.map(|why| format!(": {}", clean_line(why))).unwrap_or_default();
        to.err(&format!(
            "Goal [{}]{reason} (turns: {}, tokens: {})\n",
            status.word(),
            used.turns_used,
            used.tokens_used
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Failure, FailureKind, GoalLimits, GoalUsed, StopReason};

    fn run(status: GoalStatus, turns_used: u64) -> GoalRun {
        let snapshot = GoalSnapshot {
            goal_id: "g-1".to_owned(),
            objective: "win".to_owned(),
            completion_criterion: None,
            status,
            used: GoalUsed { turns_used, tokens_used: 20, wall_clock_ms: 300, usd_used: 0.0 },
            budget_limits: GoalLimits::default(),
            terminal_reason: (status == GoalStatus::Blocked)
                .then(|| "a \"wall\"\n\u{1b}[2J".to_owned()),
        };
        let mut run = GoalRun::of("/goal win").unwrap();
        run.hears(&GoalUpdate { snapshot: Some(snapshot), ..GoalUpdate::default() });
        run.hears(&GoalUpdate::default());
        run
    }

    #[test]
    fn the_exit_status_is_that_of_the_goal() {
        let fine = Outcome::Finished { stop: StopReason::NoToolCalls };
        let kind = FailureKind::Provider { status: Some(500), retryable: true };
        let failed = Outcome::Failed(Failure { kind, message: String::new(), hint: None });
        assert_eq!(run(GoalStatus::Complete, 3).code(&fine).status(), 0);
        assert_eq!(run(GoalStatus::Blocked, 3).code(&fine).status(), 3);
        assert_eq!(run(GoalStatus::Paused, 1).code(&Outcome::Cancelled).status(), 6);
        assert_eq!(run(GoalStatus::Paused, 2).code(&failed).status(), 6);
        assert_eq!(run(GoalStatus::Paused, 1).code(&failed).status(), 75);
        assert_eq!(GoalRun::default().code(&failed).status(), 75);
        assert!(GoalRun::of("/goal").is_none() && GoalRun::of("win").is_none());
    }

    #[test]
    fn the_record_has_its_keys_in_order_and_no_role() {
        let told = |run: &GoalRun, as_record| {
            let mut to = Pieces::default();
            run.tell(as_record, &mut to);
            to.take().into_iter().map(|(_, text)| text).collect::<String>()
        };
        assert_eq!(
            told(&run(GoalStatus::Complete, 4), true),
            "{\"type\":\"goal.summary\",\"goalId\":\"g-1\",\"status\":\"complete\",\"reason\":null,\
             \"turnsUsed\":4,\"tokensUsed\":20,\"wallClockMs\":300}\n"
        );
        let line = told(&run(GoalStatus::Blocked, 4), true);
        assert!(serde_json::from_str::<Value>(&line).is_ok() && line.matches('\n').count() == 1);
        let line = told(&run(GoalStatus::Blocked, 4), false);
        assert!(line.starts_with("Goal [blocked]: a \"wall\""), "{line}");
        assert!(line.ends_with("(turns: 4, tokens: 20)\n") && !line.contains('\u{1b}'), "{line:?}");
        assert_eq!(told(&GoalRun::default(), true), "");
    }
}
