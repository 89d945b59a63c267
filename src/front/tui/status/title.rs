//! The window title: a state word first, set only when it changes.

use crate::front::text::{clean_line, truncate};

/// The state word of the title; orchestrators read it as `#{pane_title}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Idle,
    Working,
    NeedsApproval,
    NeedsAnswer,
    Error,
}

impl State {
    /// The word as it stands in the title.
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::NeedsApproval => "needs approval",
            Self::NeedsAnswer => "needs answer",
            Self::Error => "error",
        }
    }
}

/// Widest title and widest directory name, in columns.
const TITLE: usize = 60;
const DIRECTORY: usize = 24;

/// The title that the terminal has now.
#[derive(Debug, Default)]
pub struct Title {
    shown: Option<String>,
}

impl Title {
    /// The bytes that set `STATE: title — dir`; empty when it is set already. The first call also
    /// puts the title that was there before on the terminal's stack.
    pub fn set(&mut self, state: State, title: &str, directory: &str) -> Vec<u8> {
        let title = truncate(&visible(title), TITLE);
        let directory = truncate(&visible(directory), DIRECTORY);
        let mut text = state.word().to_owned();
        if !title.is_empty() {
            text.push_str(": ");
            text.push_str(&title);
        }
        if !directory.is_empty() {
            text.push_str(" — ");
            text.push_str(&directory);
        }
        if self.shown.as_ref() == Some(&text) {
            return Vec::new();
        }
        let save = if self.shown.is_none() { "\x1b[22;2t" } else { "" };
        let bytes = format!("{save}\x1b]2;{text}\x1b\\").into_bytes();
        self.shown = Some(text);
        bytes
    }

    /// The bytes that bring the old title back; empty when it was never changed.
    pub fn restore(&mut self) -> Vec<u8> {
        match self.shown.take() {
            Some(_) => b"\x1b]2;\x1b\\\x1b[23;2t".to_vec(),
            None => Vec::new(),
        }
    }
}

/// One line of text without anything that could end or steer an OSC sequence.
pub(super) fn visible(text: &str) -> String {
    clean_line(text)
        .chars()
        .filter(|c| {
            !c.is_control()
                && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_written_and_the_old_title_comes_back() {
        let mut title = Title::default();
        assert!(title.restore().is_empty());
        assert_eq!(
            title.set(State::Idle, "Fix it", "src"),
            b"\x1b[22;2t\x1b]2;idle: Fix it \xe2\x80\x94 src\x1b\\"
        );
        assert!(title.set(State::Idle, "Fix it", "src").is_empty());
        assert_eq!(title.set(State::NeedsApproval, "", ""), b"\x1b]2;needs approval\x1b\\");
        assert_eq!(title.restore(), b"\x1b]2;\x1b\\\x1b[23;2t");
        assert!(title.restore().is_empty());
    }

    #[test]
    fn hostile_titles_cannot_leave_the_sequence() {
        let bytes =
            Title::default().set(State::Error, "a\x1b\\\x1b[2J\x07\u{9c}\nb\u{202e}", "d\x00");
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(text, "\x1b[22;2t\x1b]2;error: a b<U+202E> — d\x1b\\");
    }
}
