//! The names of everything a key can do.

/// Where a key is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// The composer has the keys.
    Composer,
    /// The reverse history search of the composer.
    Search,
    /// An approval dialog.
    Approval,
    /// A question dialog.
    Question,
    /// A pager or a list.
    Pager,
}

impl Context {
    /// The heading of the context on the help sheet.
    pub fn title(self) -> &'static str {
        match self {
            Self::Composer => "Composer",
            Self::Search => "History search",
            Self::Approval => "Approval",
            Self::Question => "Question",
            Self::Pager => "Pagers and lists",
        }
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    // Editing: the composer does these by itself.
    Submit,
    Newline,
    Complete,
    CharLeft,
    CharRight,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    Up,
    Down,
    DeleteLeft,
    DeleteRight,
    KillLineRight,
    KillLineLeft,
    KillBlankLeft,
    KillWordLeft,
    KillWordRight,
    Yank,
    YankOlder,
    Undo,
    Redo,
    SearchHistory,
    SearchOlder,
    SearchNewer,
    SearchAccept,
    SearchCancel,
    // The composer hands these to its owner.
    Steer,
    /// Esc: closes what is open, interrupts a run.
    Escape,
    /// Ctrl-C: interrupts, clears or arms the exit.
    Interrupt,
    /// Ctrl-D: leaves when the composer is empty, otherwise deletes to the right.
    ExitOrDelete,
    OpenEditor,
    PasteClipboard,
    /// Ctrl-B: sends a running command to the background; to the left when none runs.
    ToBackground,
    TogglePlanMode,
    ToggleTodos,
    ToggleOutput,
    Redraw,
    Suspend,
    /// The shortcut sheet.
    ShowKeys,
    PageUp,
    PageDown,
    // Dialogs and lists.
    Previous,
    Next,
    /// The choice with this number, from 1.
    Choose(u8),
    Confirm,
    Reject,
    Expand,
    PreviousTab,
    NextTab,
    Toggle,
    Top,
    Bottom,
    Find,
    FindNext,
    FindPrevious,
    Close,
}

impl Action {
    /// What the action does, in a few words, for the help sheet.
    pub fn description(self) -> &'static str {
        match self {
            Self::Submit => "send; queue while a turn runs",
            Self::Newline => "new line",
            Self::Complete => "complete; queue while a turn runs",
            Self::ToBackground => "send what runs to the background, else left",
            Self::CharLeft => "left",
            Self::CharRight => "right",
            Self::WordLeft => "word left",
            Self::WordRight => "word right",
            Self::LineStart => "start of line",
            Self::LineEnd => "end of line",
            Self::Up => "up; older message on the first row",
            Self::Down => "down; newer message on the last row",
            Self::DeleteLeft => "delete left",
            Self::DeleteRight => "delete right",
            Self::KillLineRight => "cut to the end of line",
            Self::KillLineLeft => "cut to the start of line",
            Self::KillBlankLeft => "cut back to a blank",
            Self::KillWordLeft => "cut word left",
            Self::KillWordRight => "cut word right",
            Self::Yank => "put back what was cut",
            Self::YankOlder => "put back an older cut instead",
            Self::Undo => "undo",
            Self::Redo => "redo",
            Self::SearchHistory => "search earlier messages",
            Self::SearchOlder => "older hit",
            Self::SearchNewer => "newer hit",
            Self::SearchAccept => "take the hit",
            Self::SearchCancel => "back to the draft",
            Self::Steer => "give to the running turn",
            Self::Escape => "close; interrupt; twice to go back",
            Self::Interrupt => "interrupt; clear; twice to leave",
            Self::ExitOrDelete => "leave when empty; delete right",
            Self::OpenEditor => "edit in the external editor",
            Self::PasteClipboard => "paste the clipboard",
            Self::TogglePlanMode => "switch plan mode on or off",
            Self::ToggleTodos => "show or hide the todo panel",
            Self::ToggleOutput => "read everything, unfolded",
            Self::Redraw => "draw the screen again",
            Self::Suspend => "suspend to the shell",
            Self::ShowKeys => "show the keys",
            Self::PageUp => "page up",
            Self::PageDown => "page down",
            Self::Previous => "previous",
            Self::Next => "next",
            Self::Choose(_) => "choose by number",
            Self::Confirm => "confirm",
            Self::Reject => "reject",
            Self::Expand => "show all of it",
            Self::PreviousTab => "previous question",
            Self::NextTab => "next question",
            Self::Toggle => "choose or toggle",
            Self::Top => "top",
            Self::Bottom => "bottom",
            Self::Find => "search",
            Self::FindNext => "next hit",
            Self::FindPrevious => "previous hit",
            Self::Close => "close",
        }
    }
}
