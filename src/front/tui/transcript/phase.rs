//! What the program is doing right now.

use std::time::{Duration, Instant};

use ratatui::text::Line;

use super::Transcript;
use crate::front::text::{clean_line, truncate};
use crate::front::tui::cells::retry_row;
use crate::front::tui::theme::Theme;

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

impl Transcript {
    /// What the program is doing, for the spinner row, and the rows that go below it.
    pub fn phase(&self, now: Instant, columns: u16, max_rows: usize, theme: &Theme) -> Phase {
        if let Some(retry) = &self.retry {
            // Rounded up: it counts down to the moment of the next attempt.
            let left = retry.until.saturating_duration_since(now) + Duration::from_millis(999);
            return Phase {
                words: "Retrying…".to_owned(),
                rows: retry_row(
                    &retry.error_type,
                    retry.status,
                    retry.attempt,
                    retry.max_attempts,
                    left,
                    columns,
                    theme,
                ),
            };
        }
        if let Some(words) = self.hooks.words(now) {
            return Phase { words, rows: Vec::new() };
        }
        if self.compacting.is_some() {
            return Phase { words: "Compacting…".to_owned(), rows: Vec::new() };
        }
        if let Some(thinking) = &self.thinking {
            let max_rows = if self.shows_thinking { max_rows } else { 0 };
            return Phase {
                words: "Thinking…".to_owned(),
                rows: thinking.cell.live_rows(columns, max_rows, theme),
            };
        }
        if !self.calls.is_empty() {
            return self.calls_phase(now, columns, max_rows, theme);
        }
        let words = if self.answer.is_some() { "Writing…" } else { "Working…" };
        Phase { words: words.to_owned(), rows: Vec::new() }
    }

    /// The same as a word for programs.
    pub fn activity(&self) -> Activity<'_> {
        if self.retry.is_some() {
            return Activity::Retry;
        }
        if self.compacting.is_some() {
            return Activity::Compact;
        }
        match (self.thinking.is_some(), self.calls.as_slice(), self.answer.is_some()) {
            (true, ..) => Activity::Think,
            (_, [call], _) => Activity::Tool(&call.name),
            (_, [_, _, ..], _) => Activity::Tools(self.calls.len()),
            (_, [], true) => Activity::Write,
            (_, [], false) => Activity::Work,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::tui::markdown::MarkdownStyle;
    use crate::protocol::{ContentPart, Event};

    #[test]
    fn thinking_is_told_but_not_shown_where_that_is_switched_off() {
        for (shown, rows) in [(true, 1), (false, 0)] {
            let theme = Theme::dark();
            let mut transcript =
                Transcript::new(MarkdownStyle::Rendered, "/w".into(), "u@w💫".to_owned())
                    .with_thinking(shown);
            let now = Instant::now();
            let thought = Event::ContentPart(ContentPart::think("a secret plan"));
            transcript.event(&thought, now, "12:00", 80, &theme);
            let phase = transcript.phase(now, 80, 6, &theme);
            assert_eq!((phase.words.as_str(), phase.rows.len()), ("Thinking…", rows));
        }
    }
}
