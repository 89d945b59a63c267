//! V3 and V4: the state from the rows of the virtual screen.

use super::composed::{Cell, Composed};
use super::words::{
    begins_with_spinner, has_spinner_glyph, is_boot, is_bullet, is_error, is_footer, is_mark,
};
use super::{State, Version};

/// The status, the spinner and marks are looked for in so many last written rows.
const TAIL: usize = 18;
/// The colour of an answer after tool rows: what is drawn in it is no spinner.
const ANSWER: u8 = 253;

/// What a reader sees in a row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Marks {
    pub blank: bool,
    footer: bool,
    /// A prompt mark, anywhere.
    mark: bool,
    /// Braille or a moon, anywhere.
    dots: bool,
    /// A spinner at the beginning, and not in the colour of answers.
    spinner: bool,
    bullet: bool,
    error: bool,
    boot: bool,
}

impl Marks {
    /// The marks of a row with this text.
    pub fn of(cells: &[Cell], text: &str) -> Self {
        let first = cells.iter().find(|cell| cell.0.is_some_and(|c| !c.is_whitespace()));
        Self {
            blank: first.is_none(),
            footer: is_footer(text),
            mark: text.contains(is_mark),
            dots: has_spinner_glyph(text),
            spinner: begins_with_spinner(text) && first.is_some_and(|cell| cell.1 != Some(ANSWER)),
            bullet: is_bullet(text),
            error: is_error(text),
            boot: is_boot(text),
        }
    }
}

/// What V3 or V4 takes the screen for; `evidence` is V4's proof that a message was taken.
pub fn state(version: Version, screen: &Composed, evidence: bool) -> State {
    let rows = || screen.marks_from_below();
    if rows().next().is_none() {
        return State::Unknown;
    }
    if rows().any(|row| row.boot) {
        return State::Busy;
    }
    let ready = || {
        let asked = match version {
            Version::V4 => evidence,
            _ => rows().any(|row| row.bullet),
        };
        if asked { State::Completed } else { State::Idle }
    };
    if !rows().any(|row| row.footer) {
        let marked = rows().take(TAIL).any(|row| row.mark);
        return if marked { ready() } else { State::Unknown };
    }
    let turning = |row: Marks| if version == Version::V4 { row.spinner } else { row.dots };
    if rows().take(TAIL).any(turning) {
        State::Busy
    } else if rows().any(|row| row.error) {
        State::Error
    } else {
        ready()
    }
}
