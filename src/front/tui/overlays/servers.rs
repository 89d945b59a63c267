//! The MCP servers: a live list, with what can be done to each.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::Line;

use super::{ListItem, ListPicker, Overlay, OverlayReply};
use crate::front::tui::theme::Theme;

/// A server as the list shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerItem {
    pub name: String,
    /// Its state, its number of tools or why there are none.
    pub detail: String,
}

/// The list.
#[derive(Debug, Clone)]
pub struct ServerPicker {
    list: ListPicker,
}

impl ServerPicker {
    /// A list of these servers.
    pub fn new(items: Vec<ServerItem>, title: &str) -> Self {
        let hint = "ctrl-r reconnect · ctrl-t on/off · ctrl-l log in";
        Self { list: ListPicker::new(title, hint, rows(items)) }
    }

    /// The servers as they are now; the mark stays.
    pub fn set_items(&mut self, items: Vec<ServerItem>, title: &str) {
        self.list.set_items(rows(items));
        self.list.set_title(title);
    }
}

fn rows(items: Vec<ServerItem>) -> Vec<ListItem> {
    let row = |item: ServerItem| ListItem {
        id: item.name.clone(),
        label: item.name,
        detail: item.detail,
        ..ListItem::default()
    };
    items.into_iter().map(row).collect()
}

impl Overlay for ServerPicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.kind != KeyEventKind::Release {
            let marked = || self.list.selected_id().map(str::to_owned);
            match (key.code, marked()) {
                (KeyCode::Char('r'), Some(name)) => return OverlayReply::ReconnectServer(name),
                (KeyCode::Char('l'), Some(name)) => return OverlayReply::LogInToServer(name),
                (KeyCode::Char('t'), Some(name)) => return OverlayReply::ToggleServer(name),
                _ => {}
            }
        }
        match self.list.key(key, size) {
            OverlayReply::Picked(name) => OverlayReply::Server(name),
            reply => reply,
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        self.list.paste(text)
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        self.list.draw(size, None, theme)
    }
}
