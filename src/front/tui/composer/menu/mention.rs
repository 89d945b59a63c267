//! `@` mentions in the text: where one begins, and how a path is written in one.

use std::fmt::Write;

use crate::mcp::resources::mentions::{may_precede, unquote};

/// A mention that the cursor is at the end of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Mention {
    /// Byte offset of the `@`.
    pub start: usize,
    /// What was typed after it, without quotes and escapes.
    pub fragment: String,
}

/// The mention at the end of `text`, the text before the cursor. A plain one ends at a blank; a
/// quoted one, `@"…"`, at its closing quote. No mention begins behind a letter or a digit, so that
/// mail addresses are left alone, nor behind one of ``. - _ \ ` ' " : @ # ~``.
pub(in super::super) fn at_end(text: &str) -> Option<Mention> {
    let line_start = text.rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[line_start..];
    let mut open: Option<Mention> = None;
    let mut before = None;
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let next = at + c.len_utf8();
        if c == '@' && before.is_none_or(may_precede) {
            let start = line_start + at;
            if line[next..].starts_with('"') {
                let (fragment, length, closed) = unquote(&line[next + 1..]);
                if !closed {
                    return Some(Mention { start, fragment });
                }
                at = next + 1 + length;
                before = Some('"');
                open = None;
                continue;
            }
            open = Some(Mention { start, fragment: String::new() });
        } else if c.is_whitespace() {
            open = None;
        }
        before = Some(c);
        at = next;
    }
    let mention = open?;
    let fragment = text[mention.start + 1..].to_owned();
    Some(Mention { fragment, ..mention })
}

/// How `path` is written in a message. A path with blanks, quotes or control characters is quoted,
/// with escapes as in C; an unfinished one, such as a directory, keeps its quote open.
pub(in super::super) fn written(path: &str, finished: bool) -> String {
    let plain = !path.is_empty()
        && path.chars().all(|c| !(c.is_whitespace() || c.is_control() || c == '"' || c == '\\'));
    if plain {
        return format!("@{path}");
    }
    let quote = if finished { "\"" } else { "" };
    format!("@\"{}{quote}", escaped(path))
}

/// `path` with its control characters, quotes and backslashes as escapes.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c => push_shown(&mut out, c),
        }
    }
    out
}

/// `path` as the menu shows it: control characters are seen as escapes.
pub(super) fn shown(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    path.chars().for_each(|c| push_shown(&mut out, c));
    out
}

fn push_shown(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c.is_control() => {
            // Writing to a string does not fail.
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(text: &str) -> Option<(usize, String)> {
        at_end(text).map(|mention| (mention.start, mention.fragment))
    }

    #[test]
    fn a_mention_begins_at_the_last_free_at_sign() {
        assert_eq!(fragment("@"), Some((0, String::new())));
        assert_eq!(fragment("see @src/ma"), Some((4, "src/ma".to_owned())));
        assert_eq!(fragment("(@a"), Some((1, "a".to_owned())));
        assert_eq!(fragment("@one(@two"), Some((5, "two".to_owned())));
        assert_eq!(fragment("看@文件"), None);
        assert_eq!(fragment("看 @文件"), Some((4, "文件".to_owned())));
        assert_eq!(fragment("a\n@b"), Some((2, "b".to_owned())));
    }

    #[test]
    fn mail_addresses_and_finished_mentions_are_left_alone() {
        for text in ["me@host", "a.@b", "x_@b", "`@b", "@src/main.rs ", "@a\nb", "#@b", ""] {
            assert_eq!(fragment(text), None, "{text:?}");
        }
    }

    #[test]
    fn quotes_let_blanks_in() {
        assert_eq!(fragment("@\"my fi"), Some((0, "my fi".to_owned())));
        assert_eq!(fragment("@\"a \\\"b"), Some((0, "a \"b".to_owned())));
        assert_eq!(fragment("@\"my file\""), None);
        assert_eq!(fragment("@\"my file\" and @b"), Some((15, "b".to_owned())));
        assert_eq!(fragment("@\"x @y"), Some((0, "x @y".to_owned())));
    }

    #[test]
    fn hostile_names_are_quoted_and_read_back() {
        assert_eq!(written("src/main.rs", true), "@src/main.rs");
        assert_eq!(written("my file", true), "@\"my file\"");
        assert_eq!(written("my dir/", false), "@\"my dir/");
        assert_eq!(written("a\nb", true), "@\"a\\nb\"");
        assert_eq!(written("\u{1b}[2J", true), "@\"\\x1b[2J\"");
        assert_eq!(written("say \"hi\" \\", true), "@\"say \\\"hi\\\" \\\\\"");
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\x1b");
        assert_eq!(fragment(&written("a\n\"b\" c/", false)).unwrap().1, "a\n\"b\" c/");
    }
}
