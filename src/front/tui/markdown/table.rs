//! Tables that fit the width.

use ratatui::text::{Line, Span};

use super::block::inline;
use crate::front::text::{line_width, wrap_line};
use crate::front::tui::theme::{Theme, Tone};

/// Between two columns.
const SEPARATOR: &str = " │ ";

/// The columns of a table are never narrower than this; before that the rows become blocks of
/// `Header: value` lines.
const MIN_COLUMN: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Center,
    Right,
}

/// The rows of a table: its source has a header, a delimiter row, and the body.
pub(super) fn render(source: &str, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = source.lines();
    let header = cells(lines.next().unwrap_or_default());
    let aligns: Vec<Align> =
        cells(lines.next().unwrap_or_default()).iter().map(|cell| align(cell)).collect();
    let body: Vec<Vec<Line<'static>>> = lines
        .map(|line| cells(line).iter().map(|cell| Line::from(inline(cell, theme))).collect())
        .collect();
    let header: Vec<Line<'static>> = header
        .iter()
        .map(|cell| {
            let mut spans = inline(cell, theme);
            for span in &mut spans {
                span.style = theme.style(Tone::Strong).patch(span.style);
            }
            Line::from(spans)
        })
        .collect();
    let count = body.iter().map(Vec::len).max().unwrap_or(0).max(header.len()).max(1);
    let mut widths = vec![1; count];
    for row in body.iter().chain([&header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = line_width(cell).clamp(*width, columns.max(*width));
        }
    }
    let Some(room) = columns.checked_sub(SEPARATOR.chars().count() * (count - 1)) else {
        return as_blocks(&header, &body, columns, theme);
    };
    if !fit(&mut widths, room) {
        return as_blocks(&header, &body, columns, theme);
    }
    let mut rows = Vec::new();
    let layout = Layout { widths: &widths, aligns: &aligns, theme };
    layout.row(&header, &mut rows);
    let dim = theme.style(Tone::Border);
    let rule: Vec<String> = widths.iter().map(|width| "┄".repeat(*width)).collect();
    rows.push(Line::from(Span::styled(rule.join("┄┼┄"), dim)));
    for row in &body {
        layout.row(row, &mut rows);
    }
    rows
}

/// The cells of a row: what stands between bars that are not escaped.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = vec![String::new()];
    let mut chars = row.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(cell) = cells.last_mut() else { break };
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                cell.push('|');
            }
            '|' => cells.push(String::new()),
            c => cell.push(c),
        }
    }
    if cells.len() > 1 && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    for cell in &mut cells {
        *cell = cell.trim().to_owned();
    }
    cells
}

fn align(delimiter: &str) -> Align {
    match (delimiter.starts_with(':'), delimiter.ends_with(':')) {
        (true, true) => Align::Center,
        (false, true) => Align::Right,
        _ => Align::Left,
    }
}

/// Narrows the widest columns until the sum fits into `room`; false when they get too narrow.
fn fit(widths: &mut [usize], room: usize) -> bool {
    let mut total: usize = widths.iter().sum();
    if total <= room {
        return true;
    }
    let least: usize = widths.iter().map(|width| (*width).min(MIN_COLUMN)).sum();
    if least > room {
        return false;
    }
    while total > room {
        let Some(widest) = widths.iter_mut().max() else { return false };
        *widest -= 1;
        total -= 1;
    }
    true
}

struct Layout<'a> {
    widths: &'a [usize],
    aligns: &'a [Align],
    theme: &'a Theme,
}

impl Layout<'_> {
    /// One row of cells, as many screen rows as its tallest cell has.
    fn row(&self, cells: &[Line<'static>], rows: &mut Vec<Line<'static>>) {
        let empty = Line::default();
        let wrapped: Vec<Vec<Line<'static>>> = self
            .widths
            .iter()
            .enumerate()
            .map(|(index, width)| wrap_line(cells.get(index).unwrap_or(&empty), *width, 0))
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut spans: Vec<Span<'static>> = Vec::new();
            for (index, (cell, width)) in wrapped.iter().zip(self.widths).enumerate() {
                if index > 0 {
                    spans.push(Span::styled(SEPARATOR, self.theme.style(Tone::Border)));
                }
                let line = cell.get(at).unwrap_or(&empty);
                let free = width.saturating_sub(line_width(line));
                let before = match self.aligns.get(index) {
                    Some(Align::Right) => free,
                    Some(Align::Center) => free / 2,
                    _ => 0,
                };
                let after = if index + 1 == self.widths.len() { 0 } else { free - before };
                let blanks = |count: usize| (count > 0).then(|| Span::raw(" ".repeat(count)));
                spans.extend(blanks(before));
                spans.extend(line.spans.iter().cloned());
                spans.extend(blanks(after));
            }
            rows.push(Line::from(spans));
        }
    }
}

/// Each row as lines of `Header: value`.
fn as_blocks(
    header: &[Line<'static>],
    body: &[Vec<Line<'static>>],
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    if body.is_empty() {
        rows.extend(header.iter().flat_map(|cell| wrap_line(cell, columns, 2)));
    }
    for (index, row) in body.iter().enumerate() {
        if index > 0 {
            rows.push(Line::default());
        }
        // Every name is said at least once; a short row does not repeat the rest of them.
        let cells = if index == 0 { row.len().max(header.len()) } else { row.len() };
        for at in 0..cells {
            let mut spans = Vec::new();
            if let Some(name) = header.get(at).filter(|name| !name.spans.is_empty()) {
                spans.extend(name.spans.iter().cloned());
                spans.push(Span::styled(": ", theme.style(Tone::Dim)));
            }
            spans.extend(row.get(at).into_iter().flat_map(|cell| cell.spans.iter().cloned()));
            rows.extend(wrap_line(&Line::from(spans), columns, 2));
        }
    }
    rows
}
