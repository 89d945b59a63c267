//! What the tests of the dialogs share.

use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Dialog, DialogFrame, DialogReply};
use crate::front::tui::cells::testing::{lawful, text};
use crate::front::tui::theme::Theme;

/// A key without modifiers: a character, or `↑ ↓ ← → ⏎ ⎋ ⇥ ⌫`; `^x` is Ctrl-X.
pub fn keys(keys: &str) -> Vec<KeyEvent> {
    let mut out = Vec::new();
    let mut chars = keys.chars();
    while let Some(c) = chars.next() {
        let (code, modifiers) = match c {
            '^' => (KeyCode::Char(chars.next().expect("a key after ^")), KeyModifiers::CONTROL),
            '↑' => (KeyCode::Up, KeyModifiers::NONE),
            '↓' => (KeyCode::Down, KeyModifiers::NONE),
            '←' => (KeyCode::Left, KeyModifiers::NONE),
            '→' => (KeyCode::Right, KeyModifiers::NONE),
            '⏎' => (KeyCode::Enter, KeyModifiers::NONE),
            '⎋' => (KeyCode::Esc, KeyModifiers::NONE),
            '⇥' => (KeyCode::Tab, KeyModifiers::NONE),
            '⌫' => (KeyCode::Backspace, KeyModifiers::NONE),
            c => (KeyCode::Char(c), KeyModifiers::NONE),
        };
        out.push(KeyEvent::new(code, modifiers));
    }
    out
}

/// Presses keys; the reply to the last one.
pub fn press(dialog: &mut dyn Dialog, pressed: &str, now: Instant) -> DialogReply {
    keys(pressed).into_iter().map(|key| dialog.key(key, now)).last().expect("a key")
}

/// Draws, checks the law and returns frame and text.
#[track_caller]
pub fn drawn(dialog: &dyn Dialog, columns: u16, max_rows: u16) -> (DialogFrame, String) {
    let frame = dialog.frame(columns, max_rows, &Theme::dark());
    lawful(&frame.rows, columns);
    assert!(frame.rows.len() <= max_rows.into(), "{} > {max_rows}", frame.rows.len());
    if let Some((row, column)) = frame.caret {
        assert!(usize::from(row) < frame.rows.len() && column < columns, "{:?}", frame.caret);
    }
    let text = text(&frame.rows);
    (frame, text)
}
