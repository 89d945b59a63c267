//! A plan in the transcript.

use ratatui::text::Line;

use super::{Look, Transcript};
use crate::front::tui::cells::plan_rows;

impl Transcript {
    /// Puts the plan that was decided on among the final rows.
    pub(super) fn close_plan(&mut self, look: Look<'_>) -> Vec<Line<'static>> {
        let Some((content, file)) = self.plan.take() else { return Vec::new() };
        let mut rows = plan_rows(&content, &file, self.style, look.columns, look.theme);
        rows.push(Line::default());
        self.past.note(&format!("Plan {file}\n{content}"));
        rows
    }
}
