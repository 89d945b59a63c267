//! Building rows: the leading blank, wrapping, previews of a bounded number of rows.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::front::text::{
    clean, clean_line, defuse, defuse_line, line_width, prose, truncate, visible, visible_line,
    width, wrap_line,
};
use crate::front::tui::theme::{Theme, Tone};

/// What a process printed, as a terminal shows it: nothing in it reaches the terminal but letters,
/// nothing in it looks like our own marks to a program that reads the screen.
pub fn foreign(text: &str) -> String {
    defuse(&clean(text))
}

/// [`foreign`], on one line.
pub fn foreign_line(text: &str) -> String {
    defuse(&clean_line(text))
}

/// Somebody's content or what somebody consents to (a command, a file, an argument, a question):
/// control characters are written out, never carried out. Harmless as [`foreign`] is.
pub fn shown(text: &str) -> String {
    defuse(&visible(text))
}

/// [`shown`], on one line.
pub fn shown_line(text: &str) -> String {
    defuse(&visible_line(text))
}

/// What a model thinks or says outside an answer: no letter of it is lost. Harmless as [`foreign`].
pub fn said(text: &str) -> String {
    defuse(&prose(text))
}

/// The style of one-line traces of work: the colour of thinking and nothing else. No attribute may
/// change in front of the bullet but the foreground, or readers miss that the row is a trace.
pub fn trace(theme: &Theme) -> Style {
    Style { fg: theme.style(Tone::Thinking).fg, ..Style::new() }
}

/// The style of streamed thinking: [`trace`] in italics.
pub fn thought(theme: &Theme) -> Style {
    trace(theme).add_modifier(Modifier::ITALIC)
}

/// A row of `spans` after one blank in default attributes.
pub fn row(spans: impl IntoIterator<Item = Span<'static>>) -> Line<'static> {
    std::iter::once(Span::raw(" ")).chain(spans).collect::<Vec<_>>().into()
}

/// `line` after `prefix`.
pub fn prefixed(prefix: Span<'static>, line: Line<'static>) -> Line<'static> {
    std::iter::once(prefix).chain(line.spans).collect::<Vec<_>>().into()
}

/// Clean text in one style, wrapped to `columns`. A final newline adds no row.
pub fn wrap_text(text: &str, style: Style, columns: usize) -> Vec<Line<'static>> {
    logical_lines(text).flat_map(|line| wrap_one(line, style, columns)).collect()
}

/// Foreign text cleaned and wrapped after one blank; rows after the first are indented by `hang`
/// more. No row begins like a spinner or a rule, wherever it was broken.
pub fn paragraph(text: &str, style: Style, columns: usize, hang: usize) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(1).max(1);
    let text = foreign(text);
    let mut rows = Vec::new();
    for line in logical_lines(&text) {
        let line = Line::from(Span::styled(line.to_owned(), style));
        for wrapped in wrap_line(&line, room, hang.min(room / 2)) {
            rows.push(defuse_line(row(wrapped.spans)));
        }
    }
    rows
}

/// The first `max_rows` rows of clean text, and how many lines did not fit (a line cut in its
/// middle counts).
pub fn head_rows(
    text: &str,
    style: Style,
    columns: usize,
    max_rows: usize,
) -> (Vec<Line<'static>>, usize) {
    let mut rows = Vec::new();
    let mut lines = logical_lines(text);
    while rows.len() < max_rows {
        let Some(line) = lines.next() else { return (rows, 0) };
        let room = max_rows - rows.len();
        let (part, cut) = first_chars(line, budget(columns, room));
        let mut wrapped = wrap_one(part, style, columns);
        let cut = cut || wrapped.len() > room;
        wrapped.truncate(room);
        rows.append(&mut wrapped);
        if cut {
            return (rows, 1 + lines.count());
        }
    }
    (rows, lines.count())
}

/// The last `max_rows` rows of clean text, and how many lines came before them (a line cut in its
/// middle counts).
pub fn tail_rows(
    text: &str,
    style: Style,
    columns: usize,
    max_rows: usize,
) -> (Vec<Line<'static>>, usize) {
    let mut chunks = Vec::new();
    let mut used = 0;
    let mut lines = logical_lines(text).rev();
    while used < max_rows {
        let Some(line) = lines.next() else { break };
        let room = max_rows - used;
        let (part, cut) = last_chars(line, budget(columns, room));
        let mut wrapped = wrap_one(part, style, columns);
        let cut = cut || wrapped.len() > room;
        wrapped.drain(..wrapped.len().saturating_sub(room));
        used += wrapped.len();
        chunks.push(wrapped);
        if cut {
            let hidden = 1 + lines.count();
            return (chunks.into_iter().rev().flatten().collect(), hidden);
        }
    }
    let hidden = lines.count();
    (chunks.into_iter().rev().flatten().collect(), hidden)
}

/// `line`, cut off at `columns` where it is wider.
pub fn clipped(line: Line<'static>, columns: usize) -> Line<'static> {
    if line_width(&line) <= columns {
        return line;
    }
    let mut left = columns;
    let mut spans = Vec::new();
    for span in line.spans {
        let text = truncate(&span.content, left);
        left = left.saturating_sub(width(&text));
        spans.push(Span::styled(text, span.style));
    }
    Line::from(spans).style(line.style)
}

/// `1 line`, `12 lines`.
pub fn lines_word(n: usize) -> String {
    if n == 1 { "1 line".to_owned() } else { format!("{n} lines") }
}

/// `… 1 more line`, `… 12 more lines`.
pub fn more_lines(n: usize) -> String {
    if n == 1 { "… 1 more line".to_owned() } else { format!("… {n} more lines") }
}

/// Lines of a text, of which a final newline ends the last one.
pub fn logical_lines(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let none = text.is_empty();
    text.split('\n').filter(move |_| !none)
}

fn wrap_one(line: &str, style: Style, columns: usize) -> Vec<Line<'static>> {
    wrap_line(&Line::from(Span::styled(line.to_owned(), style)), columns.max(1), 0)
}

/// More characters than fit into so many cells, but not without bound: characters may be of width
/// zero, and a hostile line may hold millions of them.
fn budget(columns: usize, rows: usize) -> usize {
    columns.saturating_add(1).saturating_mul(rows.saturating_add(1)).saturating_mul(2)
}

fn first_chars(text: &str, n: usize) -> (&str, bool) {
    match text.char_indices().nth(n) {
        Some((at, _)) => (text.get(..at).unwrap_or(text), true),
        None => (text, false),
    }
}

fn last_chars(text: &str, n: usize) -> (&str, bool) {
    match text.char_indices().rev().nth(n) {
        Some((at, c)) => (text.get(at + c.len_utf8()..).unwrap_or(text), true),
        None => (text, false),
    }
}
