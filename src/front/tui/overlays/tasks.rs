//! The background tasks: a live list, what is known of the chosen one, the end of its output.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{Overlay, OverlayReply, Pager};
use crate::front::text::{line_width, truncate, width};
use crate::front::tui::cells::row;
use crate::front::tui::theme::{Theme, Tone};

/// Below this there is no room for three panes.
const LEAST: Size = Size { width: 48, height: 10 };
/// Ticks after which a question that nobody answers is taken back.
const CONFIRM_TICKS: u8 = 5;
/// Rows of facts at most.
const FACT_ROWS: usize = 7;

/// A task as the browser shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskItem {
    pub id: String,
    pub active: bool,
    /// Its status, and for how long it has run.
    pub status: String,
    pub description: String,
    /// What else is known, name and value.
    pub facts: Vec<(&'static str, String)>,
}

/// The browser.
#[derive(Debug, Clone)]
pub struct TaskBrowser {
    items: Vec<TaskItem>,
    /// The id of the marked task.
    marked: Option<String>,
    /// Also those that are over.
    all: bool,
    /// Whose output it is, and the lines.
    output: (String, Vec<String>),
    /// Ticks left to answer whether the marked task shall stop.
    confirm: Option<u8>,
    /// The output alone.
    full: Option<Pager>,
}

impl TaskBrowser {
    /// Over these tasks, the newest first. With `marked` its output is what was asked for.
    pub fn new(items: Vec<TaskItem>, marked: Option<String>) -> Self {
        let all = marked.is_some() || !items.iter().any(|item| item.active);
        let mut browser =
            Self { items, marked, all, output: Default::default(), confirm: None, full: None };
        browser.settle();
        browser
    }

    /// The tasks as they are now.
    pub fn set_items(&mut self, items: Vec<TaskItem>) {
        self.items = items;
        self.settle();
    }

    /// The end of a task's output; one that is not marked any more is passed over.
    pub fn set_output(&mut self, id: &str, text: &str) {
        if self.marked.as_deref() != Some(id) {
            return;
        }
        let lines: Vec<String> = row::foreign(text).lines().map(str::to_owned).collect();
        if let Some(pager) = &mut self.full {
            pager.refill(plain(&lines));
        }
        self.output = (id.to_owned(), lines);
    }

    /// The id of the marked task.
    pub fn marked(&self) -> Option<&str> {
        self.marked.as_deref()
    }

    /// A second has passed.
    pub fn tick(&mut self) {
        self.confirm = self.confirm.and_then(|left| left.checked_sub(1)).filter(|left| *left > 0);
    }

    fn shown(&self) -> impl Iterator<Item = &TaskItem> {
        self.items.iter().filter(|item| self.all || item.active)
    }

    fn item(&self) -> Option<&TaskItem> {
        self.shown().find(|item| Some(item.id.as_str()) == self.marked.as_deref())
    }

    /// The mark is on something that is shown.
    fn settle(&mut self) {
        if self.item().is_none() {
            // What is looked at stays, also when it has just ended.
            let known = |id: &String| self.items.iter().any(|item| item.id == *id);
            if self.marked.as_ref().is_some_and(known) {
                self.all = true;
            } else {
                self.mark_first();
            }
        }
    }

    fn mark_first(&mut self) {
        let first = self.shown().next().map(|item| item.id.clone());
        self.marked = first;
    }

    fn step(&mut self, by: isize) -> OverlayReply {
        let ids: Vec<String> = self.shown().map(|item| item.id.clone()).collect();
        let at = ids.iter().position(|id| Some(id) == self.marked.as_ref()).unwrap_or_default();
        let to = at.saturating_add_signed(by).min(ids.len().saturating_sub(1));
        self.marked = ids.get(to).cloned();
        self.look()
    }

    /// The output of the marked task is wanted.
    fn look(&mut self) -> OverlayReply {
        match &self.marked {
            Some(id) => OverlayReply::LookAtTask(id.clone()),
            None => OverlayReply::Redraw,
        }
    }

    fn open_output(&mut self, size: Size) -> OverlayReply {
        let Some(item) = self.item() else { return OverlayReply::Ignored };
        let title = format!("{} · {}", item.id, item.description);
        let lines = if self.output.0 == item.id { plain(&self.output.1) } else { Vec::new() };
        let mut pager = Pager::new(&title, lines);
        pager.key(KeyCode::End.into(), size);
        self.full = Some(pager);
        self.look()
    }

