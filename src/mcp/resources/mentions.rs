//! `@server:uri` in a message: where one begins and ends, and whose it is.

use crate::mcp::names::sanitized;

/// Mentions of one message that are read.
const MOST_MENTIONS: usize = 16;
/// What ends a sentence and no address.
const PUNCTUATION: &str = ".,;:!?)]}>'\"*_`。，；：！？）」";

/// A resource that a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// What stands behind the `@`, without quotes and escapes.
    pub written: String,
    /// The server's name in the configuration; `None` when there is no such server.
    pub server: Option<String>,
    pub uri: String,
}

/// The resources that `text` names, each once. What begins with the name of one of the `servers` and
/// a colon is one; of other servers only what has a whole address behind the colon, so that
/// `@npm:react` stays what it is. `is_listed` says whether a server lists that very address: then the
/// punctuation at its end belongs to it.
pub fn mentions(
    text: &str,
    servers: &[&str],
    is_listed: impl Fn(&str, &str) -> bool,
) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    if servers.is_empty() {
        return found;
    }
    for (written, quoted) in at_words(text) {
        let Some((server, uri)) = split(&written, servers) else { continue };
        let whole = quoted || server.is_some_and(|server| is_listed(server, uri));
        let address = if whole { uri } else { uri.trim_end_matches(|c| PUNCTUATION.contains(c)) };
        if address.is_empty() {
            continue;
        }
        let dropped = uri.len() - address.len();
        let mention = Mention {
            server: server.map(str::to_owned),
            uri: address.to_owned(),
            written: written[..written.len() - dropped].to_owned(),
        };
        if !found.contains(&mention) {
            found.push(mention);
        }
        if found.len() == MOST_MENTIONS {
            break;
        }
    }
    found
}

/// The server that a word names, and the address behind its colon.
fn split<'a, 's>(word: &'a str, servers: &[&'s str]) -> Option<(Option<&'s str>, &'a str)> {
    let rest =
        |name: &str| word.strip_prefix(name)?.strip_prefix(':').filter(|uri| !uri.is_empty());
    // Names may have colons in them: the longest that fits is meant.
    let mut known: Vec<&'s str> = servers.to_vec();
    known.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let hit = known.iter().find_map(|name| {
        rest(name).or_else(|| rest(&sanitized(name))).map(|uri| (Some(*name), uri))
    });
    hit.or_else(|| {
        let (name, uri) = word.split_once(':')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        let (scheme, address) = uri.split_once("://")?;
        let is_address = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(plain)
            && !address.is_empty();
        (is_address && !name.is_empty() && !name.contains('/')).then_some((None, uri))
    })
}

/// What stands behind each free `@` up to the next blank, or in the quotes behind it.
fn at_words(text: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut before = None;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        if c != '@' || !before.is_none_or(may_precede) {
            (before, at) = (Some(c), next);
            continue;
        }
        let rest = &text[next..];
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, length, closed) = unquote(quoted);
            if closed {
                words.push((word, true));
                (before, at) = (Some('"'), next + 1 + length);
                continue;
            }
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        words.push((rest[..end].to_owned(), false));
        (before, at) = (rest[..end].chars().next_back(), next + end);
    }
    words
}

/// Whether a mention may begin behind this character: not within a word, so that mail addresses are
/// left alone, nor behind one of ``. - _ \ ` ' " : @ # ~``.
pub fn may_precede(c: char) -> bool {
    !(c.is_alphanumeric() || ".-_\\`'\":@#~".contains(c))
}

/// The text up to the closing quote, the bytes read with it, and whether there was one.
pub fn unquote(text: &str) -> (String, usize, bool) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (out, at + 1, true),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c)) => out.push(c),
                None => {}
            },
            c => out.push(c),
        }
    }
    (out, text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<String> {
        let servers = ["docs", "my docs", "a:b", "a"];
        let mentions = mentions(text, &servers, |_, uri| uri == "x://odd).");
        mentions
            .iter()
            .map(|it| format!("{:?} {}", it.server.as_deref().unwrap_or("-"), it.uri))
            .collect()
    }

    #[test]
    fn mentions_are_found() {
        assert_eq!(found("see @docs:file:///a/b.md, please"), ["\"docs\" file:///a/b.md"]);
        assert_eq!(found("(@docs:x://y)"), ["\"docs\" x://y"]);
        assert_eq!(found("@docs:x://odd)."), ["\"docs\" x://odd)."]);
        assert_eq!(
            found("@\"my docs:x://a b.\" @my_docs:x://c"),
            ["\"my docs\" x://a b.", "\"my docs\" x://c"]
        );
        assert_eq!(found("@a:b:c @a:d"), ["\"a:b\" c", "\"a\" d"]);
        assert_eq!(found("@docs:x://1 @docs:x://1"), ["\"docs\" x://1"]);
        assert_eq!(found("@gone:x://1"), ["\"-\" x://1"]);
        assert_eq!(found(&"@docs:x ".repeat(3)).len(), 1);
        let many: String = (0..100).map(|n| format!("@docs:x{n} ")).collect();
        assert_eq!(found(&many).len(), MOST_MENTIONS);
    }

    #[test]
    fn other_uses_of_the_sign_are_left_alone() {
        for text in [
            "me@docs:x",
            "a.@docs:x",
            "`@docs:x`",
            "@docs",
            "@docs:",
            "@docs: x",
            "@docs:.",
            "@npm:react",
            "@https://h/x",
            "@src/a:b://c",
            "@path:with:colon",
            "@",
            "@:",
            "@\"docs:x",
            "docs:x://y",
        ] {
            assert_eq!(found(text), [] as [&str; 0], "{text}");
        }
        assert_eq!(mentions("@gone:x://1", &[], |_, _| true), []);
    }

    #[test]
    fn what_was_written_is_kept_for_the_notice() {
        let found = mentions("@docs:x://a, b", &["docs"], |_, _| false);
        assert_eq!(found[0].written, "docs:x://a");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[@\":a-c /\\\\.é\n]{0,60}") {
            mentions(&text, &["a", "b:c"], |_, _| false);
        }
    }
}
