//! Reading long things: scrolling and searching.
//!
//! Lines are wrapped when they are shown, never all of them: opening a hundred thousand lines costs
//! as much as opening ten.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{Overlay, OverlayReply};
use crate::front::text::{truncate, wrap_line};
use crate::front::tui::cells::row;
use crate::front::tui::dialogs::Field;
use crate::front::tui::theme::{Theme, Tone};

/// Longer lines are shown as several, so that drawing a page never wraps more than a page needs.
const MAX_LINE: usize = 4096;

/// A place in the text: a line and a row of it as it is wrapped now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    row: usize,
}

/// A pager over lines.
#[derive(Debug, Clone)]
pub struct Pager {
    title: String,
    lines: Vec<Line<'static>>,
    top: Place,
    /// The last page is shown, and goes on being shown when lines are added.
    at_end: bool,
    /// The search text while it is typed.
    prompt: Option<Field>,
    pattern: String,
    message: Option<&'static str>,
}

impl Pager {
    /// Over styled lines that are already clean.
    pub fn new(title: &str, lines: Vec<Line<'static>>) -> Self {
        Self {
            title: row::foreign_line(title),
            lines: lines.into_iter().flat_map(split_long).collect(),
            top: Place { line: 0, row: 0 },
            at_end: false,
            prompt: None,
            pattern: String::new(),
            message: None,
        }
    }

    /// Other lines; the place, the search and what is being typed stay.
    pub fn set_lines(&mut self, lines: Vec<Line<'static>>) {
        self.lines = lines.into_iter().flat_map(split_long).collect();
    }

    /// Over other lines, at the same place; at the end when it was there.
    pub fn refill(&mut self, lines: Vec<Line<'static>>) {
        let at_end = self.at_end;
        self.set_lines(lines);
        if at_end {
            // What is too far down is shown as the last page.
            self.top = Place { line: self.lines.len().saturating_sub(1), row: 0 };
        }
    }

    fn page(size: Size) -> usize {
        usize::from(size.height).saturating_sub(2).max(1)
    }

