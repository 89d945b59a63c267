//! A text field of one row.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

use crate::front::text::{clean_line, width};

/// Longer texts are not typed into one row.
const MAX_BYTES: usize = 16 * 1024;

/// Text being edited, with a caret between grapheme clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// Byte offset of the caret, always between two clusters.
    caret: usize,
}

impl Field {
    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing but blanks in it.
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.text.clear();
        self.caret = 0;
    }

    /// Inserts text at the caret; newlines become blanks.
    pub fn insert(&mut self, text: &str) {
        let text = clean_line(text);
        if self.text.len() + text.len() > MAX_BYTES {
            return;
        }
        self.text.insert_str(self.caret, &text);
        self.caret += text.len();
    }

    /// Emoji may come character by character, so a joiner alone is not thrown away.
    fn type_char(&mut self, c: char) {
        if c == '\u{200d}' && self.text.len() < MAX_BYTES {
            self.text.insert(self.caret, c);
            self.caret += c.len_utf8();
        } else {
            self.insert(c.encode_utf8(&mut [0; 4]));
        }
    }

    /// Takes an editing key; `false` when it is none.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match (key.code, control, alt) {
            (KeyCode::Char('a'), true, _) | (KeyCode::Home, ..) => self.caret = 0,
            (KeyCode::Char('e'), true, _) | (KeyCode::End, ..) => self.caret = self.text.len(),
            (KeyCode::Char('b'), true, _) | (KeyCode::Left, false, false) => {
                self.caret = self.before();
            }
            (KeyCode::Char('f'), true, _) | (KeyCode::Right, false, false) => {
                self.caret = self.after();
            }
            (KeyCode::Char('h'), true, _) | (KeyCode::Backspace, false, false) => {
                self.cut(self.before(), self.caret);
            }
            (KeyCode::Delete, ..) => self.cut(self.caret, self.after()),
            (KeyCode::Char('u'), true, _) => self.cut(0, self.caret),
            (KeyCode::Char('k'), true, _) => self.cut(self.caret, self.text.len()),
            (KeyCode::Char('w'), true, _) | (KeyCode::Backspace, ..) => {
                self.cut(self.word_start(), self.caret);
            }
            (KeyCode::Char(c), false, false) => self.type_char(c),
            _ => return false,
        }
        true
    }

    /// The part of the text around the caret that fits into `columns`, and the caret's column in
    /// it.
    pub fn view(&self, columns: usize) -> (String, usize) {
        let columns = columns.max(1);
        let (before, after) = self.text.split_at_checked(self.caret).unwrap_or((&self.text, ""));
        let mut left = String::new();
        let mut start = before.len();
        let mut used = 0;
        for (at, cluster) in before.grapheme_indices(true).rev() {
            // One column is left for the caret itself.
            if used + width(cluster) > columns.saturating_sub(1) {
                break;
            }
            used += width(cluster);
            start = at;
        }
        left.push_str(before.get(start..).unwrap_or_default());
        let caret = used;
        for cluster in after.graphemes(true) {
            if used + width(cluster) > columns {
                break;
            }
            used += width(cluster);
            left.push_str(cluster);
        }
        (left, caret)
    }

    fn before(&self) -> usize {
        let (before, _) = self.text.split_at_checked(self.caret).unwrap_or_default();
        before.grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let (_, after) = self.text.split_at_checked(self.caret).unwrap_or_default();
        self.caret + after.graphemes(true).next().map_or(0, str::len)
    }

    fn word_start(&self) -> usize {
        let (before, _) = self.text.split_at_checked(self.caret).unwrap_or_default();
        let trimmed = before.trim_end();
        trimmed.rfind(char::is_whitespace).map_or(0, |at| {
            at + trimmed.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
        })
    }

    fn cut(&mut self, from: usize, to: usize) {
        if from < to && self.text.is_char_boundary(from) && self.text.is_char_boundary(to) {
            self.text.replace_range(from..to, "");
            self.caret = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Field {
        let mut field = Field::default();
        for c in keys.chars() {
            let code = match c {
                '<' => KeyCode::Left,
                '⌫' => KeyCode::Backspace,
                c => KeyCode::Char(c),
            };
            assert!(field.key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
        field
    }

    fn control(field: &mut Field, c: char) -> bool {
        field.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
    }

    #[test]
    fn whole_clusters_move_and_go() {
        assert_eq!(typed("a文👨‍👩‍👧⌫").text(), "a文");
        assert_eq!(typed("ab<<x").text(), "xab");
        assert_eq!(typed("e\u{301}⌫").text(), "");
    }

    #[test]
    fn words_and_lines_go() {
        let mut field = typed("one two  ");
        assert!(control(&mut field, 'w'));
        assert_eq!(field.text(), "one ");
        assert!(control(&mut field, 'u'));
        assert!(field.is_blank());
        assert!(!control(&mut field, 'x'));
    }

    #[test]
    fn the_view_follows_the_caret() {
        let mut field = typed("abcdefghij");
        assert_eq!(field.view(5), ("ghij".to_owned(), 4));
        control(&mut field, 'a');
        assert_eq!(field.view(5), ("abcde".to_owned(), 0));
        assert_eq!(typed("文文文").view(4), ("文".to_owned(), 2));
    }

    #[test]
    fn pasted_text_is_cleaned_and_bounded() {
        let mut field = Field::default();
        field.insert("a\nb\u{1b}[31mc");
        assert!(!field.text().contains(|c: char| c.is_control()));
        field.insert(&"x".repeat(MAX_BYTES));
        assert!(field.text().len() < 100);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]

        #[test]
        fn the_caret_stays_between_clusters(keys in "[a世👨\u{200d}\u{301} <⌫]{0,40}", control in "[abefhukw]{0,6}", columns in 0_usize..20) {
            let mut field = typed(&keys);
            for c in control.chars() {
                super::tests::control(&mut field, c);
                let (shown, caret) = field.view(columns);
                proptest::prop_assert!(field.text.is_char_boundary(field.caret));
                proptest::prop_assert!(width(&shown) <= columns.max(1));
                proptest::prop_assert!(caret < columns.max(1));
            }
        }
    }
}
