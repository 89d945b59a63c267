//! Text of servers on its way to the model: one line, no control characters, no hidden ones, short.

use std::borrow::Cow;

use crate::platform::hidden::is_hidden;

/// Ends a text that was cut.
const ELLIPSIS: char = '…';

/// The text on one line of at most `limit` characters, the mark of a cut included. Whitespace of any
/// kind becomes single blanks; control characters and characters that cannot be seen vanish. No more
/// of the text is read than is needed.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    let mut gap = false;
    // A text of nothing but hidden characters must not be read to its end.
    let text = prefix(text, limit.saturating_mul(32).saturating_add(256));
    for ch in without_escapes(text).chars() {
        if ch.is_whitespace() {
            gap = !out.is_empty();
            continue;
        }
        if is_hidden(ch) {
            continue;
        }
        let needed = 1 + usize::from(gap);
        if count + needed > limit {
            return cut(out, limit);
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push(ch);
        count += needed;
    }
    out
}

/// A name that a person chose, or somebody for them, on one line of at most `limit` characters. What
/// cannot be seen in it is written out, `<U+202E>`, and so is what would be taken for that: names that
/// differ are told apart here and on a screen, as long as none is cut.
pub fn name_written_out(name: &str, limit: usize) -> String {
    let mut out = String::new();
    let name = prefix(name, limit.saturating_mul(4).saturating_add(4));
    let mut before = ' ';
    for (at, ch) in name.char_indices() {
        let rest = name.get(at + ch.len_utf8()..).unwrap_or_default();
        let is_lost = match ch {
            // One at an end, and all but the first of several.
            ' ' => before == ' ' || rest.is_empty(),
            '<' => rest.starts_with("U+"),
            ch => is_hidden(ch) || ch.is_whitespace(),
        };
        if is_lost {
            out.push_str(&format!("<U+{:04X}>", u32::from(ch)));
        } else {
            out.push(ch);
        }
        before = if is_lost { '>' } else { ch };
    }
    one_line(&out, limit)
}

/// What a launcher of packages said without the frames of its spinner: they tell nothing, and whoever
/// reads a screen by program takes them for a turn that runs.
pub fn without_spinner(text: &str) -> String {
    let frame = |c: char| matches!(c, '\u{2800}'..='\u{28ff}' | '\u{1f311}'..='\u{1f318}');
    text.chars().filter(|c| !frame(*c)).collect()
}

/// The text without terminal escape sequences, those cut off at its end included. One that opens a
/// string and never ends it takes nothing else with it.
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains(['\u{1b}', '\u{9b}']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        let (before, sequence) = rest.split_at(at);
        out.push_str(before);
        rest = sequence.get(escape_length(sequence)..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Bytes of the sequence that the text begins with.
fn escape_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let parameters = |c: char| matches!(c, '\u{20}'..='\u{3f}');
    let kind =
        if text.starts_with('\u{9b}') { Some('[') } else { chars.next().map(|(_, kind)| kind) };
    match kind {
        None => text.len(),
        Some('[') => match chars.find(|(_, c)| !parameters(*c)) {
            Some((at, c @ '\u{40}'..='\u{7e}')) => at + c.len_utf8(),
            // Broken: what broke it is text again.
            Some((at, _)) => at,
            None => text.len(),
        },
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let end = |stop: &str| text.find(stop).map(|at| at + stop.len());
            let ends = [end("\u{7}"), text.get(1..).and_then(|_| end("\u{1b}\\"))];
            ends.into_iter().flatten().min().unwrap_or(2)
        }
        // Intermediates and a final character.
        Some('\u{20}'..='\u{2f}') => match chars.find(|(_, c)| !matches!(c, '\u{20}'..='\u{2f}')) {
            Some((at, c)) if c.is_ascii_graphic() => at + c.len_utf8(),
            Some((at, _)) => at,
            None => text.len(),
        },
        // Those of one character that are in use; before any other one it is only noise.
        Some('7' | '8' | '=' | '>' | 'D' | 'E' | 'H' | 'M' | 'N' | 'O' | 'Z' | 'c') => 2,
        Some(_) => 1,
    }
}