    fn wrapped(&self, line: usize, columns: u16) -> Vec<Line<'static>> {
        self.lines
            .get(line)
            .map(|line| {
                let columns = usize::from(columns).saturating_sub(1).max(1);
                wrap_line(line, columns, hang(line).min(columns / 2))
            })
            .unwrap_or_default()
    }

    fn down(&self, from: Place, rows: usize, columns: u16) -> Place {
        let mut place = from;
        let mut left = rows;
        loop {
            let after = self.wrapped(place.line, columns).len().saturating_sub(place.row + 1);
            if left <= after {
                return Place { line: place.line, row: place.row + left };
            }
            if place.line + 1 >= self.lines.len() {
                return Place { line: place.line, row: place.row + after };
            }
            left -= after + 1;
            place = Place { line: place.line + 1, row: 0 };
        }
    }

    fn up(&self, from: Place, rows: usize, columns: u16) -> Place {
        let mut place = from;
        let mut left = rows;
        while left > place.row {
            let Some(line) = place.line.checked_sub(1) else { return Place { line: 0, row: 0 } };
            left -= place.row + 1;
            place = Place { line, row: self.wrapped(line, columns).len().saturating_sub(1) };
        }
        Place { line: place.line, row: place.row - left }
    }

    /// The top of the last full page.
    fn last_top(&self, size: Size) -> Place {
        let last = self.lines.len().saturating_sub(1);
        let end = Place { line: last, row: self.wrapped(last, size.width).len().saturating_sub(1) };
        self.up(end, Self::page(size) - 1, size.width)
    }

    fn clamped(&self, place: Place, size: Size) -> Place {
        let rows = self.wrapped(place.line, size.width).len();
        let place = Place { row: place.row.min(rows.saturating_sub(1)), ..place };
        place.min(self.last_top(size))
    }

    fn scroll(&mut self, by: isize, size: Size) -> OverlayReply {
        let rows = by.unsigned_abs();
        let to = if by < 0 {
            self.up(self.top, rows, size.width)
        } else {
            self.down(self.top, rows, size.width)
        };
        self.jump(to, size)
    }

    fn jump(&mut self, to: Place, size: Size) -> OverlayReply {
        self.top = self.clamped(to, size);
        self.at_end = self.top >= self.last_top(size);
        OverlayReply::Redraw
    }

    /// Goes to the next line that holds the pattern, in either direction, around the end.
    fn search(&mut self, forward: bool, size: Size) -> OverlayReply {
        let n = self.lines.len();
        if self.pattern.is_empty() || n == 0 {
            return OverlayReply::Ignored;
        }
        let step = |i: usize| if forward { self.top.line + i } else { self.top.line + n - i };
        let found = (1..=n).map(|i| step(i) % n).find(|at| self.holds(*at));
        match found {
            Some(line) => {
                self.message = None;
                self.jump(Place { line, row: 0 }, size)
            }
            None => {
                self.message = Some("not found");
                OverlayReply::Redraw
            }
        }
    }

    fn holds(&self, line: usize) -> bool {
        self.lines.get(line).is_some_and(|line| !hits(&text_of(line), &self.pattern).is_empty())
    }

    fn type_search(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        let Some(field) = &mut self.prompt else { return OverlayReply::Ignored };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => {
                if !field.text().is_empty() {
                    self.pattern = field.text().to_owned();
                }
                self.prompt = None;
                // The first hit may be on the top line itself.
                if self.holds(self.top.line) {
                    return OverlayReply::Redraw;
                }
                self.search(true, size);
            }
            KeyCode::Esc => self.prompt = None,
            KeyCode::Char('c') if control => self.prompt = None,
            _ if field.key(key) => {}
            _ => return OverlayReply::Ignored,
        }
        OverlayReply::Redraw
    }

    fn status(&self, size: Size, theme: &Theme) -> Line<'static> {
        let room = usize::from(size.width).saturating_sub(1);
        if let Some(field) = &self.prompt {
            let (text, _) = field.view(room.saturating_sub(2));
            return row::row([Span::styled(format!("/{text}█"), theme.style(Tone::Accent))]);
        }
        let end = self.down(self.top, Self::page(size) - 1, size.width);
        let shown = (end.line + 1).min(self.lines.len());
        let total = self.lines.len();
        let mut text = format!("{shown}/{total}");
        if let Some(message) = self.message {
            text.push_str(&format!(" · {message}: {}", row::foreign_line(&self.pattern)));
        }
        text.push_str(" · / search");
        if !self.pattern.is_empty() {
            text.push_str(" · n N next");
        }
        text.push_str(" · q close · ↑↓ space b g G");
        row::row([Span::styled(truncate(&text, room), theme.style(Tone::Status))])
    }
}

impl Overlay for Pager {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if key.kind == KeyEventKind::Release {
            return OverlayReply::Ignored;
        }
        if self.prompt.is_some() {
            return self.type_search(key, size);
        }
        self.message = None;
        let page = Self::page(size) as isize;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => OverlayReply::Close,
            KeyCode::Char('c') if control => OverlayReply::Close,
            KeyCode::Char('d') if control => self.scroll(page / 2, size),
            KeyCode::Char('u') if control => self.scroll(-(page / 2), size),
            KeyCode::Char('f') if control => self.scroll(page, size),
            KeyCode::Char('b') if control => self.scroll(-page, size),
            KeyCode::Char('n') if control => self.scroll(1, size),
            KeyCode::Char('p') if control => self.scroll(-1, size),
            _ if control => OverlayReply::Ignored,
            KeyCode::Char('q') => OverlayReply::Close,
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1, size),
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Enter => self.scroll(1, size),
            KeyCode::PageUp | KeyCode::Char('b') => self.scroll(-page, size),
            KeyCode::PageDown | KeyCode::Char(' ' | 'f') => self.scroll(page, size),
            KeyCode::Home | KeyCode::Char('g') => self.jump(Place { line: 0, row: 0 }, size),
            KeyCode::End | KeyCode::Char('G') => self.jump(self.last_top(size), size),
            KeyCode::Char('/') => {
                self.prompt = Some(Field::default());
                OverlayReply::Redraw
            }
            KeyCode::Char('n') => self.search(true, size),
            KeyCode::Char('N') => self.search(false, size),
            _ => OverlayReply::Ignored,
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        match &mut self.prompt {
            Some(field) => {
                field.insert(text);
                OverlayReply::Redraw
            }
            None => OverlayReply::Ignored,
        }
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        let height = usize::from(size.height);
        let room = usize::from(size.width).saturating_sub(1);
        let mut rows = Vec::with_capacity(height);
        let title = truncate(&self.title, room);
        rows.push(row::row([Span::styled(title, theme.style(Tone::Heading))]));
        let top = self.clamped(self.top, size);
        let mut line = top.line;
        let mut skip = top.row;
        while rows.len() < 1 + Self::page(size) && line < self.lines.len() {
            for wrapped in self.wrapped(line, size.width).into_iter().skip(skip) {
                rows.push(row::row(marked(wrapped, &self.pattern, theme).spans));
            }
            skip = 0;
            line += 1;
        }
        rows.resize(1 + Self::page(size), Line::default());
        rows.push(self.status(size, theme));
        rows.truncate(height);
        rows
    }
}

