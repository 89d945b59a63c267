//! A goal by itself: where it stands, what it used up, what it may use up.

use std::time::{Duration, Instant};

use crate::protocol::{GoalLimits, GoalSnapshot, GoalStatus, GoalUsed, dollars};
use crate::store::GoalRecord;

/// The longest objective, and the longest criterion, in characters.
pub const MAX_TEXT: usize = 4_000;

/// Share of a budget from which on the model is told to come to an end.
const NEARLY: f64 = 0.75;

/// A goal. Time runs while it is active.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The time in it is that before `since`.
    known: GoalSnapshot,
    since: Option<Instant>,
}

impl Goal {
    /// An active goal without limits.
    pub fn new(id: String, objective: &str, criterion: Option<&str>, now: Instant) -> Self {
        let criterion: Option<String> =
            criterion.map(|text| text.trim().chars().take(MAX_TEXT).collect());
        Self {
            known: GoalSnapshot {
                goal_id: id,
                objective: objective.to_owned(),
                completion_criterion: criterion.filter(|text| !text.is_empty()),
                status: GoalStatus::Active,
                used: GoalUsed::default(),
                budget_limits: GoalLimits::default(),
                terminal_reason: None,
            },
            since: Some(now),
        }
    }

    /// The goal that the records leave, if they leave one. An active one stands still.
    pub fn replayed(records: &[GoalRecord], now: Instant) -> Option<Self> {
        let mut goal: Option<GoalSnapshot> = None;
        for record in records {
            match record {
                GoalRecord::Create { goal_id, objective, completion_criterion } => {
                    let made =
                        Self::new(goal_id.clone(), objective, completion_criterion.as_deref(), now);
                    goal = Some(made.known);
                }
                GoalRecord::Update { status, reason, used, budget_limits, .. } => {
                    let Some(goal) = &mut goal else { continue };
                    goal.used = *used;
                    if let Some(status) = status {
                        goal.status = *status;
                        goal.terminal_reason.clone_from(reason);
                    }
                    if let Some(limits) = budget_limits {
                        goal.budget_limits = *limits;
                    }
                }
                GoalRecord::Clear {} => goal = None,
            }
        }
        let known = goal.filter(|goal| goal.status != GoalStatus::Complete)?;
        Some(Self { known, since: None })
    }

    /// The goal as it is now.
    pub fn snapshot(&self, now: Instant) -> GoalSnapshot {
        GoalSnapshot { used: self.used(now), ..self.known.clone() }
    }

    pub fn id(&self) -> &str {
        &self.known.goal_id
    }

    pub fn status(&self) -> GoalStatus {
        self.known.status
    }

    /// What was used up until now.
    pub fn used(&self, now: Instant) -> GoalUsed {
        let running = self.since.map_or(0, |since| millis(now.saturating_duration_since(since)));
        let wall_clock_ms = self.known.used.wall_clock_ms.saturating_add(running);
        GoalUsed { wall_clock_ms, ..self.known.used }
    }

    /// Another status; the clock runs in `Active` alone.
    pub fn set_status(&mut self, status: GoalStatus, reason: Option<String>, now: Instant) {
        self.known.used = self.used(now);
        self.since = (status == GoalStatus::Active).then_some(now);
        self.known.status = status;
        self.known.terminal_reason = reason;
    }

    /// A turn begins.
    pub fn begin_turn(&mut self) {
        self.known.used.turns_used = self.known.used.turns_used.saturating_add(1);
    }

    /// Counts what a request has cost.
    pub fn count(&mut self, output_tokens: u64, usd: f64) {
        let used = &mut self.known.used;
        used.tokens_used = used.tokens_used.saturating_add(output_tokens);
        used.usd_used += usd.max(0.0);
    }

    /// Counts what a request of a subagent has cost.
    pub fn count_subagent(&mut self, output_tokens: u64, usd: f64) {
        self.count(output_tokens, usd);
        let used = &mut self.known.used;
        used.subagent_tokens_used = used.subagent_tokens_used.saturating_add(output_tokens);
        used.subagent_usd_used += usd.max(0.0);
    }

    /// Puts the limits that are given in place of the old ones.
    pub fn limit(&mut self, limits: GoalLimits) {
        self.known.budget_limits = self.known.budget_limits.with(limits);
    }

