//! What a running tool prints, kept short.

use std::collections::VecDeque;

use ratatui::style::Style;
use ratatui::text::Line;

use crate::front::tui::cells::row;

/// Lines kept: more than any view shows.
const MAX_LINES: usize = 64;
/// Bytes of one line kept: its end.
const MAX_LINE: usize = 8 * 1024;

/// The last lines of an output that is still being written. Whole lines are cleaned once, when
/// they are complete, so that an escape sequence torn between two pieces is still removed.
#[derive(Debug, Clone, Default)]
pub struct LiveOutput {
    lines: VecDeque<String>,
    dropped: usize,
    partial: String,
}

impl LiveOutput {
    /// The next piece.
    pub fn push(&mut self, text: &str) {
        let mut pieces = text.split('\n');
        if let Some(first) = pieces.next() {
            self.extend_partial(first);
        }
        for piece in pieces {
            let line = std::mem::take(&mut self.partial);
            self.lines.push_back(row::foreign(&line));
            if self.lines.len() > MAX_LINES {
                self.lines.pop_front();
                self.dropped += 1;
            }
            self.extend_partial(piece);
        }
    }

    /// The last `max_rows` rows, and how many lines came before them.
    pub fn tail_rows(
        &self,
        style: Style,
        columns: usize,
        max_rows: usize,
    ) -> (Vec<Line<'static>>, usize) {
        let (rows, hidden) = row::tail_rows(&self.text(), style, columns, max_rows);
        (rows, hidden + self.dropped)
    }

    /// What is kept, as text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(&row::foreign(&self.partial));
        out
    }

    fn extend_partial(&mut self, piece: &str) {
        self.partial.push_str(piece);
        if self.partial.len() > MAX_LINE * 2 {
            let mut start = self.partial.len() - MAX_LINE;
            while !self.partial.is_char_boundary(start) {
                start += 1;
            }
            self.partial.drain(..start);
        }
    }
}