/// The first `limit` bytes of a text, at a character boundary.
pub fn prefix(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// Makes room for the mark of a cut in a text of about `limit` characters.
fn cut(mut text: String, limit: usize) -> String {
    if limit == 0 {
        return String::new();
    }
    if text.chars().count() >= limit {
        text.pop();
    }
    text.truncate(text.trim_end().len());
    text.push(ELLIPSIS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn becomes_one_line() {
        assert_eq!(one_line("  a\n\tb\u{1b}[31m \u{202e}c\u{200b} ", 80), "a b c");
        assert_eq!(one_line("", 80), "");
        assert_eq!(one_line("\u{e0041}\u{e0042}", 80), "");
    }

    #[test]
    fn a_name_shows_what_cannot_be_seen() {
        for (name, shown) in [
            ("plain name", "plain name"),
            ("mal\u{202e}4", "mal<U+202E>4"),
            ("a\nb\u{1b}[31m", "a<U+000A>b<U+001B>[31m"),
            ("\u{2028}\u{200b}", "<U+2028><U+200B>"),
            ("é你", "é你"),
            ("a\u{34f}\u{17b4}\u{e0100}b", "a<U+034F><U+17B4><U+E0100>b"),
            ("mal<U+202E>4", "mal<U+003C>U+202E>4"),
            ("<u+1> <U <", "<u+1> <U <"),
            (" a  b ", "<U+0020>a <U+0020>b<U+0020>"),
            ("", ""),
        ] {
            assert_eq!(name_written_out(name, 60), shown, "{name:?}");
        }
        assert_eq!(name_written_out(&"\u{202e}".repeat(9999), 10), "<U+202E><…");
    }

    #[test]
    fn escape_sequences_vanish_whole() {
        for (text, left) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}1;2Ha\u{1b}(Bb\u{1b}7c", "abc"),
            ("\u{1b}]0;title\u{7}a\u{1b}]8;;u\u{1b}\\b", "ab"),
            ("\u{1b}]0;never ends", "0;never ends"),
            ("a\u{1b}[31", "a"),
            ("a\u{1b}", "a"),
            ("a\u{1b}[3\u{e9}", "a\u{e9}"),
            ("a\u{1b}\u{e9}", "a\u{e9}"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_escapes(text), left, "{text:?}");
        }
    }

    #[test]
    fn a_spinner_vanishes() {
        assert_eq!(without_spinner("⠋ Resolving 🌑⠙⠿ it."), " Resolving  it.");
        assert_eq!(without_spinner("─ • é 你"), "─ • é 你");
    }

    #[test]
    fn is_cut_with_a_mark() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcde…");
        assert_eq!(one_line("abcd efg", 6), "abcd…");
        assert_eq!(one_line("ab", 1), "…");
        assert_eq!(one_line("ab", 0), "");
    }

    #[test]
    fn a_prefix_ends_between_characters() {
        assert_eq!(prefix("añb", 2), "a");
        assert_eq!(prefix("añb", 3), "añ");
        assert_eq!(prefix("añb", 99), "añb");
        assert_eq!(prefix("日", 0), "");
    }

    proptest! {
        #[test]
        fn names_that_differ_are_told_apart(
            one in "[ <U+0a\u{a0}\u{200b}\u{202e}\u{2028}\u{1b}\\[>]{0,7}|<U\\+00[23][0C]>",
            other in "[ <U+0a\u{a0}\u{200b}\u{202e}\u{2028}\u{1b}\\[>]{0,7}|<U\\+00[23][0C]>",
        ) {
            let shown = [&one, &other].map(|name| name_written_out(name, 99));
            prop_assert_eq!(one == other, shown[0] == shown[1], "{:?} {:?}", one, other);
            // Nobody who tidies it up takes that away.
            prop_assert_eq!(one_line(&shown[0], 99), shown[0].clone());
        }

        #[test]
        fn no_escape_is_left(text in "[\u{1b}\u{9b}\\[\\]\u{7}a0; \u{e9}(\\\\]{0,24}") {
            let left = without_escapes(&text);
            prop_assert!(!left.contains(['\u{1b}', '\u{9b}']), "{:?}", left);
        }

        #[test]
        fn stays_within_the_limit(text in any::<String>(), limit in 0usize..40) {
            let line = one_line(&text, limit);
            prop_assert!(line.chars().count() <= limit);
            prop_assert!(!line.chars().any(|ch| is_hidden(ch) || ch == '\n'));
            prop_assert_eq!(one_line(&line, limit), line);
        }
    }
}
