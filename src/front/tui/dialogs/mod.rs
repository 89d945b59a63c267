//! Questions to the user in the live region, above the composer.
//!
//! A dialog is a state machine over keys. It draws into as many rows as it is given: what is there
//! to read is cut first, what is there to choose never.

mod approval;
mod danger;
mod field;
mod plan;
mod question;
#[cfg(test)]
pub(crate) mod testing;
mod told;
mod trust;

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::text::Line;

use super::theme::Theme;
use crate::protocol::Response;
use crate::protocol::control::{Choice, OpenAsk};
use told::choose;

pub use approval::ApprovalDialog;
pub use danger::dangers;
pub use field::Field;
pub use plan::{PlanDialog, ShownPlan};
pub use question::QuestionDialog;
pub use told::Unfit;
pub use trust::TrustDialog;

/// Somebody who is typing goes on typing until there was silence for so long.
const GUARD: Duration = Duration::from_millis(700);

/// What a key did.
#[derive(Debug, Clone, PartialEq)]
pub enum DialogReply {
    /// Nothing: the key means nothing here.
    Ignored,
    /// Nothing: the key was typed before the dialog could be read. It belongs to the draft in the
    /// composer.
    Guarded,
    /// The dialog looks different now.
    Redraw,
    /// The whole content is wanted in the pager: [`Dialog::full`].
    Expand,
    /// The dialog is over.
    Answer(Response),
}

/// Rows of a dialog and the place of the caret among them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DialogFrame {
    pub rows: Vec<Line<'static>>,
    /// Row and column of the caret, both from 0, when text is being edited.
    pub caret: Option<(u16, u16)>,
}

/// A question to the user.
pub trait Dialog {
    /// The id of the request it answers.
    fn request_id(&self) -> &str;

    /// What is being waited for, for the spinner row and the window title: `Waiting for approval`.
    fn title(&self) -> &'static str;

    /// Takes a key that was pressed at `now`. Every key must come here, or a run of typing seems to
    /// end early.
    fn key(&mut self, key: KeyEvent, now: Instant) -> DialogReply;

    /// Takes pasted text. Pasting never answers anything.
    fn paste(&mut self, text: &str) -> DialogReply;

    /// Draws into at most `max_rows` rows.
    fn frame(&self, columns: u16, max_rows: u16, theme: &Theme) -> DialogFrame;

    /// Everything there is to read, for a pager on a screen of `columns`: rows leave a column for
    /// the blank that it adds.
    fn full(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>>;

    /// The question as other programs get to see it, [`OpenAsk::behind`] left at 0.
    fn open_ask(&self) -> OpenAsk;

    /// What the keys for these choices would have answered.
    fn answer(&self, choices: &[Choice]) -> Result<Response, Unfit>;
}

/// Keys of all dialogs, without the modifiers that do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Char(char),
    Ctrl(char),
    Up,
    Down,
    Left,
    Right,
    Tab,
    BackTab,
    Enter,
    Esc,
    Other(KeyCode),
}

impl Key {
    /// `None` for releases and for chords that mean nothing in a dialog.
    fn of(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META)
        {
            return None;
        }
        Some(match event.code {
            KeyCode::Char(c) if control => Self::Ctrl(c.to_ascii_lowercase()),
            KeyCode::Char(c) => Self::Char(c),
            KeyCode::Up => Self::Up,
            KeyCode::Down => Self::Down,
            KeyCode::Left => Self::Left,
            KeyCode::Right => Self::Right,
            KeyCode::Tab => Self::Tab,
            KeyCode::BackTab => Self::BackTab,
            KeyCode::Enter => Self::Enter,
            KeyCode::Esc => Self::Esc,
            code => Self::Other(code),
        })
    }
}

/// Keeps the keys of somebody who was typing when the dialog appeared away from it: each key of
/// one run of typing is for the draft, however long the run is.
#[derive(Debug, Clone, Copy)]
struct Guard {
    /// The last key of the run, while it lasts.
    last: Option<Instant>,
}

impl Guard {
    fn new(appeared: Instant, was_typing: bool) -> Self {
        Self { last: was_typing.then_some(appeared) }
    }

    /// Whether a key pressed at `now` belongs to the draft. Esc and control keys write nothing; whoever
    /// presses them wants out.
    fn holds(&mut self, event: &KeyEvent, now: Instant) -> bool {
        if event.code == KeyCode::Esc || event.modifiers.contains(KeyModifiers::CONTROL) {
            self.last = None;
            return false;
        }
        self.last =
            self.last.filter(|last| now.saturating_duration_since(*last) < GUARD).map(|_| now);
        self.last.is_some()
    }
}