    fn list_rows(&self, columns: usize, height: usize, theme: &Theme) -> Vec<Line<'static>> {
        let items: Vec<&TaskItem> = self.shown().collect();
        let marked = self.marked.as_deref();
        let at = items.iter().position(|item| Some(item.id.as_str()) == marked).unwrap_or_default();
        let fit = (height / 2).max(1);
        let from = at.saturating_sub(fit.saturating_sub(1));
        let mut rows = Vec::new();
        if items.is_empty() {
            let text = if self.all { "No tasks yet" } else { "None runs. Tab shows all" };
            let text = truncate(text, columns);
            rows.push(Line::from(Span::styled(text, theme.style(Tone::Dim))));
        }
        for item in items.into_iter().skip(from).take(fit) {
            let chosen = Some(item.id.as_str()) == marked;
            let tone = if chosen { Tone::Accent } else { Tone::Text };
            let mark = if chosen { "❯ " } else { "  " };
            let text = row::foreign_line(&item.description);
            let text = truncate(&format!("{mark}{text}"), columns);
            rows.push(Line::from(Span::styled(text, theme.style(tone))));
            let text = truncate(&format!("    {} · {}", item.id, item.status), columns);
            rows.push(Line::from(Span::styled(text, theme.style(Tone::Dim))));
        }
        rows
    }

    fn detail_rows(&self, columns: usize, height: usize, theme: &Theme) -> Vec<Line<'static>> {
        let Some(item) = self.item() else { return Vec::new() };
        let mut rows: Vec<Line<'static>> = item
            .facts
            .iter()
            .take(FACT_ROWS.min(height / 2))
            .map(|(name, value)| {
                let value = truncate(&row::shown_line(value), columns.saturating_sub(9));
                Line::from(vec![
                    Span::styled(format!("{name:<8} "), theme.style(Tone::Dim)),
                    Span::raw(value),
                ])
            })
            .collect();
        let rule = "─".repeat(columns.saturating_sub(9));
        rows.push(Line::from(Span::styled(format!("╌ output {rule}"), theme.style(Tone::Dim))));
        let room = height.saturating_sub(rows.len());
        let lines: &[String] = if self.output.0 == item.id { &self.output.1 } else { &[] };
        let last = lines.get(lines.len().saturating_sub(room)..).unwrap_or_default();
        rows.extend(last.iter().map(|line| Line::from(Span::raw(truncate(line, columns)))));
        if lines.is_empty() {
            rows.push(Line::from(Span::styled("nothing yet", theme.style(Tone::Dim))));
        }
        rows
    }

    fn header(&self) -> String {
        let active = self.items.iter().filter(|item| item.active).count();
        let which = if self.all { "all" } else { "running" };
        format!(
            "Background tasks · {active} running · {} in all · shown: {which}",
            self.items.len()
        )
    }

    fn footer(&self) -> String {
        match (&self.marked, self.confirm) {
            (Some(id), Some(_)) => format!("Stop {id}? y stops it · n keeps it"),
            _ => "↑↓ choose · enter output · s stop · tab all · r refresh · esc close".to_owned(),
        }
    }
}

fn plain(lines: &[String]) -> Vec<Line<'static>> {
    lines.iter().map(|line| Line::from(Span::raw(line.clone()))).collect()
}

impl Overlay for TaskBrowser {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if key.kind == KeyEventKind::Release {
            return OverlayReply::Ignored;
        }
        if let Some(pager) = &mut self.full {
            let reply = pager.key(key, size);
            if reply == OverlayReply::Close {
                self.full = None;
                return OverlayReply::Redraw;
            }
            return reply;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if self.confirm.take().is_some() {
            return match (key.code, &self.marked) {
                (KeyCode::Char('y' | 'Y'), Some(id)) => OverlayReply::StopTask(id.clone()),
                _ => OverlayReply::Redraw,
            };
        }
        match key.code {
            KeyCode::Char('c' | 'd') if control => OverlayReply::Close,
            KeyCode::Esc | KeyCode::Char('q' | 'Q') => OverlayReply::Close,
            KeyCode::Char('p') if control => self.step(-1),
            KeyCode::Char('n') if control => self.step(1),
            _ if control => OverlayReply::Ignored,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Enter | KeyCode::Char('o' | 'O') => self.open_output(size),
            KeyCode::Char('s' | 'S') if self.item().is_some_and(|item| item.active) => {
                self.confirm = Some(CONFIRM_TICKS);
                OverlayReply::Redraw
            }
            KeyCode::Tab => {
                self.all = !self.all;
                if self.item().is_none() {
                    self.mark_first();
                }
                self.look()
            }
            KeyCode::Char('r' | 'R') => self.look(),
            _ => OverlayReply::Ignored,
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        match &mut self.full {
            Some(pager) => pager.paste(text),
            None => OverlayReply::Ignored,
        }
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        if let Some(pager) = &self.full {
            return pager.rows(size, theme);
        }
        let (columns, height) = (usize::from(size.width), usize::from(size.height));
        let room = columns.saturating_sub(1);
        if size.width < LEAST.width || size.height < LEAST.height {
            let text = truncate("Too small for the tasks · esc closes", room);
            let mut rows = vec![row::row([Span::raw(text)])];
            rows.resize(height, Line::default());
            return rows;
        }
        let title = truncate(&self.header(), room.saturating_sub(1));
        let mut rows = vec![row::row([Span::styled(title, theme.style(Tone::Heading))])];
        let middle = height - 2;
        let left = (columns / 3).clamp(28, 44).min(columns / 2);
        let right = room.saturating_sub(left + 4);
        let list = self.list_rows(left, middle, theme);
        let detail = self.detail_rows(right, middle, theme);
        for n in 0..middle {
            let mut spans = list.get(n).map(|line| line.spans.clone()).unwrap_or_default();
            let used = list.get(n).map_or(0, line_width);
            spans.push(Span::raw(" ".repeat(left.saturating_sub(used))));
            spans.push(Span::styled(" │ ", theme.style(Tone::Dim)));
            spans.extend(detail.get(n).map(|line| line.spans.clone()).unwrap_or_default());
            rows.push(row::row(spans));
        }
        let footer = truncate(&self.footer(), room.saturating_sub(1));
        let tone = if self.confirm.is_some() { Tone::Warning } else { Tone::Dim };
        debug_assert!(width(&footer) < columns);
        rows.push(row::row([Span::styled(footer, theme.style(tone))]));
        rows
    }
}

#[cfg(test)]
mod tests;
