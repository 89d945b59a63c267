//! What a person opens over the transcript, on the alternate screen: the pager and the pickers.

mod goals;
mod list;
mod models;
mod pager;
mod rewind;
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
use crate::protocol::RewindRequest;

pub use goals::GoalPicker;
pub use list::{ListItem, ListPicker};
pub use models::{ModelItem, ModelPicker, Thinking};
pub use pager::Pager;
pub use rewind::RewindPicker;
pub use servers::{ServerItem, ServerPicker, ServerSheet};
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
    /// This session shall be put away, or taken back when it is. Answer with
    /// [`SessionPicker::set_items`].
    ArchiveSession(String),
    /// This session shall be deleted; the user has confirmed. Answer with
    /// [`SessionPicker::set_items`].
    DeleteSession(String),
    /// Over: this model is wanted, with thinking or without.
    Model { name: String, thinking: bool },
    /// What this MCP server brings is wanted.
    Server(String),
    /// Over: the user wants to log in to this MCP server.
    LogInToServer(String),
    /// This MCP server shall be connected anew.
    ReconnectServer(String),
    /// This MCP server shall be switched off, or on.
    ToggleServer(String),
    /// What this MCP server is now, on or off, shall last.
    KeepServer(String),
    /// Over: back to the list of MCP servers.
    ServerList,
    /// The plan for going back to before this turn is wanted: answer with
    /// [`RewindPicker::set_plan`].
    RewindPlan(u64),
    /// The changes of the plan are wanted: answer with [`RewindPicker::show_diff`].
    RewindDiff,
    /// Over: this plan is to be carried out.
    Rewind(RewindRequest),
    /// The output of this background task is wanted: answer with [`TaskBrowser::set_output`].
    LookAtTask(String),
    /// This background task shall stop; the user has confirmed.
    StopTask(String),
    /// This waiting goal shall be the first.
    FirstGoal(String),
    /// This goal shall not wait any more.
    UnqueueGoal(String),
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
