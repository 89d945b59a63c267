//! A run that works toward a goal: how it ends, and the record that says so.

use serde_json::{Value, json};

use super::output::Pieces;
use super::text::clean_line;
use crate::agent::{means_goal, starts_goal};
use crate::front::ending::ExitCode;
use crate::protocol::{Failure, FailureKind, GoalSnapshot, GoalStatus, GoalUpdate, Outcome};

/// What has become of the goal so far.
#[derive(Debug, Default)]
pub(super) struct GoalRun {
    /// The prompt asks for one. In other runs the model may begin one, or take one up.
    asked: bool,
    /// It is about beginning one, well-formed or not.
    about_one: bool,
    newest: Option<GoalSnapshot>,
}

impl GoalRun {
    /// Nothing has happened yet.
    pub fn of(prompt: &str) -> Self {
        Self { asked: starts_goal(prompt), about_one: means_goal(prompt), newest: None }
    }

    /// The goal has changed. One that is complete is gone after that, and is told all the same. One
    /// that rests, and was there before, has nothing to do with the run until it is active.
    pub fn hears(&mut self, update: &GoalUpdate) {
        if let Some(snapshot) = &update.snapshot
            && (snapshot.status == GoalStatus::Active || self.newest.is_some())
        {
            self.newest = Some(snapshot.clone());
        }
    }

    /// Whether the run was asked for a goal and a hook did not let it begin: the only way for such a
    /// run to end well without one.
    fn is_forbidden(&self, outcome: &Outcome) -> bool {
        self.asked && self.newest.is_none() && matches!(outcome, Outcome::Finished { .. })
    }

    /// How it ended; `None` when it never began.
    fn status(&self) -> Option<GoalStatus> {
        // One that could not be stopped in time is paused when the session is opened again.
        self.newest.as_ref().map(|goal| match goal.status {
            GoalStatus::Active => GoalStatus::Paused,
            status => status,
        })
    }

    /// Whether the run failed because what was asked for is no goal that can begin. Nothing was sent.
    pub fn is_refused(&self, outcome: &Outcome) -> bool {
        let internal = |failure: &Failure| failure.kind == FailureKind::Internal;
        self.about_one
            && self.newest.is_none()
            && matches!(outcome, Outcome::Failed(failure) if internal(failure))
    }

    /// The exit status. A goal whose first turn failed is a failed run.
    pub fn code(&self, outcome: &Outcome) -> ExitCode {
        let turns = self.newest.as_ref().map_or(0, |goal| goal.used.turns_used);
        match self.status() {
            Some(GoalStatus::Complete) => ExitCode::Success,
            Some(GoalStatus::Blocked) => ExitCode::GoalBlocked,
            // Nobody asked for the goal: the run itself has ended badly.
            Some(_) if !self.asked && !matches!(outcome, Outcome::Finished { .. }) => {
                ExitCode::from(outcome)
            }
            Some(_) if turns > 1 || !matches!(outcome, Outcome::Failed(_)) => ExitCode::GoalPaused,
            None if self.is_forbidden(outcome) => ExitCode::GoalBlocked,
            _ => ExitCode::from(outcome),
        }
    }

    /// The last word: a record on stdout (clients.md section 8), or a line on stderr. Nothing for a
    /// goal that could not begin, which is an error of its own.
    pub fn tell(&self, outcome: &Outcome, as_record: bool, to: &mut Pieces) {
        if self.is_forbidden(outcome) {
            match as_record {
                true => to.out(NO_GOAL),
                false => to.err("Goal [blocked]: a hook does not allow it (turns: 0, tokens: 0)\n"),
            }
            return;
        }
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

/// The record of a goal that a hook did not let begin.
const NO_GOAL: &str = "{\"type\":\"goal.summary\",\"goalId\":null,\"status\":null,\"reason\":null,\
                       \"turnsUsed\":null,\"tokensUsed\":null,\"wallClockMs\":null}\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{GoalLimits, GoalUsed, StopReason};

    fn run(status: GoalStatus, turns_used: u64) -> GoalRun {
        let snapshot = GoalSnapshot {
            goal_id: "g-1".to_owned(),
            objective: "win".to_owned(),
            completion_criterion: None,
            status,
            used: GoalUsed {
                turns_used,
                tokens_used: 20,
                wall_clock_ms: 300,
                ..GoalUsed::default()
            },
            budget_limits: GoalLimits::default(),
            terminal_reason: (status == GoalStatus::Blocked)
                .then(|| "a \"wall\"\n\u{1b}[2J".to_owned()),
        };
        let mut run = GoalRun::of("/goal win");
        let begun = GoalSnapshot { status: GoalStatus::Active, ..snapshot.clone() };
        run.hears(&GoalUpdate { snapshot: Some(begun), ..GoalUpdate::default() });
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
        assert_eq!(GoalRun::of("/goal win").code(&failed).status(), 75);
        assert_eq!(GoalRun::of("/goal win").code(&fine).status(), 3);
        assert_eq!(GoalRun::of("win").code(&fine).status(), 0);
    }

    #[test]
    fn a_goal_that_rested_before_is_not_the_runs() {
        let fine = Outcome::Finished { stop: StopReason::Command };
        let resting = run(GoalStatus::Paused, 3).newest;
        let mut asked = GoalRun::of("/goal replace win");
        asked.hears(&GoalUpdate { snapshot: resting.clone(), ..GoalUpdate::default() });
        assert_eq!(asked.code(&fine).status(), 3);
        let mut plain = GoalRun::of("go on");
        plain.hears(&GoalUpdate { snapshot: resting, ..GoalUpdate::default() });
        assert_eq!(plain.code(&fine).status(), 0);
        plain.newest = run(GoalStatus::Paused, 3).newest;
        assert_eq!(plain.code(&fine).status(), 6);
        assert_eq!(plain.code(&Outcome::Cancelled), ExitCode::from(&Outcome::Cancelled));
    }

    #[test]
    fn the_record_has_its_keys_in_order_and_no_role() {
        let fine = Outcome::Finished { stop: StopReason::NoToolCalls };
        let told = |run: &GoalRun, as_record| {
            let mut to = Pieces::default();
            run.tell(&fine, as_record, &mut to);
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
        let forbidden = told(&GoalRun::of("/goal win"), true);
        let record: Value = serde_json::from_str(&forbidden).unwrap();
        assert!(record.as_object().unwrap().values().skip(1).all(Value::is_null), "{record}");
        assert!(told(&GoalRun::of("/goal win"), false).starts_with("Goal [blocked]: a hook"));
    }
}