    /// Gives as much again of every budget that is reached.
    pub fn renew(&mut self, now: Instant) {
        let used = self.used(now);
        let limits = &mut self.known.budget_limits;
        let renewed = |limit: &mut Option<u64>, used: u64| {
            if let Some(limit) = limit.as_mut().filter(|limit| used >= **limit) {
                *limit = used.saturating_add(*limit);
            }
        };
        renewed(&mut limits.turn_budget, used.turns_used);
        renewed(&mut limits.token_budget, used.tokens_used);
        renewed(&mut limits.wall_clock_budget_ms, used.wall_clock_ms);
        if let Some(limit) = limits.usd_budget.as_mut().filter(|limit| used.usd_used >= **limit) {
            *limit += used.usd_used;
        }
    }

    /// The budget that is reached, in words. Turns count between turns only: the last one that is
    /// allowed may be finished.
    pub fn reached(&self, now: Instant, between_turns: bool) -> Option<String> {
        let (used, limits) = (self.used(now), &self.known.budget_limits);
        if let Some(limit) =
            limits.wall_clock_budget_ms.filter(|&limit| used.wall_clock_ms >= limit)
        {
            return Some(time(limit));
        }
        if let Some(limit) = limits.turn_budget
            && between_turns
            && used.turns_used >= limit
        {
            return Some(turns(limit));
        }
        if let Some(limit) = limits.token_budget.filter(|&limit| used.tokens_used >= limit) {
            return Some(format!("{limit} output tokens"));
        }
        let limit = limits.usd_budget.filter(|&limit| used.usd_used >= limit)?;
        Some(format!("${}", dollars(limit)))
    }

    /// Whether three quarters of a budget are gone.
    pub fn nearly_spent(&self, now: Instant) -> bool {
        let (used, limits) = (self.used(now), &self.known.budget_limits);
        // Casts are exact enough for a share.
        let share = |used: u64, limit: Option<u64>| {
            limit.is_some_and(|limit| used as f64 >= NEARLY * limit as f64)
        };
        share(used.turns_used, limits.turn_budget)
            || share(used.tokens_used, limits.token_budget)
            || share(used.wall_clock_ms, limits.wall_clock_budget_ms)
            || limits.usd_budget.is_some_and(|limit| used.usd_used >= NEARLY * limit)
    }

    /// The time until an active goal has to stop; `None` for any.
    pub fn time_left(&self, now: Instant) -> Option<Duration> {
        self.since?;
        let limit = self.known.budget_limits.wall_clock_budget_ms?;
        Some(Duration::from_millis(limit.saturating_sub(self.used(now).wall_clock_ms)))
    }

    /// The time is up: the timer says so, whatever the clock thinks.
    pub fn expire(&mut self, now: Instant) {
        if let Some(limit) = self.known.budget_limits.wall_clock_budget_ms {
            // What ran until now is in it: the clock begins anew.
            self.known.used.wall_clock_ms = self.used(now).wall_clock_ms.max(limit);
            self.since = self.since.map(|_| now);
        }
    }
}

/// An objective without the blanks around it.
pub fn checked(objective: &str) -> Result<&str, String> {
    let objective = objective.trim();
    match objective.chars().count() {
        0 => Err("The goal has no objective.".to_owned()),
        1..=MAX_TEXT => Ok(objective),
        n => Err(format!(
            "The objective has {n} characters, and {MAX_TEXT} are allowed. Put the details into a file \
             and name that."
        )),
    }
}

/// `1 turn`, `5 turns`.
pub fn turns(n: u64) -> String {
    if n == 1 { "1 turn".to_owned() } else { format!("{n} turns") }
}

