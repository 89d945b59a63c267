//! A plan as Markdown, in the transcript and in the dialog that asks about it.

use ratatui::text::{Line, Span};

use super::row;
use crate::front::text::{defuse_line, truncate_middle};
use crate::front::tui::markdown::{MarkdownStyle, render};
use crate::front::tui::theme::{Theme, Tone};

/// Columns before the text of a plan.
const INDENT: usize = 3;

/// The row above a plan, with the name of its file.
pub fn plan_title(file: &str, room: usize, theme: &Theme) -> Vec<Span<'static>> {
    let title = Span::styled("◇ Plan", theme.style(Tone::BadgePlan));
    let room = room.saturating_sub("◇ Plan  ".len());
    let file = truncate_middle(&row::foreign_line(file), room);
    vec![title, Span::raw("  "), Span::styled(file, theme.style(Tone::Dim))]
}

/// The rows of a plan's text.
pub fn plan_body(
    content: &str,
    style: MarkdownStyle,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let rows = render(content.trim(), style, columns.saturating_sub(INDENT).max(1), theme);
    rows.into_iter()
        .map(|line| {
            if line.spans.iter().all(|span| span.content.trim().is_empty()) {
                return row::row([]);
            }
            let whole = line.style;
            let spans = defuse_line(line).spans.into_iter().map(|span| {
                let style = whole.patch(span.style);
                span.style(style)
            });
            row::row(std::iter::once(Span::raw("  ")).chain(spans))
        })
        .collect()
}

/// The whole cell of the transcript.
pub fn plan_rows(
    content: &str,
    file: &str,
    style: MarkdownStyle,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let columns = usize::from(columns);
    let mut rows = vec![row::row(plan_title(file, columns.saturating_sub(1), theme))];
    rows.extend(plan_body(content, style, columns, theme));
    rows
}
