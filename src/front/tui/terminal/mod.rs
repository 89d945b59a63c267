//! The terminal itself: what is written to it, what is read from it, and in what state it is left.
//!
//! Two writers share one law, *whole rows only*: [`Docked`] on the main screen, where rows that leave
//! at the top enter the terminal's own scrollback, and [`Alternate`] for overlays. Both are pure
//! state machines over a byte sink; [`Session`] holds the modes of the real terminal, [`input`] turns
//! its bytes into events.

mod alternate;
mod capability;
mod docked;
pub mod encode;
mod geometry;
mod hangup;
pub mod input;
mod mark;
mod screen;
mod session;
mod tty;

pub use alternate::Alternate;
pub use capability::Capability;
pub use docked::{Docked, Flip, Return};
pub use input::Input;
pub use mark::Mark;
pub use screen::{Happening, Screen, Signal};
pub use session::{Session, SessionError, restore};
pub use tty::Tty;

/// The size of the terminal in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}

impl Size {
    /// A size of at least one cell.
    pub fn new(columns: u16, rows: u16) -> Self {
        Self { columns: columns.max(1), rows: rows.max(1) }
    }
}

/// A place inside the live region (or an overlay), counted from 0 at its top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    pub row: u16,
    pub column: u16,
}
