//! The three calls by which cells reach Markdown and diff drawing.

use ratatui::style::Style;
use ratatui::text::Line;

use super::row;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::DisplayBlock;

/// How Markdown looks: drawn, or as its source with styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkdownStyle {
    Rendered,
    Source,
}

/// An answer on its way from text to rows.
#[derive(Clone)]
pub struct MarkdownStream {
    pending: String,
}

impl MarkdownStream {
    /// An empty stream.
    pub fn new(_style: MarkdownStyle) -> Self {
        Self { pending: String::new() }
    }

    /// Takes the next piece of text.
    pub fn push(&mut self, text: &str) {
        self.pending.push_str(text);
    }

    /// The rows that became final since the last call.
    pub fn commit(&mut self, columns: usize, _theme: &Theme) -> Vec<Line<'static>> {
        let end = self.pending.rfind('\n').map_or(0, |at| at + 1);
        rows(&self.pending.drain(..end).collect::<String>(), columns)
    }

    /// The rows that are not final yet, at most the last `max_rows`.
    pub fn tail(&mut self, columns: usize, _theme: &Theme, max_rows: usize) -> Vec<Line<'static>> {
        let mut rows = rows(&self.pending, columns);
        rows.drain(..rows.len().saturating_sub(max_rows));
        rows
    }

    /// The rest of the rows.
    pub fn finish(&mut self, columns: usize, _theme: &Theme) -> Vec<Line<'static>> {
        rows(&std::mem::take(&mut self.pending), columns)
    }
}

fn rows(text: &str, columns: usize) -> Vec<Line<'static>> {
    text.split_inclusive('\n')
        .flat_map(|line| match row::foreign(line).trim_end_matches('\n') {
            "" => vec![Line::default()],
            line => row::wrap_text(line, Style::new(), columns),
        })
        .collect()
}

/// The diff blocks among `blocks` as rows, at most `max_rows` of them.
pub fn render_hunks(
    blocks: &[DisplayBlock],
    columns: usize,
    max_rows: Option<usize>,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for block in blocks {
        let DisplayBlock::Diff { old_text, new_text, .. } = block else { continue };
        for (mark, text, tone) in
            [("-", old_text, Tone::DiffRemoved), ("+", new_text, Tone::DiffAdded)]
        {
            for line in row::foreign(text).lines() {
                let line = format!("{mark} {line}");
                rows.extend(row::wrap_text(&line, theme.style(tone), columns));
            }
        }
    }
    rows.truncate(max_rows.unwrap_or(usize::MAX));
    rows
}
