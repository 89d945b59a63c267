//! What the program is doing right now.

use ratatui::text::Line;

/// What the spinner row says, and the rows below it: the current thought, a tool's last output.
#[derive(Debug, Clone, Default)]
pub struct Phase {
    pub words: String,
    pub rows: Vec<Line<'static>>,
}
