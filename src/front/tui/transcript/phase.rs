//! What the program is doing right now.

use ratatui::text::Line;

use crate::front::tui::text::{clean_line, truncate};

/// Widest name of a tool that is told: names come from the model.
const TOOL_NAME: usize = 64;

/// What the spinner row says, and the rows below it: the current thought, a tool's last output.
#[derive(Debug, Clone, Default)]
pub struct Phase {
    pub words: String,
    pub rows: Vec<Line<'static>>,
}

/// What the program is doing, for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity<'a> {
    Think,
    Write,
    /// One call runs, of the tool of this name.
    Tool(&'a str),
    /// So many calls run.
    Tools(usize),
    Retry,
    Compact,
    /// Anything else, such as waiting for the first word of the model.
    Work,
}

impl std::fmt::Display for Activity<'_> {
    /// The word as protocol::control has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Think => f.write_str("think"),
            Self::Write => f.write_str("write"),
            Self::Tool(name) => write!(f, "tool:{}", truncate(&clean_line(name), TOOL_NAME)),
            Self::Tools(count) => write!(f, "tools:{count}"),
            Self::Retry => f.write_str("retry"),
            Self::Compact => f.write_str("compact"),
            Self::Work => f.write_str("work"),
        }
    }
}
