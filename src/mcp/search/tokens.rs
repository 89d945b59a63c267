//! Words of identifiers and prose, lower case and stemmed.
//!
//! `createPullRequest`, `create_pull_request` and "Create a pull request" give the same words.
//! Chinese, Japanese and Korean text, which has no blanks, gives pairs of neighbouring characters;
//! common Chinese words come as their English ones besides.

use super::chinese;
use super::stem::stem;
use super::synonyms::is_stop_word;

/// Characters of a word that count; what is longer is no word.
const MAX_WORD: usize = 40;

/// Calls `found` with each word of the text until it answers `false`. Words that say nothing ("the",
/// "please") are left out.
pub fn each(text: &str, mut found: impl FnMut(&str) -> bool) {
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        rest = rest.get(start..).unwrap_or_default();
        let east_asian = rest.starts_with(is_east_asian);
        let inside = |ch: char| {
            is_east_asian(ch) == east_asian
                && (ch.is_alphanumeric() || (ch == '\'' || ch == '’') && !east_asian)
        };
        let end = rest.find(|ch| !inside(ch)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        let go_on = if east_asian { pairs(run, &mut found) } else { words(run, &mut found) };
        if !go_on {
            return;
        }
    }
}

/// Calls `found` with what two and three neighbouring words make when they are written as one, until
/// it answers `false`: "roll back" is "rollback", "who am I" is "whoami". Words that say nothing count
/// here.
pub fn each_joined(text: &str, mut found: impl FnMut(&str) -> bool) {
    let words: Vec<String> = text
        .split(|ch: char| !ch.is_alphanumeric())
        .filter(|word| !word.is_empty() && word.is_ascii())
        .map(str::to_ascii_lowercase)
        .collect();
    for count in [2, 3] {
        for neighbours in words.windows(count) {
            let joined = neighbours.concat();
            if joined.len() <= MAX_WORD && !found(&stem(&joined)) {
                return;
            }
        }
    }
}

/// The words of one run of letters and digits: its humps, and the whole of it when it has several
/// (`GitHub` is "git", "hub" and "github").
fn words(run: &str, found: &mut impl FnMut(&str) -> bool) -> bool {
    // The apostrophe and what follows: "repository's", "don't".
    let run = run.split(['\'', '’']).next().unwrap_or_default();
    let humps = humps(run);
    let single = humps.len() == 1;
    for hump in humps {
        if !word(hump, found) {
            return false;
        }
    }
    single || word(run, found)
}

fn word(text: &str, found: &mut impl FnMut(&str) -> bool) -> bool {
    if text.len() > MAX_WORD || text.is_empty() {
        return true;
    }
    let lower = text.to_lowercase();
    is_stop_word(&lower) || found(&stem(&lower))
}

/// Splits at `aB`, `ABc` and between letters and digits. The plural of an abbreviation stays whole:
/// `PRs`.
fn humps(run: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = run.char_indices().collect();
    let mut parts = Vec::new();
    let mut start = 0;
    for window in 1..chars.len() {
        let ((_, before), (at, ch)) = (chars[window - 1], chars[window]);
        let after = chars.get(window + 1).map(|&(_, ch)| ch);
        let after_next = chars.get(window + 2).map(|&(_, ch)| ch);
        let plural = after == Some('s') && !after_next.is_some_and(char::is_lowercase);
        let boundary = before.is_numeric() != ch.is_numeric()
            || before.is_lowercase() && ch.is_uppercase()
            || before.is_uppercase()
                && ch.is_uppercase()
                && after.is_some_and(char::is_lowercase)
                && !plural;
        if boundary {
            parts.push(run.get(start..at).unwrap_or_default());
            start = at;
        }
    }
    parts.push(run.get(start..).unwrap_or_default());
    parts
}

/// The pairs of neighbours in a run of east Asian characters, and the English of the words in it.
fn pairs(run: &str, found: &mut impl FnMut(&str) -> bool) -> bool {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).collect();
    let ends = starts.iter().skip(2).copied().chain([run.len()]);
    for (&start, end) in starts.iter().zip(ends) {
        if !found(run.get(start..end).unwrap_or_default()) {
            return false;
        }
    }
    chinese::words_in(run).flat_map(str::split_whitespace).all(|english| found(&stem(english)))
}

fn is_east_asian(ch: char) -> bool {
    matches!(u32::from(ch),
        0x3040..=0x30ff | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af
        | 0xf900..=0xfaff | 0xff66..=0xff9f | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words_of(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each(text, |word| {
            words.push(word.to_owned());
            true
        });
        words
    }

    #[test]
    fn identifiers_and_prose_agree() {
        let expected: Vec<String> = ["create", "pull", "request"].map(stem).into();
        assert_eq!(words_of("create_pull_request"), expected);
        assert_eq!(words_of("Create a pull request."), expected);
        assert_eq!(words_of("create-pull.request"), expected);
        let camel = words_of("createPullRequest");
        assert_eq!(camel[..3], expected);
        assert_eq!(camel[3..], [stem("createpullrequest")]);
    }

    #[test]
    fn humps_follow_case_and_digits() {
        assert_eq!(humps("HTTPServer"), ["HTTP", "Server"]);
        assert_eq!(humps("listPRs"), ["list", "PRs"]);
        assert_eq!(humps("base64Decode"), ["base", "64", "Decode"]);
        assert_eq!(humps("URLsList"), ["URLs", "List"]);
        assert_eq!(humps("x"), ["x"]);
        assert_eq!(words_of("GitHub"), ["git", "hub", "github"]);
    }

    #[test]
    fn words_that_say_nothing_are_left_out() {
        assert_eq!(
            words_of("please show me the repository's logs"),
            [stem("show"), stem("repository"), stem("log")]
        );
        assert_eq!(words_of("… !! ''"), [""; 0]);
    }

    #[test]
    fn neighbours_are_joined() {
        let mut joined = Vec::new();
        each_joined("Who am I, back-up?", |word| {
            joined.push(word.to_owned());
            true
        });
        assert_eq!(joined, ["whoam", "ami", "iback", "backup", "whoami", "amiback", "ibackup"]);
    }

    #[test]
    fn east_asian_text_gives_pairs_and_english() {
        let words = words_of("删除文件");
        assert_eq!(words[..3], ["删除", "除文", "文件"]);
        assert!(words.contains(&stem("delete")) && words.contains(&stem("file")), "{words:?}");
        assert_eq!(words_of("図"), ["図"]);
        assert_eq!(words_of("ファイル")[0], "ファ");
        assert_eq!(words_of("用git提交")[0], "用");
        assert!(words_of("用git提交").contains(&"git".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_has_words_without_end_or_panic(text in any::<String>()) {
            for word in words_of(&text) {
                prop_assert!(!word.is_empty() && word.len() <= 4 * MAX_WORD);
            }
        }
    }
}
