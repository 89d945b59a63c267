//! A command line as options and operands.

use crate::permission::shell::{ANY, Word};

/// The words behind a program, sorted.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Letters of short options, also within a cluster.
    letters: String,
    /// Long options, without the dashes and values.
    long: Vec<String>,
    /// Values of options: the letter or the long name, and the value.
    pub values: Vec<(String, Word)>,
    pub operands: Vec<Word>,
    /// Whether an option may be several words, operands among them.
    pub several: bool,
}

impl Line {
    /// Reads the words behind a program. `valued`: the letters of options that take a value; `long`: the
    /// long ones that take the next word.
    pub fn of(words: &[Word], valued: &str, long: &[&str]) -> Self {
        let mut line = Self::default();
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            line.several |= word.several && text.starts_with('-');
            if text == "--" {
                line.operands.extend(words.cloned());
                break;
            }
            if let Some(option) = text.strip_prefix("--") {
                match option.split_once('=') {
                    Some((name, value)) => {
                        line.long.push(name.to_owned());
                        line.values.push((name.to_owned(), Word::known(value)));
                    }
                    None => {
                        line.long.push(option.to_owned());
                        if long.contains(&option) {
                            line.values
                                .extend(words.next().map(|v| (option.to_owned(), v.clone())));
                        }
                    }
                }
                continue;
            }
            match text.strip_prefix('-') {
                Some(cluster) if !cluster.is_empty() => {
                    for (at, letter) in cluster.char_indices() {
                        line.letters.push(letter);
                        if !valued.contains(letter) || letter == ANY {
                            continue;
                        }
                        let own = cluster.get(at + letter.len_utf8()..).unwrap_or_default();
                        let value = match own.is_empty() {
                            true => words.next().cloned(),
                            false => Some(Word::known(own)),
                        };
                        line.values.extend(value.map(|value| (letter.to_string(), value)));
                        break;
                    }
                }
                _ => line.operands.push(word.clone()),
            }
        }
        line
    }

    /// Whether one of these short options is given.
    pub fn has(&self, letters: &str) -> bool {
        self.letters.contains(|c| letters.contains(c))
    }

    /// Whether a long option is given, shortened or not.
    pub fn has_long(&self, name: &str) -> bool {
        self.long.iter().any(|given| !given.is_empty() && name.starts_with(given.as_str()))
    }

    /// The values of an option: its letter, or the begin of its long name.
    pub fn value(&self, letter: char, name: &str) -> impl Iterator<Item = &Word> {
        let letter = letter.to_string();
        self.values.iter().filter_map(move |(given, value)| {
            let short = *given == letter;
            let long = given.len() > 1 && name.starts_with(given.as_str());
            (short || long).then_some(value)
        })
    }
}
