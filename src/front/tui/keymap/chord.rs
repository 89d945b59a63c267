//! A key with its modifiers, in one form for all the ways terminals report it.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key with Ctrl, Alt and Shift. The code of a letter with Ctrl or Alt is lower case; Shift is
/// told only where it is not already in the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

/// Modifiers that tell one chord from another.
const KNOWN: KeyModifiers = KeyModifiers::CONTROL
    .union(KeyModifiers::ALT)
    .union(KeyModifiers::SHIFT)
    .union(KeyModifiers::SUPER)
    .union(KeyModifiers::HYPER)
    .union(KeyModifiers::META);

impl Chord {
    /// A chord of the table.
    pub(super) const fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        Self { code, modifiers }
    }

    /// The chord of a key event; `None` for the release of a key.
    pub fn of(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let mut modifiers = event.modifiers & KNOWN;
        let combined = modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let code = match event.code {
            KeyCode::BackTab => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Tab
            }
            // The enhanced keyboard protocol tells the letter, caps lock may raise its case.
            KeyCode::Char(c) if combined => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Char(c) => {
                modifiers -= KeyModifiers::SHIFT;
                KeyCode::Char(c)
            }
            code => code,
        };
        let control = modifiers == KeyModifiers::CONTROL;
        let code = match code {
            // Control characters by their other names.
            KeyCode::Char('m') if control => return Some(Self::plain(KeyCode::Enter)),
            KeyCode::Char('i') if control => return Some(Self::plain(KeyCode::Tab)),
            KeyCode::Char('[') if control => return Some(Self::plain(KeyCode::Esc)),
            // Byte 0x1f is Ctrl-_ on the keyboard and Ctrl-7 in the event.
            KeyCode::Char('7' | '/' | '-') if control => KeyCode::Char('_'),
            KeyCode::Char('-') if modifiers.contains(KeyModifiers::CONTROL) => KeyCode::Char('_'),
            code => code,
        };
        Some(Self { code, modifiers })
    }

    const fn plain(code: KeyCode) -> Self {
        Self::new(code, KeyModifiers::NONE)
    }

    /// The character that this chord types, if it types one.
    pub fn character(self) -> Option<char> {
        let KeyCode::Char(c) = self.code else { return None };
        // AltGr arrives as Ctrl with Alt on some systems.
        let alt_gr = self.modifiers == KeyModifiers::CONTROL | KeyModifiers::ALT
            && !c.is_ascii_alphanumeric();
        (!c.is_control() && (self.modifiers.is_empty() || alt_gr)).then_some(c)
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in [
            (KeyModifiers::CONTROL, "Ctrl-"),
            (KeyModifiers::ALT, "Alt-"),
            (KeyModifiers::SHIFT, "Shift-"),
        ] {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.modifiers.is_empty() => write!(f, "{c}"),
            KeyCode::Char(c) => write!(f, "{}", c.to_ascii_uppercase()),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::F(n) => write!(f, "F{n}"),
            code => write!(f, "{code:?}"),
        }
    }
}