/// Milliseconds as `1.5 s`, `12 s`, `5 min`, `2 h 05 min`.
pub fn time(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..10 => format!("{:.1} s", ms as f64 / 1e3),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::GoalActor;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn goal(start: Instant) -> Goal {
        Goal::new("g".to_owned(), "win", None, start)
    }

    #[test]
    fn time_runs_while_active_alone() {
        let start = Instant::now();
        let mut goal = goal(start);
        goal.set_status(GoalStatus::Paused, Some("a pause".to_owned()), at(start, 5));
        assert_eq!(goal.used(at(start, 500)).wall_clock_ms, 5_000);
        assert_eq!(goal.time_left(at(start, 6)), None);
        goal.set_status(GoalStatus::Active, None, at(start, 600));
        let snapshot = goal.snapshot(at(start, 602));
        assert_eq!((snapshot.used.wall_clock_ms, snapshot.terminal_reason), (7_000, None));
    }

    #[test]
    fn each_budget_is_reached_by_its_own_measure() {
        let start = Instant::now();
        let limits = |goal: &mut Goal, limits| goal.limit(limits);
        let mut by_turns = goal(start);
        limits(&mut by_turns, GoalLimits { turn_budget: Some(2), ..Default::default() });
        by_turns.begin_turn();
        assert_eq!(by_turns.reached(start, true), None);
        by_turns.begin_turn();
        assert_eq!(by_turns.reached(start, false), None, "the second turn may be finished");
        assert_eq!(by_turns.reached(start, true).as_deref(), Some("2 turns"));
        let mut by_tokens = goal(start);
        limits(&mut by_tokens, GoalLimits { token_budget: Some(100), ..Default::default() });
        by_tokens.count(74, 1.0);
        assert!(!by_tokens.nearly_spent(start));
        by_tokens.count(1, 1.0);
        assert!(by_tokens.nearly_spent(start));
        by_tokens.count(25, 1.0);
        assert_eq!(by_tokens.reached(start, false).as_deref(), Some("100 output tokens"));
        let mut by_money = goal(start);
        limits(&mut by_money, GoalLimits { usd_budget: Some(0.5), ..Default::default() });
        by_money.count(9, 0.5);
        assert_eq!(by_money.reached(start, false).as_deref(), Some("$0.50"));
        let mut by_time = goal(start);
        limits(
            &mut by_time,
            GoalLimits { wall_clock_budget_ms: Some(60_000), ..Default::default() },
        );
        assert_eq!(by_time.time_left(at(start, 15)), Some(Duration::from_secs(45)));
        assert_eq!(by_time.reached(at(start, 60), false).as_deref(), Some("60 s"));
    }

    #[test]
    fn a_timer_is_right_whatever_the_clock_says() {
        let start = Instant::now();
        let mut goal = goal(start);
        goal.limit(GoalLimits { wall_clock_budget_ms: Some(1_000), ..Default::default() });
        goal.expire(start);
        assert_eq!(goal.reached(start, false).as_deref(), Some("1.0 s"));
        // What has run is counted once.
        let mut goal = self::goal(start);
        goal.limit(GoalLimits { wall_clock_budget_ms: Some(2_000), ..Default::default() });
        goal.expire(at(start, 2));
        assert_eq!(goal.used(at(start, 3)).wall_clock_ms, 3_000);
    }

    #[test]
    fn as_much_again_is_given_of_what_is_reached_alone() {
        let start = Instant::now();
        let mut goal = goal(start);
        goal.limit(GoalLimits {
            turn_budget: Some(3),
            token_budget: Some(100),
            ..Default::default()
        });
        (0..3).for_each(|_| goal.begin_turn());
        goal.renew(start);
        let limits = goal.snapshot(start).budget_limits;
        assert_eq!((limits.turn_budget, limits.token_budget), (Some(6), Some(100)));
        assert_eq!(goal.reached(start, true), None);
    }

    #[test]
    fn records_leave_the_newest_goal_as_it_was() {
        let create = |id: &str| GoalRecord::Create {
            goal_id: id.to_owned(),
            objective: "win".to_owned(),
            completion_criterion: Some("  ".to_owned()),
        };
        let update = |status, reason: Option<&str>, turns_used| GoalRecord::Update {
            status,
            reason: reason.map(str::to_owned),
            used: GoalUsed { turns_used, ..GoalUsed::default() },
            budget_limits: (turns_used == 2)
                .then(|| GoalLimits { turn_budget: Some(9), ..Default::default() }),
            actor: GoalActor::Runtime,
        };
        let left = |records: &[GoalRecord]| {
            let goal = Goal::replayed(records, Instant::now())?.snapshot(Instant::now());
            Some((goal.goal_id, goal.status, goal.used.turns_used, goal.budget_limits.turn_budget))
        };
        let blocked = update(Some(GoalStatus::Blocked), Some("x"), 2);
        assert_eq!(
            left(&[create("a"), GoalRecord::Clear {}, create("b"), blocked.clone()]),
            Some(("b".to_owned(), GoalStatus::Blocked, 2, Some(9)))
        );
        assert_eq!(left(&[create("a"), GoalRecord::Clear {}]), None);
        assert_eq!(left(&[blocked]), None, "an update of nothing");
        assert_eq!(
            left(&[create("a"), update(Some(GoalStatus::Complete), None, 1)]),
            None,
            "a complete goal whose end was not recorded"
        );
        let goal = Goal::replayed(&[create("a"), update(None, None, 1)], Instant::now()).unwrap();
        assert_eq!(goal.status(), GoalStatus::Active);
        assert_eq!(goal.snapshot(Instant::now()).completion_criterion, None);
        assert_eq!(goal.time_left(Instant::now()), None);
    }
}
