//! The goal on the screen: what it shows of it, and `/goal` while a turn runs.

use std::time::{Duration, Instant};

use ratatui::text::{Line, Span};

use super::panes::Pane;
use super::{App, TuiError};
use crate::agent::{GoalWanted, goal_report, parse_goal};
use crate::front::text::truncate;
use crate::front::tui::cells::{Severity, count, elapsed_whole, row};
use crate::front::tui::overlays::GoalPicker;
use crate::front::tui::theme::Tone;
use crate::protocol::{GoalAct, GoalSnapshot, GoalStatus, GoalUpdate, Op, dollars};

/// The goal as it was last heard of.
#[derive(Debug, Default)]
pub(super) struct GoalView {
    pub known: GoalUpdate,
    /// When that was: time runs on while it is active.
    heard: Option<Instant>,
}

impl GoalView {
    pub fn new(known: GoalUpdate, now: Instant) -> Self {
        Self { known, heard: Some(now) }
    }

    /// Whether turns follow one another.
    pub fn is_active(&self) -> bool {
        self.known.snapshot.as_ref().is_some_and(|goal| goal.status == GoalStatus::Active)
    }

    /// The badge of the status bar.
    pub fn badge(&self) -> Option<String> {
        self.known.snapshot.as_ref().map(|goal| format!("goal: {}", goal.status.word()))
    }

    /// How far it is, on one line.
    fn words(&self, now: Instant) -> Option<String> {
        let goal = self.known.snapshot.as_ref()?;
        let reason = goal.terminal_reason.as_deref().unwrap_or_default();
        let mut words = match goal.status {
            GoalStatus::Active => {
                let since =
                    self.heard.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
                vec![progress(goal, since)]
            }
            GoalStatus::Complete => vec!["complete".to_owned()],
            status => vec![format!("{}: {reason}", status.word()), "/goal resume".to_owned()],
        };
        if !self.known.upcoming.is_empty() {
            words.push(format!("{} next", self.known.upcoming.len()));
        }
        words.push(goal.objective.clone());
        Some(row::foreign_line(&words.join(" · ")))
    }
}

/// `turn 4 of 10 · 12.3k tokens · 5m 02s of 20m 00s`.
fn progress(goal: &GoalSnapshot, since: Duration) -> String {
    let (used, limits) = (&goal.used, &goal.budget_limits);
    let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let ms = |ms: u64| Duration::from_millis(ms);
    let mut words = format!(
        "turn {}{} · {}{} tokens · {}{}",
        used.turns_used,
        of(limits.turn_budget.map(|n| n.to_string())),
        count(used.tokens_used),
        of(limits.token_budget.map(count)),
        elapsed_whole(ms(used.wall_clock_ms).saturating_add(since)),
        of(limits.wall_clock_budget_ms.map(|limit| elapsed_whole(ms(limit)))),
    );
    if let Some(limit) = limits.usd_budget {
        words.push_str(&format!(" · ${} of ${}", dollars(used.usd_used), dollars(limit)));
    }
    words
}

