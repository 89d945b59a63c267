//! Patterns over the words of a command or over a name.

use super::shell::{ANY, Word};

/// Stands between words. No command has it.
const BETWEEN: char = '\u{2}';

/// A pattern in which `*` is any text, also none, also of several words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// `None` is `*`.
    items: Vec<Option<char>>,
    /// What may also be missing with the blank before it: the `:*` and ` *` at the end.
    bare: Option<usize>,
    /// The words of a command, as they were written.
    words: Vec<String>,
}

impl Pattern {
    /// A pattern over a command: blanks part words, `cmd:*` and `cmd *` take any further words.
    pub fn of_command(text: &str) -> Self {
        let text =
            text.strip_suffix(":*").map_or_else(|| text.to_owned(), |cmd| format!("{cmd} *"));
        let words: Vec<&str> = text.split_whitespace().collect();
        let open = words.len() > 1 && words.last() == Some(&"*");
        let mut items = Vec::new();
        let mut bare = None;
        for (at, word) in words.iter().enumerate() {
            if open && at + 1 == words.len() {
                bare = Some(items.len());
            }
            if at > 0 {
                items.push(Some(BETWEEN));
            }
            items.extend(word.chars().map(|c| (c != '*').then_some(c)));
        }
        items.dedup_by(|a, b| a.is_none() && b.is_none());
        let words = words.into_iter().map(str::to_owned).collect();
        Self { items, bare, words }
    }

    /// A pattern over a name, such as that of a tool or a host.
    pub fn of_name(text: &str) -> Self {
        let mut items: Vec<_> = text.chars().map(|c| (c != '*').then_some(c)).collect();
        items.dedup_by(|a, b| a.is_none() && b.is_none());
        Self { items, bare: None, words: Vec::new() }
    }

    /// The words of a pattern over a command, without the ` *` at its end.
    pub fn words(&self) -> &[String] {
        let open = usize::from(self.is_open());
        self.words.get(..self.words.len() - open).unwrap_or_default()
    }

    /// The same with the `*` that is glued to its last word apart: of `rm -rf*` that is `rm -rf *`.
    pub fn detached(&self) -> Option<Self> {
        let (last, begin) = self.words.split_last()?;
        let bare = last.strip_suffix('*').filter(|bare| !bare.is_empty() && !bare.contains('*'))?;
        let begin = begin.iter().map(String::as_str);
        let words: Vec<&str> = begin.chain([bare, "*"]).collect();
        Some(Self::of_command(&words.join(" ")))
    }

    /// Whether any further words may follow.
    pub fn is_open(&self) -> bool {
        self.bare.is_some()
    }

    /// Whether a text fits whatever it turns out to be where it is not known.
    pub fn covers(&self, text: &str) -> bool {
        self.fits(text, false)
    }

    /// Whether a text can turn out to fit.
    pub fn may_be(&self, text: &str) -> bool {
        self.fits(text, true)
    }

    fn fits(&self, text: &str, maybe: bool) -> bool {
        let without = |end: usize| fits(self.items.get(..end).unwrap_or_default(), text, maybe);
        fits(&self.items, text, maybe) || self.bare.is_some_and(without)
    }
}

/// The words as a pattern sees them.
pub fn line(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    texts.join(&BETWEEN.to_string())
}

/// Holds a pattern against a text, one row of the table of prefixes after the other.
fn fits(items: &[Option<char>], text: &str, maybe: bool) -> bool {
    let mut row = vec![false; items.len() + 1];
    row[0] = true;
    skip_stars(items, &mut row);
    for c in text.chars() {
        let unknown = maybe && c == ANY;
        let mut next = vec![false; items.len() + 1];
        for at in 0..row.len() {
            if !row[at] {
                continue;
            }
            match items.get(at) {
                Some(None) => next[at] = true,
                Some(Some(wanted)) if *wanted == c => next[at + 1] = true,
                _ => {}
            }
            if unknown {
                // It may be any text: everything further on can be reached.
                next[at..].fill(true);
                break;
            }
        }
        skip_stars(items, &mut next);
        row = next;
        if !row.contains(&true) {
            return false;
        }
    }
    row.last().copied().unwrap_or(false)
}

/// A `*` may be empty.
fn skip_stars(items: &[Option<char>], row: &mut [bool]) {
    for (at, item) in items.iter().enumerate() {
        if row[at] && item.is_none() {
            row[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let words: Vec<Word> =
            text.split(' ').map(|word| Word::known(&word.replace('…', &ANY.to_string()))).collect();
        line(&words)
    }

    #[test]
    fn words_and_stars() {
        for (pattern, fitting, others) in [
            ("git status", vec!["git status"], vec!["git", "git status -s", "git statusx"]),
            (
                "git status:*",
                vec!["git status", "git status -s …"],
                vec!["git statusx", "git …", "git"],
            ),
            (
                "git status *",
                vec!["git status", "git status -s"],
                vec!["git statusx", "agit status"],
            ),
            ("rm -rf*", vec!["rm -rf", "rm -rf x", "rm -rfv"], vec!["rm -r -f", "rm"]),
            ("npm run test*", vec!["npm run test", "npm run test:unit a"], vec!["npm run build"]),
            ("git * main", vec!["git push origin main", "git … main"], vec!["git main", "git x …"]),
            ("*", vec!["a", "a b"], vec![]),
        ] {
            let pattern = Pattern::of_command(pattern);
            for text in fitting {
                assert!(pattern.covers(&words(text)), "{pattern:?} {text}");
                assert!(pattern.may_be(&words(text)), "{pattern:?} {text}");
            }
            for text in others {
                assert!(!pattern.covers(&words(text)), "{pattern:?} {text}");
            }
        }
    }

    #[test]
    fn a_blank_in_a_word_is_none_between_words() {
        let word = line(&[Word::known("git status")]);
        assert!(!Pattern::of_command("git status").covers(&word));
        assert!(!Pattern::of_command("git status:*").may_be(&word));
    }

    #[test]
    fn what_is_not_known_may_be_what_is_forbidden() {
        let push = Pattern::of_command("git push:*");
        assert!(push.may_be(&words("git …")) && !push.covers(&words("git …")));
        assert!(push.may_be(&words("git p…h --force")));
        assert!(!push.may_be(&words("git x…")));
        assert!(Pattern::of_command("rm -rf *").may_be(&words("rm … x")));
    }
}