/// A line in pieces of bounded length.
fn split_long(line: Line<'static>) -> Vec<Line<'static>> {
    let style = line.style;
    let length: usize = line.spans.iter().map(|span| span.content.len()).sum();
    let mut out = Vec::with_capacity(1 + length / MAX_LINE);
    let mut spans = Vec::new();
    let mut used = 0;
    for span in line.spans {
        let style = style.patch(span.style);
        let mut rest = span.content.as_ref();
        while used + rest.len() > MAX_LINE {
            let mut at = MAX_LINE - used;
            while !rest.is_char_boundary(at) {
                at += 1;
            }
            let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            spans.push(Span::styled(head.to_owned(), style));
            out.push(Line::from(std::mem::take(&mut spans)));
            rest = tail;
            used = 0;
        }
        used += rest.len();
        spans.push(Span::styled(rest.to_owned(), style));
    }
    out.push(Line::from(spans));
    out
}

/// Columns by which the further rows of a line are set in: a little more than its first one.
fn hang(line: &Line<'_>) -> usize {
    let mut blanks = 0;
    for span in &line.spans {
        let text = span.content.trim_start_matches(' ');
        blanks += span.content.len() - text.len();
        if !text.is_empty() {
            break;
        }
    }
    if blanks == 0 { 0 } else { blanks + 2 }
}

fn text_of(line: &Line<'_>) -> String {
    line.spans.iter().map(|span| span.content.as_ref()).collect()
}

/// Byte ranges of the pattern in a text. A pattern without capitals finds both cases.
fn hits(text: &str, pattern: &str) -> Vec<(usize, usize)> {
    if pattern.is_empty() {
        return Vec::new();
    }
    if pattern.chars().any(char::is_uppercase) {
        return text.match_indices(pattern).map(|(at, hit)| (at, at + hit.len())).collect();
    }
    // Only ASCII changes its case here, so that the places stay those of the text.
    let lower = text.to_ascii_lowercase();
    lower.match_indices(pattern).map(|(at, hit)| (at, at + hit.len())).collect()
}

/// A row with the hits of the search in it marked.
fn marked(line: Line<'static>, pattern: &str, theme: &Theme) -> Line<'static> {
    let hits = hits(&text_of(&line), pattern);
    if hits.is_empty() {
        return line;
    }
    let style = theme.style(Tone::Selected).add_modifier(ratatui::style::Modifier::REVERSED);
    let mut spans = Vec::new();
    let mut start = 0;
    for span in line.spans {
        let end = start + span.content.len();
        let mut at = start;
        let mut piece = |from: usize, to: usize, hit: bool| {
            if let Some(text) = span.content.get(from - start..to - start)
                && !text.is_empty()
            {
                let style = if hit { span.style.patch(style) } else { span.style };
                spans.push(Span::styled(text.to_owned(), style));
            }
        };
        for (from, to) in hits.iter().filter(|(from, to)| *from < end && *to > start) {
            let (from, to) = ((*from).max(at), (*to).min(end));
            piece(at, from, false);
            piece(from, to, true);
            at = to;
        }
        piece(at, end, false);
        start = end;
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests;
