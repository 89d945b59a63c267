//! What a line does with its variables: which it sets, to what, and where else it has their names.

use super::{Reader, Word};

/// The variables of a line and of all scripts in it.
#[derive(Default)]
pub(super) struct Variables {
    /// Those that are set, and whether to a number.
    set: Vec<(String, bool)>,
    /// Every script that was read, the line among them.
    pub sources: Vec<String>,
    /// Names that were taken for the directories that they usually hold, and the words that have them.
    homes: Vec<(&'static str, String)>,
}

impl Variables {
    /// A script is read.
    pub fn reads(&mut self, source: &str) {
        self.sources.push(joined_lines(source));
    }

    /// A variable is set, however its name is spelled.
    pub fn sets(&mut self, name: &str, number: bool) {
        self.set.push((joined_lines(name), number));
    }

    /// A variable is set to a word.
    pub fn sets_to(&mut self, name: &str, value: &Word) {
        self.sets(name, is_number(value));
    }

    /// What stands behind the slash in `$NAME/…`, `"${NAME}/…"`, where that is `plain`. From then on the word
    /// counts as a path below the directory that the variable holds, if nothing sets it.
    pub fn leads_below<'a>(
        &mut self,
        name: &'static str,
        word: &'a str,
        plain: impl Fn(&str) -> bool,
    ) -> Option<&'a str> {
        let inside = word.strip_prefix('"').map_or(Some(word), |word| word.strip_suffix('"'))?;
        let rest = behind(&format!("${name}"), inside)
            .or_else(|| behind(&format!("${{{name}}}"), inside))
            .filter(|rest| plain(rest))?;
        self.homes.push((name, word.to_owned()));
        Some(rest)
    }

    /// Whether every value that is given to a variable is a number.
    pub fn is_number(&self, name: &str) -> bool {
        self.set.iter().all(|(set, number)| set != name || *number)
    }

    /// Whether nothing is done with a variable but to look what it holds.
    fn is_only_read(&self, name: &str) -> bool {
        let reads = |text: &String| {
            let used = |mark: &str| text.matches(&format!("{mark}{name}")).count();
            text.matches(name).count() == used("$") + used("${")
        };
        self.set.iter().all(|(set, _)| set != name) && self.sources.iter().all(reads)
    }
}

impl Reader {
    /// Says of words that lead below a directory that the line changes that they are not known. Only at the
    /// end: in a loop what comes later comes before.
    pub(super) fn check_homes(&mut self) {
        let homes = std::mem::take(&mut self.variables.homes);
        for (name, word) in homes {
            if !self.variables.is_only_read(name) {
                self.unclear(&word, "the line may change the directory that it begins with");
            }
        }
    }
}

/// What of a path follows its begin: nothing, or what is behind the slash.
pub(super) fn behind<'a>(begin: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(begin)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

/// Whether a variable that is given this value is a number.
pub(super) fn is_number(value: &Word) -> bool {
    value.literal().is_some_and(|text| text.chars().all(|c| c.is_ascii_digit()))
}

/// To a shell a line that is continued is one, also within a name.
pub(super) fn joined_lines(text: &str) -> String {
    text.replace("\\\n", "")
}
