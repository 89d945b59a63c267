//! Foreign text on its way to a client, which may show it in a terminal of its own: what tools print is
//! made harmless, what a person consents to is written out. Unlike on a screen of ours, tabs stay: an
//! editor knows what to do with them.

use std::borrow::Cow;

use crate::mcp::tidy::without_escapes;

/// What a tool has printed, without terminal escape sequences and control characters. A lone carriage
/// return overwrites its line, as it does in a terminal; what reorders text is written out.
pub(super) fn cleaned(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| is_control(c) || is_reordering(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (at, line) in without_escapes(text).split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        // The end of the line in other systems.
        let line = line.trim_end_matches('\r');
        let last = line.rsplit('\r').next().unwrap_or_default();
        for c in last.chars() {
            match c {
                c if is_reordering(c) => out.push_str(&code_point(c)),
                c if is_control(c) => {}
                c => out.push(c),
            }
        }
    }
    Cow::Owned(out)
}

/// What a person is asked to consent to, with everything written out that cannot be seen: control
/// characters as `^[`, what is invisible or reorders text as `<U+202E>`.
pub(super) fn written_out(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| is_control(c) || is_reordering(c) || is_invisible(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0'..='\u{1f}' | '\u{7f}' if is_control(c) => {
                out.push('^');
                out.push(char::from(c as u8 ^ 0x40));
            }
            c if is_control(c) || is_reordering(c) || is_invisible(c) => {
                out.push_str(&code_point(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn code_point(c: char) -> String {
    format!("<U+{:04X}>", u32::from(c))
}

/// Control characters but for those that lay out text.
fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Overrides and isolates of the direction, and line breaks of other kinds.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Characters without a glyph. Joiners are part of letters and emoji.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}'..='\u{2064}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_printed_is_harmless() {
        for (text, left) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[31mred\u{1b}[0m\u{7}\u{1b}]0;title\u{7}!", "red!"),
            (" 10%\r 50%\r100%\nend\r\n", "100%\nend\n"),
            ("a\u{202e}b\u{9b}2Jc\u{0}d", "a<U+202E>bcd"),
            ("日本 👩‍👩‍👧 é", "日本 👩‍👩‍👧 é"),
        ] {
            assert_eq!(cleaned(text), left, "{text:?}");
        }
    }

    #[test]
    fn what_is_consented_to_is_seen_whole() {
        for (text, seen) in [
            ("ls\n\t-l", "ls\n\t-l"),
            ("echo \u{1b}[8mrm -rf /\r\u{7f}", "echo ^[[8mrm -rf /^M^?"),
            ("a\u{202e}\u{200b}\u{9b}\u{e0041}", "a<U+202E><U+200B><U+009B><U+E0041>"),
            ("👩‍👧", "👩‍👧"),
        ] {
            assert_eq!(written_out(text), seen, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_harmful_is_left(text in "[a-c\\r\\n\\x1b\\[\\]\\x07\\x{9b}\\x{202e}31m;]{0,40}") {
            for clean in [cleaned(&text), written_out(&text)] {
                prop_assert!(!clean.chars().any(|c| is_control(c) || is_reordering(c)));
                prop_assert_eq!(cleaned(&clean), &*clean);
            }
        }
    }
}
