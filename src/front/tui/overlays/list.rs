//! A list that filters as one types.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{Overlay, OverlayReply};
use crate::front::text::{truncate, width};
use crate::front::tui::cells::row;
use crate::front::tui::dialogs::Field;
use crate::front::tui::theme::{Theme, Tone};

/// Columns that a label leaves to what stands beside it, where there is room for both.
const DETAIL: usize = 24;

/// A row of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListItem {
    /// What the reply names.
    pub id: String,
    pub label: String,
    /// A second column, cut before the label is, but not to less than its first words.
    pub detail: String,
    /// Found by the filter, but not shown.
    pub keywords: String,
    /// Marked as the one in use.
    pub current: bool,
    /// A coloured dot in front.
    pub dot: Option<Tone>,
}

/// A filtered list with a mark.
#[derive(Debug, Clone)]
pub struct ListPicker {
    title: String,
    hint: String,
    items: Vec<ListItem>,
    filter: Field,
    /// Indices of the items that match, the best first.
    matches: Vec<usize>,
    selected: usize,
}

impl ListPicker {
    /// A list with the mark on the item in use. `hint` names the keys beyond the usual ones.
    pub fn new(title: &str, hint: &str, items: Vec<ListItem>) -> Self {
        let mut picker = Self {
            title: row::foreign_line(title),
            hint: hint.to_owned(),
            items: Vec::new(),
            filter: Field::default(),
            matches: Vec::new(),
            selected: 0,
        };
        picker.set_items(items);
        picker.selected = picker.items.iter().position(|item| item.current).unwrap_or(0);
        picker
    }

    /// Other items under the same filter; the mark stays on its item, or on its place.
    pub fn set_items(&mut self, items: Vec<ListItem>) {
        let before = self.selected_id().map(str::to_owned);
        self.items = items
            .into_iter()
            .map(|item| ListItem {
                label: row::foreign_line(&item.label),
                detail: row::foreign_line(&item.detail),
                ..item
            })
            .collect();
        let place = self.selected;
        self.refilter();
        let same = |at: &usize| self.items.get(*at).map(|item| &item.id) == before.as_ref();
        self.selected = match self.matches.iter().position(same) {
            Some(at) if before.is_some() => at,
            _ => place.min(self.matches.len().saturating_sub(1)),
        };
    }

    /// Another title.
    pub fn set_title(&mut self, title: &str) {
        self.title = row::foreign_line(title);
    }

    /// The id under the mark.
    pub fn selected_id(&self) -> Option<&str> {
        let at = *self.matches.get(self.selected)?;
        self.items.get(at).map(|item| item.id.as_str())
    }