/// What follows `/goal`, if that is the command.
fn goal_arguments(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix("/goal")?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

/// Whether a person has to go on with it.
pub(super) fn opens_goal_queue(line: &str) -> bool {
    goal_arguments(line).is_some_and(|arguments| parse_goal(arguments) == Ok(GoalWanted::Manage))
}

impl App {
    /// What the session left of a goal.
    pub(super) fn take_goal_of_session(&mut self) {
        self.goal = GoalView::new(self.session.goal(), self.now());
        let Some(goal) = &self.goal.known.snapshot else { return };
        let title = format!("This session has a goal, and it is {}.", goal.status.word());
        self.say(Severity::Info, &title, "/goal resume goes on, /goal cancel gives it up.");
    }

    /// The goal or the queue has changed.
    pub(super) fn goal_updated(&mut self, update: &GoalUpdate) {
        self.goal = GoalView::new(update.clone(), self.now());
        if let Some(Pane::Goals(picker)) = &mut self.pane {
            picker.set_goals(&update.upcoming);
        }
    }

    /// One row above the composer.
    pub(super) fn goal_row(&self, columns: u16) -> Option<Line<'static>> {
        let words = self.goal.words(self.now())?;
        let room = usize::from(columns).saturating_sub(6).max(1);
        Some(row::row([
            Span::styled("Goal", self.theme.style(Tone::Heading)),
            Span::styled(truncate(&format!(" · {words}"), room), row::trace(&self.theme)),
        ]))
    }

    /// A turn of the goal has ended: what waits goes into the next one.
    pub(super) fn feed_goal(&mut self) {
        let stopping = self.turn.as_ref().is_none_or(|turn| turn.cancelled);
        if !self.goal.is_active() || stopping {
            return;
        }
        while let Some(queued) = self.queue.pop_front() {
            // A command has a turn of its own, after the goal.
            if queued.command.is_some() || queued.input.text().starts_with('/') {
                self.queue.push_front(queued);
                return;
            }
            self.steer_with(queued);
        }
    }

    /// Carries out what needs no turn. True when that was all.
    pub(super) fn goal_command(&mut self, line: &str) -> Result<bool, TuiError> {
        let Some(arguments) = goal_arguments(line) else { return Ok(false) };
        let wanted = match parse_goal(arguments) {
            Ok(wanted) => wanted,
            Err(why) => {
                self.say(Severity::Warning, &why, "/goal <objective> starts one.");
                return Ok(true);
            }
        };
        match wanted {
            GoalWanted::Status => {
                let report = goal_report(&self.session.goal());
                let (title, body) = report.split_once('\n').unwrap_or((&report, ""));
                self.report(title, body.trim());
            }
            GoalWanted::Manage if self.goal.known.upcoming.is_empty() => {
                self.say(Severity::Info, "No goals wait.", "/goal next <objective> queues one.");
            }
            GoalWanted::Manage => {
                let picker = GoalPicker::new(&self.goal.known.upcoming);
                self.open_pane(Pane::Goals(picker))?;
            }
            GoalWanted::Pause if self.goal.is_active() => self.change_goal(GoalAct::Pause),
            GoalWanted::Cancel if self.goal.is_active() => {
                self.change_goal(GoalAct::Cancel);
                self.say(Severity::Info, "The goal is given up.", "");
            }
            GoalWanted::Next { objective } if self.busy() => {
                self.change_goal(GoalAct::Queue { objective });
                self.toast("goal", "queued: it begins when the goals before it are complete");
            }
            GoalWanted::Start { replace: true, .. } if self.goal.is_active() => {
                self.change_goal(GoalAct::Cancel);
                let mut queued = self.take_in_text(line.trim());
                // Nobody has to send it again when the turn that it stops has ended.
                queued.by_program = true;
                self.queue.push_front(queued);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn change_goal(&mut self, act: GoalAct) {
        self.session.submit(Op::Goal { act });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{GoalLimits, GoalUsed};

    fn view(status: GoalStatus, limits: GoalLimits) -> (GoalView, Instant) {
        let now = Instant::now();
        let snapshot = GoalSnapshot {
            goal_id: "g".to_owned(),
            objective: "make it\nfast\u{1b}[2J".to_owned(),
            completion_criterion: None,
            status,
            used: GoalUsed {
                turns_used: 4,
                tokens_used: 12_345,
                wall_clock_ms: 60_000,
                usd_used: 0.5,
                ..GoalUsed::default()
            },
            budget_limits: limits,
            terminal_reason: (status != GoalStatus::Active).then(|| "interrupted".to_owned()),
        };
        let known = GoalUpdate { snapshot: Some(snapshot), ..GoalUpdate::default() };
        (GoalView::new(known, now), now)
    }

    #[test]
    fn time_runs_on_while_it_is_active() {
        let limits = GoalLimits {
            turn_budget: Some(10),
            wall_clock_budget_ms: Some(1_200_000),
            usd_budget: Some(2.0),
            ..GoalLimits::default()
        };
        let (goal, now) = view(GoalStatus::Active, limits);
        let words = goal.words(now + Duration::from_secs(5)).unwrap();
        let wanted = "turn 4 of 10 · 12.3k tokens · 1m 05s of 20m 00s · $0.50 of $2.00 · make it";
        assert!(words.starts_with(wanted), "{words}");
        assert!(!words.contains(['\n', '\u{1b}']), "{words:?}");
        assert!(goal.is_active());
    }

    #[test]
    fn a_resting_goal_says_why_and_how_to_go_on() {
        let (goal, now) = view(GoalStatus::Paused, GoalLimits::default());
        let words = goal.words(now + Duration::from_secs(500)).unwrap();
        assert!(words.starts_with("paused: interrupted · /goal resume · make it"), "{words}");
        assert_eq!(goal.badge().as_deref(), Some("goal: paused"));
        assert!(!goal.is_active() && GoalView::default().words(now).is_none());
    }

    #[test]
    fn the_command_is_told_from_its_neighbours() {
        assert_eq!(goal_arguments(" /goal  pause "), Some("pause"));
        assert_eq!(goal_arguments("/goal"), Some(""));
        assert_eq!(goal_arguments("/goals x"), None);
        assert!(opens_goal_queue("/goal next manage") && !opens_goal_queue("/goal next x"));
    }
}
