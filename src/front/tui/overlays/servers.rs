//! The MCP servers: a live list, with what can be done to each, and all there is to know of one.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::Line;

use super::{ListItem, ListPicker, Overlay, OverlayReply, Pager};
use crate::front::text::visible_line;
use crate::front::tui::theme::{Theme, Tone};

/// A server as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerItem {
    pub name: String,
    /// Its state, its number of tools or why there are none.
    pub detail: String,
    /// The colour of its state.
    pub tone: Tone,
}

/// The list.
#[derive(Debug, Clone)]
pub struct ServerPicker {
    list: ListPicker,
}

impl ServerPicker {
    /// A list of these servers.
    pub fn new(items: Vec<ServerItem>, title: &str) -> Self {
        let hint = "^r retry ^t on/off ^l login";
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
        label: visible_line(&item.name),
        detail: item.detail,
        dot: Some(item.tone),
        ..ListItem::default()
    };
    items.into_iter().map(row).collect()
}

/// What a key asks for in the list and on the sheet of a server alike.
fn order(key: KeyEvent, name: &str) -> Option<OverlayReply> {
    if !key.modifiers.contains(KeyModifiers::CONTROL) || key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('r') => Some(OverlayReply::ReconnectServer(name.to_owned())),
        KeyCode::Char('t') => Some(OverlayReply::ToggleServer(name.to_owned())),
        KeyCode::Char('l') => Some(OverlayReply::LogInToServer(name.to_owned())),
        KeyCode::Char('s') => Some(OverlayReply::KeepServer(name.to_owned())),
        _ => None,
    }
}

impl Overlay for ServerPicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if let Some(reply) = self.list.selected_id().and_then(|name| order(key, name)) {
            return reply;
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

/// Everything about one server.
#[derive(Debug, Clone)]
pub struct ServerSheet {
    name: String,
    pager: Pager,
}

impl ServerSheet {
    /// These lines about the server of this name.
    pub fn new(name: &str, lines: Vec<Line<'static>>) -> Self {
        let title = format!("MCP server {name}");
        Self { name: name.to_owned(), pager: Pager::new(&title, lines) }
    }

    /// Which server it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is known now; the place stays.
    pub fn set_lines(&mut self, lines: Vec<Line<'static>>) {
        self.pager.set_lines(lines);
    }
}

impl Overlay for ServerSheet {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if let Some(reply) = order(key, &self.name) {
            return reply;
        }
        match self.pager.key(key, size) {
            OverlayReply::Close if key.code == KeyCode::Esc => OverlayReply::ServerList,
            reply => reply,
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        self.pager.paste(text)
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        self.pager.rows(size, theme)
    }
}
