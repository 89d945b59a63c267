//! Turns of a goal, which nobody has written a message for, and what becomes of the goal.

use std::time::Instant;

use ratatui::text::{Line, Span};

use super::{Look, Transcript, Update};
use crate::agent::goal_spent;
use crate::front::tui::cells::{Severity, row};
use crate::protocol::{GoalStatus, GoalUpdate};

impl Transcript {
    /// The row in place of the user's words. `label` is as the record has it.
    pub(super) fn goal_turn(&mut self, label: &str, look: Look<'_>) -> Vec<Line<'static>> {
        self.answer_rows = 0;
        self.compact_command = false;
        self.past.note(label);
        let text = Span::styled(row::foreign_line(label), row::trace(look.theme));
        vec![row::row([text]), Line::default()]
    }

    /// Says that the goal has come to rest.
    pub(super) fn goal_updated(
        &mut self,
        update: &GoalUpdate,
        now: Instant,
        look: Look<'_>,
    ) -> Update {
        let Some(change) = &update.change else { return Update::default() };
        let reason = change.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let title = format!("Goal {}{reason}", change.status.word());
        let (severity, body) = match change.status {
            GoalStatus::Active => return Update::default(),
            GoalStatus::Complete => {
                (Severity::Info, update.snapshot.as_ref().map(goal_spent).unwrap_or_default())
            }
            GoalStatus::Paused | GoalStatus::Blocked => {
                (Severity::Warning, "/goal resume goes on, /goal cancel gives it up.".to_owned())
            }
        };
        let mut rows = self.close_open(now, look);
        rows.extend(self.say(severity, &title, &body, look.columns, look.theme));
        // A failed attempt takes back nothing from above this.
        self.attempt_rows = 0;
        Update::of(rows)
    }
}
