//! Choosing a session to go on with.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{ListItem, ListPicker, Overlay, OverlayReply};
use crate::front::tui::cells::row;
use crate::front::tui::text::truncate;
use crate::front::tui::theme::{Theme, Tone};

const HINT: &str = "ctrl-a all directories · ctrl-d delete";

/// A session in the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionItem {
    pub id: String,
    pub title: String,
    /// When it was last used, as a person reads it.
    pub when: String,
    /// Its directory, when sessions of several are shown.
    pub directory: Option<String>,
    /// The one that is open now.
    pub current: bool,
}

/// The sessions of this directory, or of all.
#[derive(Debug, Clone)]
pub struct SessionPicker {
    list: ListPicker,
    all: bool,
    /// The session whose deletion waits for a second press.
    doomed: Option<String>,
}

impl SessionPicker {
    /// Sessions in the order they shall be shown; `all` when they are of all directories.
    pub fn new(items: Vec<SessionItem>, all: bool) -> Self {
        let list = ListPicker::new(title(all), HINT, items.into_iter().map(list_item).collect());
        Self { list, all, doomed: None }
    }

    /// Other sessions, after [`OverlayReply::AllDirectories`] or [`OverlayReply::DeleteSession`].
    pub fn set_items(&mut self, items: Vec<SessionItem>) {
        self.list.set_items(items.into_iter().map(list_item).collect());
    }
}

fn title(all: bool) -> &'static str {
    if all { "Sessions of all directories" } else { "Sessions of this directory" }
}

fn list_item(item: SessionItem) -> ListItem {
    let short: String = item.id.chars().take(8).collect();
    ListItem {
        dot: None,
        label: format!("{} · {short} · {}", item.when, item.title),
        detail: item.directory.unwrap_or_default(),
        keywords: item.id.clone(),
        current: item.current,
        id: item.id,
    }
}

impl Overlay for SessionPicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        if key.kind == KeyEventKind::Release {
            return OverlayReply::Ignored;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if let Some(id) = self.doomed.take() {
            let sure = key.code == KeyCode::Char('y') || control && key.code == KeyCode::Char('d');
            return if sure { OverlayReply::DeleteSession(id) } else { OverlayReply::Redraw };
        }
        match key.code {
            KeyCode::Char('a') if control => {
                self.all = !self.all;
                self.list.set_title(title(self.all));
                OverlayReply::AllDirectories(self.all)
            }
            KeyCode::Char('d') if control => match self.list.selected_id() {
                Some(id) => {
                    self.doomed = Some(id.to_owned());
                    OverlayReply::Redraw
                }
                None => OverlayReply::Ignored,
            },
            _ => match self.list.key(key, size) {
                OverlayReply::Picked(id) => OverlayReply::Session(id),
                reply => reply,
            },
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        self.doomed = None;
        self.list.paste(text)
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        let footer = self.doomed.as_ref().map(|id| {
            let short: String = id.chars().take(8).collect();
            let text =
                format!("! Delete session {short} for good? y deletes · any other key keeps");
            let text = truncate(&text, usize::from(size.width).saturating_sub(1));
            row::row([Span::styled(text, theme.style(Tone::Warning))])
        });
        self.list.draw(size, footer, theme)
    }
}
