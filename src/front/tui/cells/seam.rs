//! The three calls by which cells reach Markdown and diff drawing.

use ratatui::text::Line;

use super::row;
use crate::front::tui::text::clean;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::DisplayBlock;

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
