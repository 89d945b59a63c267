//! Choosing a session to go on with.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::{ListItem, ListPicker, Overlay, OverlayReply};
use crate::front::text::truncate;
use crate::front::tui::cells::row;
use crate::front::tui::theme::{Theme, Tone};

const HINT: &str = "ctrl-a all · ctrl-x archive · ctrl-d delete";

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
    /// It was put away.
    pub archived: bool,
}

/// The sessions of this directory, or of all.
#[derive(Debug, Clone)]
pub struct SessionPicker {
    list: ListPicker,
    all: bool,
    /// The session that is open now.
    open: Option<String>,
    /// The session whose deletion waits for a second press.
    doomed: Option<String>,
    /// Why the last key did nothing.
    refused: Option<&'static str>,
}

impl SessionPicker {
    /// Sessions in the order they shall be shown; `all` when they are of all directories.
    pub fn new(items: Vec<SessionItem>, all: bool) -> Self {
        let open = open(&items);
        let list = ListPicker::new(title(all), HINT, items.into_iter().map(list_item).collect());
        Self { list, all, open, doomed: None, refused: None }
    }

    /// Whether those of all directories are shown.
    pub fn is_of_all(&self) -> bool {
        self.all
    }

    /// Other sessions, after [`OverlayReply::AllDirectories`], [`OverlayReply::ArchiveSession`] or
    /// [`OverlayReply::DeleteSession`].
    pub fn set_items(&mut self, items: Vec<SessionItem>) {
        self.open = open(&items);
        self.list.set_items(items.into_iter().map(list_item).collect());
    }

    /// What a key is about, unless that is the session that is open now.
    fn other(&mut self, refusal: &'static str) -> Option<String> {
        let id = self.list.selected_id()?.to_owned();
        self.refused = (self.open.as_ref() == Some(&id)).then_some(refusal);
        self.refused.is_none().then_some(id)
    }
}

fn open(items: &[SessionItem]) -> Option<String> {
    items.iter().find(|item| item.current).map(|item| item.id.clone())
}

fn title(all: bool) -> &'static str {
    if all { "Sessions of all directories" } else { "Sessions of this directory" }
}

fn list_item(item: SessionItem) -> ListItem {
    let short: String = item.id.chars().take(8).collect();
    let archived = if item.archived { " · archived" } else { "" };
    ListItem {
        dot: None,
        label: format!("{} · {short}{archived} · {}", item.when, item.title),
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
        self.refused = None;
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
            KeyCode::Char('d') if control => {
                self.doomed = self.other("The open session cannot be deleted.");
                OverlayReply::Redraw
            }
            KeyCode::Char('x') if control => {
                match self.other("The open session cannot be put away.") {
                    Some(id) => OverlayReply::ArchiveSession(id),
                    None => OverlayReply::Redraw,
                }
            }
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
        let question = self.doomed.as_ref().map(|id| {
            let short: String = id.chars().take(8).collect();
            format!("! Delete session {short} for good? y deletes · any other key keeps")
        });
        let footer = question.or_else(|| Some(format!("! {}", self.refused?))).map(|text| {
            let text = truncate(&text, usize::from(size.width).saturating_sub(1));
            row::row([Span::styled(text, theme.style(Tone::Warning))])
        });
        self.list.draw(size, footer, theme)
    }
}
