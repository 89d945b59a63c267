//! Where programs are found on a line that sets `PATH`.

use super::variables::{Variables, behind};
use super::{ANY, Word};

/// A part of a `PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Searched {
    /// A directory.
    Dir(Word),
    /// The directories that were searched before.
    Usual,
    /// Directories that are only known when the line runs.
    Unknown,
}

/// The parts of a `PATH`, as it is written. `$HOME`, `$PWD` and `$PATH` are known.
pub(super) fn of(written: &str, variables: &mut Variables) -> Vec<Searched> {
    let bare = match written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inside) if !inside.contains(['\'', '$', '~']) => inside.to_owned(),
        Some(_) => return vec![Searched::Unknown],
        None => written.replace('"', ""),
    };
    bare.split(':').map(|part| part_of(part, variables)).collect()
}

/// The parts of a `PATH` of which only the word is known.
pub(super) fn of_word(value: &Word) -> Vec<Searched> {
    value
        .text
        .split(':')
        .map(|part| if part.contains(ANY) { Searched::Unknown } else { dir(part) })
        .collect()
}

fn part_of(part: &str, variables: &mut Variables) -> Searched {
    if matches!(part, "$PATH" | "${PATH}") {
        return Searched::Usual;
    }
    let below = |begin: &str| behind(begin, part).filter(|rest| is_plain(rest));
    if let Some(rest) = variables.leads_below("HOME", part, is_plain).or_else(|| below("~")) {
        return Searched::Dir(Word::below_home(rest));
    }
    if let Some(rest) = variables.leads_below("PWD", part, is_plain).or_else(|| below("$(pwd)")) {
        return dir(&format!("./{rest}"));
    }
    if is_plain(part) { dir(part) } else { Searched::Unknown }
}

/// Whether nothing in a text means anything but itself.
fn is_plain(text: &str) -> bool {
    !text.contains(['$', '`', '\\', '\'', '~', '*', '?', '[', '{', '('])
}

/// No name at all is the directory where the line runs.
fn dir(part: &str) -> Searched {
    Searched::Dir(Word::known(if part.is_empty() { "." } else { part }))
}

impl Searched {
    /// The word by which a program in it is reached.
    pub fn program(&self, name: &str) -> Option<Word> {
        let Self::Dir(dir) = self else { return None };
        let join = |text: &str| format!("{}/{name}", text.trim_end_matches('/'));
        Some(Word { text: join(&dir.text), glob: dir.glob.as_deref().map(join), several: false })
    }
}