    fn refilter(&mut self) {
        self.selected = 0;
        if self.filter.is_blank() {
            self.matches = (0..self.items.len()).collect();
            return;
        }
        let pattern = Pattern::parse(self.filter.text(), CaseMatching::Smart, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<_> = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| {
                let text = format!("{} {} {}", item.label, item.detail, item.keywords);
                let score = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher)?;
                Some((score, at))
            })
            .collect();
        scored.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
        self.matches = scored.into_iter().map(|(_, at)| at).collect();
    }

    /// Takes a key of a list. `Picked` on Enter, `Close` on Esc (which first clears a filter).
    pub fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if key.kind == KeyEventKind::Release {
            return OverlayReply::Ignored;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = self.matches.len().saturating_sub(1);
        let page = Self::page(size);
        let to = match key.code {
            KeyCode::Esc if !self.filter.text().is_empty() => {
                self.filter.clear();
                self.refilter();
                return OverlayReply::Redraw;
            }
            KeyCode::Esc => return OverlayReply::Close,
            KeyCode::Char('c') if control => return OverlayReply::Close,
            KeyCode::Enter => {
                return match self.selected_id() {
                    Some(id) => OverlayReply::Picked(id.to_owned()),
                    None => OverlayReply::Ignored,
                };
            }
            KeyCode::Up | KeyCode::BackTab => self.selected.checked_sub(1).unwrap_or(last),
            KeyCode::Char('p') if control => self.selected.checked_sub(1).unwrap_or(last),
            KeyCode::Down | KeyCode::Tab if self.selected >= last => 0,
            KeyCode::Char('n') if control && self.selected >= last => 0,
            KeyCode::Down | KeyCode::Tab => self.selected + 1,
            KeyCode::Char('n') if control => self.selected + 1,
            KeyCode::PageUp => self.selected.saturating_sub(page),
            KeyCode::PageDown => (self.selected + page).min(last),
            KeyCode::Home => 0,
            KeyCode::End => last,
            _ => {
                let before = self.filter.text().to_owned();
                if !self.filter.key(key) {
                    return OverlayReply::Ignored;
                }
                if self.filter.text() != before {
                    self.refilter();
                }
                return OverlayReply::Redraw;
            }
        };
        self.selected = to;
        OverlayReply::Redraw
    }

    /// Pasted text goes into the filter.
    pub fn paste(&mut self, text: &str) -> OverlayReply {
        self.filter.insert(text);
        self.refilter();
        OverlayReply::Redraw
    }

    /// Draws the list; `footer` stands in for the hint when there is one.
    pub fn draw(
        &self,
        size: Size,
        footer: Option<Line<'static>>,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        let room = usize::from(size.width).saturating_sub(1);
        let (typed, _) = self.filter.view(room.saturating_sub(3));
        let mut rows = vec![
            row::row([Span::styled(truncate(&self.title, room), theme.style(Tone::Heading))]),
            row::row([
                Span::styled("/ ", theme.style(Tone::Accent)),
                Span::raw(format!("{typed}█")),
            ]),
        ];
        let page = Self::page(size);
        let first = self.selected.saturating_sub(page / 2);
        let first = first.min(self.matches.len().saturating_sub(page));
        for (n, at) in self.matches.iter().enumerate().skip(first).take(page) {
            if let Some(item) = self.items.get(*at) {
                rows.push(item_row(item, n == self.selected, room, theme));
            }
        }
        if self.matches.is_empty() {
            let text = if self.items.is_empty() { "nothing here" } else { "nothing matches" };
            rows.push(row::row([Span::styled(truncate(text, room), theme.style(Tone::Dim))]));
        }
        rows.resize(2 + page, Line::default());
        rows.push(footer.unwrap_or_else(|| self.footer(room, theme)));
        rows.truncate(size.height.into());
        rows
    }

    fn footer(&self, room: usize, theme: &Theme) -> Line<'static> {
        let at = if self.matches.is_empty() { 0 } else { self.selected + 1 };
        let place = format!("{at}/{}", self.matches.len());
        let mut parts = vec![&*place, "type to filter", "↵ choose", &self.hint, "esc close"];
        parts.retain(|part| !part.is_empty());
        // Where it is narrow, what goes without saying gives way: the second row shows that it filters.
        for known in ["type to filter", "esc close", "↵ choose", &*place] {
            if width(&parts.join(" · ")) > room {
                parts.retain(|part| *part != known);
            }
        }
        let text = parts.join(" · ");
        row::row([Span::styled(truncate(&text, room), theme.style(Tone::Status))])
    }

    fn page(size: Size) -> usize {
        usize::from(size.height).saturating_sub(3).max(1)
    }
}

fn item_row(item: &ListItem, selected: bool, room: usize, theme: &Theme) -> Line<'static> {
    let tone = if selected { Tone::Selected } else { Tone::Text };
    let mark = if selected { "▶ " } else { "  " };
    let current = if item.current { " ← current" } else { "" };
    let dot = if item.dot.is_some() { "● " } else { "" };
    let room = room.saturating_sub(2 + width(current) + width(dot));
    // What the second column begins with says more than the end of a long name.
    let beside = match width(&item.detail) {
        0 => 0,
        detail => 2 + detail.min(DETAIL).min(room / 3),
    };
    let label = truncate(&item.label, room.saturating_sub(beside));
    let left = room.saturating_sub(width(&label) + 2);
    let mut spans = vec![
        Span::styled(mark, theme.style(tone)),
        Span::styled(dot, theme.style(item.dot.unwrap_or(Tone::Text))),
        Span::styled(label, theme.style(tone)),
        Span::styled(current, theme.style(Tone::Success)),
    ];
    if left >= width(&item.detail).min(4) && !item.detail.is_empty() {
        let detail = truncate(&item.detail, left);
        spans.push(Span::styled(format!("  {detail}"), theme.style(Tone::Dim)));
    }
    row::row(spans)
}

impl Overlay for ListPicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        Self::key(self, key, size)
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        Self::paste(self, text)
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        self.draw(size, None, theme)
    }
}

#[cfg(test)]
mod tests;
