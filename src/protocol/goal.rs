//! A goal: an objective that the agent works toward over several turns.
//!
//! Names of the serialised fields are kimi-code's (agent-loop.md section 17). None of this goes over
//! the wire: clients outside the process see the turns of a goal, nothing else.

use serde::{Deserialize, Serialize};

/// Where a goal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalStatus {
    /// Turns follow one another by themselves.
    Active,
    /// It waits for the user: interrupted, or something failed.
    Paused,
    /// It cannot go on as it is: the model said so, or a budget is reached.
    Blocked,
    /// Announced once, then the goal is gone.
    Complete,
}

impl GoalStatus {
    /// The word for it, as it is serialised.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Blocked => "blocked",
            Self::Complete => "complete",
        }
    }
}

/// Who changed a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalActor {
    User,
    Model,
    /// What happened to a turn.
    Runtime,
    /// The start of the program.
    System,
}

/// What a goal may use up; `None` is without a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GoalLimits {
    /// Output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_budget: Option<u64>,
    /// Milliseconds while active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock_budget_ms: Option<u64>,
    /// US dollars, by the prices of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd_budget: Option<f64>,
}

impl GoalLimits {
    /// These limits with those of `newer` in place of them.
    #[must_use]
    pub fn with(self, newer: Self) -> Self {
        Self {
            token_budget: newer.token_budget.or(self.token_budget),
            turn_budget: newer.turn_budget.or(self.turn_budget),
            wall_clock_budget_ms: newer.wall_clock_budget_ms.or(self.wall_clock_budget_ms),
            usd_budget: newer.usd_budget.or(self.usd_budget),
        }
    }

    /// Whether one of `newer` is larger than that limit is now.
    #[must_use]
    pub fn raised_by(self, newer: Self) -> bool {
        fn larger<T: PartialOrd>(old: Option<T>, new: Option<T>) -> bool {
            old.zip(new).is_some_and(|(old, new)| new > old)
        }
        larger(self.token_budget, newer.token_budget)
            || larger(self.turn_budget, newer.turn_budget)
            || larger(self.wall_clock_budget_ms, newer.wall_clock_budget_ms)
            || larger(self.usd_budget, newer.usd_budget)
    }
}

/// What a goal has used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GoalUsed {
    /// Turns begun.
    pub turns_used: u64,
    /// Output tokens of its turns and of the subagents that work for it.
    pub tokens_used: u64,
    /// Milliseconds while active.
    pub wall_clock_ms: u64,
    /// US dollars.
    pub usd_used: f64,
    /// What of `tokens_used` subagents have used.
    #[serde(skip_serializing_if = "is_none")]
    pub subagent_tokens_used: u64,
    /// What of `usd_used` subagents have used.
    #[serde(skip_serializing_if = "is_free")]
    pub subagent_usd_used: f64,
}

fn is_none(tokens: &u64) -> bool {
    *tokens == 0
}

fn is_free(usd: &f64) -> bool {
    *usd == 0.0
}

/// A goal as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoalSnapshot {
    /// A UUID of its own; the session's has nothing to do with it.
    pub goal_id: String,
    pub objective: String,
    pub completion_criterion: Option<String>,
    pub status: GoalStatus,
    #[serde(flatten)]
    pub used: GoalUsed,
    pub budget_limits: GoalLimits,
    /// Why it is paused or blocked.
    pub terminal_reason: Option<String>,
}

/// What has changed about a goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoalChange {
    pub status: GoalStatus,
    pub reason: Option<String>,
    pub actor: GoalActor,
}

/// A goal that begins when the one before it is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpcomingGoal {
    pub id: String,
    pub objective: String,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: String,
    #[serde(default)]
    pub updated_at: String,
}

/// The goal and the queue behind it, told whenever one of them changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GoalUpdate {
    /// `None` when there is no goal (any more).
    pub snapshot: Option<GoalSnapshot>,
    /// `None` when only numbers or the queue changed.
    pub change: Option<GoalChange>,
    pub upcoming: Vec<UpcomingGoal>,
}

/// What a front end may do to a goal while a turn runs; everything else about goals is the slash
/// command `/goal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum GoalAct {
    /// No turn follows the running one.
    Pause,
    /// Gives the goal up, and the turn that works on it.
    Cancel,
    /// Puts an objective behind those that wait.
    Queue { objective: String },
    /// Takes it out of the queue.
    Unqueue { id: String },
    /// Makes it the first of the queue.
    First { id: String },
}

const TURN: &str = "goal: turn ";

/// What a turn of a goal is called where the words of a user would stand.
pub fn goal_turn_label(n: u64) -> String {
    format!("{TURN}{n}")
}

/// The number of the turn, if that is what the text is.
pub fn labelled_goal_turn(text: &str) -> Option<u64> {
    text.strip_prefix(TURN)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_back_and_nothing_else_is() {
        assert_eq!(labelled_goal_turn(&goal_turn_label(12)), Some(12));
        assert_eq!(labelled_goal_turn("goal: turn twelve"), None);
        assert_eq!(labelled_goal_turn("a goal: turn 1"), None);
    }

    #[test]
    fn a_newer_limit_replaces_its_own_kind_alone() {
        let old = GoalLimits { token_budget: Some(5), turn_budget: Some(3), ..Default::default() };
        let new = GoalLimits { turn_budget: Some(9), ..Default::default() };
        assert_eq!(
            old.with(new),
            GoalLimits { token_budget: Some(5), turn_budget: Some(9), ..Default::default() }
        );
    }

    #[test]
    fn a_limit_is_raised_by_a_larger_one_of_its_kind_alone() {
        let old = GoalLimits { turn_budget: Some(3), usd_budget: Some(1.0), ..Default::default() };
        let turns = |n| GoalLimits { turn_budget: Some(n), ..Default::default() };
        assert!(old.raised_by(turns(4)));
        assert!(!old.raised_by(turns(3)) && !old.raised_by(turns(1)));
        assert!(old.raised_by(GoalLimits { usd_budget: Some(1.1), ..Default::default() }));
        assert!(!old.raised_by(GoalLimits { token_budget: Some(9_000), ..Default::default() }));
    }
}
