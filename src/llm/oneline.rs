//! Text of a server inside an error message of ours.

use crate::platform::hidden::is_hidden;

/// Characters of foreign text that an error message carries at most.
pub(super) const EXCERPT: usize = 500;

/// The text on one line: white space and control characters become single blanks, characters that
/// reorder or hide text go, and after `limit` characters it ends with an ellipsis.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut chars = 0;
    let mut blank = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            blank = !line.is_empty();
            continue;
        }
        if is_hidden(c) {
            continue;
        }
        if chars + usize::from(blank) >= limit {
            line.push('…');
            break;
        }
        if std::mem::take(&mut blank) {
            line.push(' ');
            chars += 1;
        }
        line.push(c);
        chars += 1;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_one_harmless_line() {
        assert_eq!(one_line(" a\r\n\tb\u{1b}[31m\u{202e}c\u{0}\u{9b}d ", 99), "a b [31mc d");
        assert_eq!(one_line("\u{1b}\n", 9), "");
        assert_eq!(one_line("a\u{3164}\u{115f}\u{34f}\u{e0100}b", 9), "ab");
    }

    #[test]
    fn it_is_cut_by_characters() {
        assert_eq!(one_line("äöü ß", 3), "äöü…");
        assert_eq!(one_line("äöü   ", 3), "äöü");
        assert_eq!(one_line(&"x".repeat(9999), 500).chars().count(), 501);
    }
}
