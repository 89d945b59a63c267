//! The three calls by which cells reach Markdown and diff drawing.

use ratatui::style::Style;
use ratatui::text::Line;

use super::row;
use crate::front::tui::text::clean;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::DisplayBlock;

/// How Markdown looks: drawn, or as its source with styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkdownStyle {
    Rendered,
    Source,
}

/// An answer on its way from text to rows.
#[derive(Debug, Clone)]
pub struct MarkdownStream {
    pending: String,
    ended: bool,
}

impl MarkdownStream {
    pub fn new(_style: MarkdownStyle) -> Self {
        Self { pending: String::new(), ended: false }
    }

    /// Takes the next piece of text.
    pub fn push(&mut self, text: &str) {
        self.pending.push_str(text);
    }

    /// The rows that became final since the last call.
    pub fn commit(&mut self, columns: u16, _theme: &Theme) -> Vec<Line<'static>> {
        let end = if self.ended {
            self.pending.len()
        } else {
            self.pending.rfind('\n').map_or(0, |at| at + 1)
        };
        let text: String = self.pending.drain(..end).collect();
        if text.is_empty() {
            return Vec::new();
        }
        row::wrap_text(&clean(&text), Style::new(), columns.into())
    }

    /// The rows that are not final yet, at most the last `max_rows`.
    pub fn tail(&self, columns: u16, _theme: &Theme, max_rows: usize) -> Vec<Line<'static>> {
        row::tail_rows(&clean(&self.pending), Style::new(), columns.into(), max_rows).0
    }

    /// No more text comes: the next commit returns everything left.
    pub fn finish(&mut self) {
        self.ended = true;
    }
}

/// The diff blocks among `blocks` as rows, at most `max_rows` of them.
pub fn render_hunks(
    blocks: &[DisplayBlock],
    columns: u16,
    max_rows: Option<usize>,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for block in blocks {
        let DisplayBlock::Diff { old_text, new_text, .. } = block else { continue };
        for (mark, text, tone) in
            [("-", old_text, Tone::DiffRemoved), ("+", new_text, Tone::DiffAdded)]
        {
            for line in clean(text).lines() {
                rows.extend(row::wrap_text(
                    &format!("{mark} {line}"),
                    theme.style(tone),
                    columns.into(),
                ));
            }
        }
    }
    rows.truncate(max_rows.unwrap_or(usize::MAX));
    rows
}
