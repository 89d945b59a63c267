//! Choosing a theme, with the screen showing each one on the way.

use crossterm::event::KeyEvent;
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{ListItem, ListPicker, Overlay, OverlayReply};
use crate::front::text::truncate;
use crate::front::tui::cells::row;
use crate::front::tui::theme::{Theme, Tone};

/// The themes there are.
#[derive(Debug, Clone)]
pub struct ThemePicker {
    list: ListPicker,
    before: String,
    shown: String,
}

impl ThemePicker {
    /// Names of themes, and the one in use.
    pub fn new(names: &[String], current: &str) -> Self {
        let items = names
            .iter()
            .map(|name| ListItem {
                id: name.clone(),
                label: name.clone(),
                current: name == current,
                ..ListItem::default()
            })
            .collect();
        Self {
            list: ListPicker::new("Themes", "", items),
            before: current.to_owned(),
            shown: current.to_owned(),
        }
    }

    /// Shows the theme under the mark when it is another one than before.
    fn preview(&mut self, otherwise: OverlayReply) -> OverlayReply {
        match self.list.selected_id() {
            Some(name) if name != self.shown => {
                self.shown = name.to_owned();
                OverlayReply::PreviewTheme(self.shown.clone())
            }
            _ => otherwise,
        }
    }
}

impl Overlay for ThemePicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        match self.list.key(key, size) {
            OverlayReply::Picked(name) => OverlayReply::Theme(name),
            OverlayReply::Close => OverlayReply::RestoreTheme(self.before.clone()),
            reply => self.preview(reply),
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        let reply = self.list.paste(text);
        self.preview(reply)
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        let mut rows = self.list.draw(size, None, theme);
        // A sample of the theme where the list leaves room.
        let room = usize::from(size.width).saturating_sub(1);
        let free = rows.iter().rev().skip(1).take_while(|row| row.spans.is_empty()).count();
        if free > SAMPLE.len() {
            let start = rows.len() - 1 - SAMPLE.len();
            for (at, (tone, text)) in SAMPLE.iter().enumerate() {
                if let Some(slot) = rows.get_mut(start + at) {
                    *slot = row::row([Span::styled(truncate(text, room), theme.style(*tone))]);
                }
            }
        }
        rows
    }
}

const SAMPLE: [(Tone, &str); 7] = [
    (Tone::User, "What you say"),
    (Tone::Thinking, "What the model thinks"),
    (Tone::Text, "What it answers"),
    (Tone::DiffRemoved, "- a line that goes"),
    (Tone::DiffAdded, "+ a line that comes"),
    (Tone::Warning, "! A warning"),
    (Tone::Error, "✗ A problem"),
];
