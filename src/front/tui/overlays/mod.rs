//! What a person opens over the transcript, on the alternate screen: the pager and the pickers.

mod list;
mod models;
mod pager;
mod servers;
mod sessions;
mod tasks;
mod themes;

#[cfg(test)]
mod picker_tests;

use crossterm::event::KeyEvent;
use ratatui::layout::Size;
use ratatui::text::Line;

use super::theme::Theme;

pub use list::{ListItem, ListPicker};
pub use models::{ModelItem, ModelPicker, Thinking};
pub use pager::Pager;
pub use servers::{ServerItem, ServerPicker};
pub use sessions::{SessionItem, SessionPicker};
pub use tasks::{TaskBrowser, TaskItem};
pub use themes::ThemePicker;

/// What a key did in an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlayReply {
    /// Nothing.
    Ignored,
    /// It looks different now.
    Redraw,
    /// It is over, nothing was chosen.
    Close,
    /// Over: an item of a plain list was chosen, by its id.
    Picked(String),
    /// Over: this session is wanted.
    Session(String),
    /// The list shall hold the sessions of all directories, or of this one: answer with
    /// [`SessionPicker::set_items`].
    AllDirectories(bool),
    /// This session shall be deleted; the user has confirmed. Answer with
    /// [`SessionPicker::set_items`].
    DeleteSession(String),
    /// Over: this model is wanted, with thinking or without.
    Model { name: String, thinking: bool },
    /// What this MCP server brings is wanted.
    Server(String),
    /// This MCP server shall be connected anew.
    ReconnectServer(String),
    /// This MCP server shall be switched off, or on.
    ToggleServer(String),
    /// The output of this background task is wanted: answer with [`TaskBrowser::set_output`].
    LookAtTask(String),
    /// This background task shall stop; the user has confirmed.
    StopTask(String),
    /// Show this theme for the moment.
    PreviewTheme(String),
    /// Over: this theme is wanted.
    Theme(String),
    /// Over: back to the theme that was there before.
    RestoreTheme(String),
}

/// Something that covers the whole screen.
pub trait Overlay {
    /// Takes a key; `size` is the size it is drawn in.
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply;

    /// Takes pasted text.
    fn paste(&mut self, text: &str) -> OverlayReply;

    /// Exactly `size.height` rows, none wider than `size.width`.
    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>>;
}
