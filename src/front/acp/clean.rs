//! Foreign text on its way to a client, which may show it in a terminal of its own: what tools print is
//! made harmless, what a person consents to is written out. Unlike on a screen of ours, tabs stay: an
//! editor knows what to do with them.

use crate::front::text::{clean_tabbed, visible};

/// What a tool has printed, as it would stand in a terminal: without escape sequences, control and hidden
/// characters.
pub(super) fn cleaned(text: &str) -> String {
    clean_tabbed(text)
}

/// What a person is asked to consent to, with everything written out that cannot be seen: control
/// characters as `^[`, what is invisible or reorders text as `<U+202E>`.
pub(super) fn written_out(text: &str) -> String {
    text.split('\t').map(visible).collect::<Vec<_>>().join("\t")
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
            ("1%\tfoo\r\u{1b}[K2%\tbar", "2%  bar"),
            ("a\t\u{1b}]0;ti\ttle\u{7}b\n\tc", "a\tb\n\tc"),
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
            ("rm\u{3164}x\u{fe0f}", "rm<U+3164>x<U+FE0F>"),
        ] {
            assert_eq!(written_out(text), seen, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_harmful_is_left(text in "[a-c\\r\\n\\t\\x08\\x1b\\[\\]\\x07\\x{9b}\\x{202e}31m;]{0,40}") {
            for clean in [cleaned(&text), written_out(&text)] {
                let reorders = |c| matches!(c, '\u{202a}'..='\u{202e}');
                let controls = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
                prop_assert!(!clean.chars().any(|c| controls(c) || reorders(c)), "{clean:?}");
                prop_assert_eq!(cleaned(&clean), clean);
            }
        }
    }
}
