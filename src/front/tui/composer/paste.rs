//! What may enter the composer, and when a paste is shown as an atom.

use std::sync::Arc;

use super::fragment::{Fragment, Payload};
use crate::platform::Env;

/// From which size on a pasted text is shown as an atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasteThresholds {
    /// Characters.
    pub chars: usize,
    /// Lines.
    pub lines: usize,
}

impl Default for PasteThresholds {
    fn default() -> Self {
        Self { chars: 1_000, lines: 15 }
    }
}

impl PasteThresholds {
    /// The thresholds that `KIMI_CLI_PASTE_CHAR_THRESHOLD` and `KIMI_CLI_PASTE_LINE_THRESHOLD`
    /// ask for (the names are kimi-cli's); the usual ones where these are not positive numbers.
    pub fn from_env(env: &Env) -> Self {
        let number = |name| env.var(name).and_then(|value| value.trim().parse::<usize>().ok());
        let usual = Self::default();
        Self {
            chars: number("KIMI_CLI_PASTE_CHAR_THRESHOLD")
                .filter(|n| *n > 0)
                .unwrap_or(usual.chars),
            lines: number("KIMI_CLI_PASTE_LINE_THRESHOLD")
                .filter(|n| *n > 0)
                .unwrap_or(usual.lines),
        }
    }

    /// Whether this text is long.
    pub(super) fn reached(self, text: &str) -> bool {
        text.chars().nth(self.chars.saturating_sub(1)).is_some() || lines(text) >= self.lines
    }
}

/// Text as the composer keeps it: line ends are newlines; tabs stay; no other control character.
/// A final newline stays, too.
pub fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push('\n');
            }
            // Unicode's own line and paragraph separators.
            '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The atom of the paste with this number.
pub(super) fn atom(number: usize, content: Arc<str>) -> Fragment {
    let label = match lines(&content) {
        1 => format!("[Pasted text #{number}]"),
        lines => format!("[Pasted text #{number} +{lines} lines]"),
    };
    Fragment::atom(label, Payload::Pasted(content))
}

/// Lines of a text; a final newline does not begin another one.
fn lines(text: &str) -> usize {
    text.lines().count().max(1)
}
