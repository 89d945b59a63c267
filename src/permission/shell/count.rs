//! Arithmetic over variables that the line itself sets to numbers, and to nothing else.
//!
//! A shell evaluates what a variable holds where it counts: with `i='a[$(rm x)]'` the `((i++))` removes a file.
//! So every value that the line gives to such a variable is noted, however its name is spelled, and every
//! place that has its name is looked at, for what sets it in a way that is not read.

use super::variables::{Variables, joined_lines};
use super::{Part, Reader, Run, Unclear, Word, clip};

/// Arithmetic, or the index of a list, that is known as far as its variables are.
pub(super) struct Count {
    /// Which of the parts says that it is not known.
    part: usize,
    /// As it stands on the line.
    text: String,
    /// What stands there for those who look for names.
    stands_for: String,
    names: Vec<String>,
}

const MORE: &str = "its arithmetic has more than numbers";
/// More arithmetic than this on one line is not known.
const MAX_COUNTS: usize = 200;

/// Builtins that give a variable what they are fed.
const SETTERS: &[&str] = &[
    "declare",
    "export",
    "getopts",
    "local",
    "mapfile",
    "printf",
    "read",
    "readarray",
    "readonly",
    "typeset",
    "wait",
];

impl Reader {
    /// Notes arithmetic with these variables; whether they are numbers is told at the end.
    pub(super) fn count(&mut self, text: &str, names: Vec<String>) {
        self.note_count(text, text, "0 ".to_owned(), names);
    }

    /// The same of the index in `list[index]=`, which sets the list.
    pub(super) fn count_index(&mut self, target: &str, list: &str, names: Vec<String>) {
        self.note_count(target, &format!("{target}="), format!("{list}="), names);
    }

    fn note_count(&mut self, shown: &str, text: &str, stands_for: String, names: Vec<String>) {
        let part = self.parts.len();
        self.push(Part::Unclear(Unclear { shown: clip(shown), why: MORE, hides: true }));
        self.counts.push(Count { part, text: text.to_owned(), stands_for, names });
    }
}

/// Takes back that arithmetic is not known where all its variables are numbers on the whole line.
pub(super) fn settle(parts: &mut [Part], counts: &[Count], variables: &Variables) {
    if counts.is_empty() || counts.len() > MAX_COUNTS {
        return;
    }
    let runs = || parts.iter().filter_map(Part::run);
    let starts = |run: &Run, names: &[&str]| {
        run.words.first().and_then(Word::literal).is_some_and(|name| names.contains(&name))
    };
    let any_set = runs().any(|run| starts(run, SETTERS));
    // What `let` has is arithmetic itself.
    let read = runs().filter(|run| !starts(run, &["let"]));
    let words = read.flat_map(|run| &run.words).map(|word| joined_lines(&word.text));
    let mut texts: Vec<String> = variables.sources.iter().cloned().chain(words).collect();
    for text in &mut texts {
        for count in counts {
            if text.contains(&count.text) {
                *text = text.replace(&count.text, &count.stands_for);
            }
        }
    }
    let is_number = |name: &String| {
        variables.is_number(name) && texts.iter().all(|text| only_a_number(name, text))
    };
    for count in counts {
        let numbers = count.names.is_empty() || (!any_set && count.names.iter().all(is_number));
        // A line of too many parts has another one there.
        if let (true, Some(Part::Unclear(unclear))) = (numbers, parts.get_mut(count.part))
            && unclear.why == MORE
        {
            unclear.hides = false;
        }
    }
}

/// What stands on the line for `let` and its words, and nothing else; `shown` is the whole command.
pub(super) fn text_of_let<'t>(shown: &'t str, assigns: &[(String, Word)]) -> Option<&'t str> {
    let alone = assigns.is_empty() && shown.starts_with("let ");
    let runs = ["$(", "`", "<(", ">("].iter().any(|mark| shown.contains(mark));
    (alone && !runs).then_some(shown)
}

/// The variables of an arithmetic expression, if it has nothing but them, numbers and operators.
pub(super) fn names(text: &str) -> Option<Vec<String>> {
    let inside =
        ["$((", "(("].iter().find_map(|open| text.strip_prefix(open))?.strip_suffix("))")?;
    in_expression(inside)
}

/// The same of the words of `let`.
pub(super) fn of_let(words: &[Word]) -> Option<Vec<String>> {
    let (program, rest) = words.split_first()?;
    let known = program.text == "let" && !rest.is_empty();
    // `let x` alone is there to evaluate what `x` holds.
    let gives = |text: &&str| text.contains('=') || text.contains("++") || text.contains("--");
    let each = rest
        .iter()
        .filter(|_| known)
        .map(|word| word.literal().filter(gives).and_then(in_expression));
    each.collect::<Option<Vec<_>>>().map(|all| all.concat()).filter(|_| known)
}

/// The variable in the index of `${list[i]}`; none when it is a number, or all of it.
pub(super) fn index(text: &str) -> Option<Vec<String>> {
    let inside = text.strip_prefix("${")?.strip_suffix("]}")?;
    let (list, index) = inside.strip_prefix('#').unwrap_or(inside).split_once('[')?;
    if !is_list(list) {
        return None;
    }
    let number = index.strip_prefix('-').unwrap_or(index);
    let plain = matches!(index, "@" | "*")
        || (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit()));
    if plain { Some(Vec::new()) } else { is_counter(index).then(|| vec![index.to_owned()]) }
}

/// Whether a list of this name means nothing to the shell: `BASH_CMDS` says where programs are.
pub(super) fn is_list(name: &str) -> bool {
    super::word::is_name(name) && !name.starts_with("BASH")
}

fn in_expression(text: &str) -> Option<Vec<String>> {
    let known = |c: char| {
        c.is_ascii_digit() || c.is_ascii_lowercase() || " \t_$+-*/%()<>=&|^!~?:,".contains(c)
    };
    if !text.chars().all(known) {
        return None;
    }
    let words = text.split(|c: char| !is_letter(c)).filter(|word| !word.is_empty());
    let names: Vec<&str> =
        words.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())).collect();
    // `$1`, `$(…)`, `$$x`: only `$name` is one of them.
    let expands =
        text.split('$').skip(1).all(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    let counters = names.iter().all(|name| is_counter(name));
    (expands && counters).then(|| names.into_iter().map(str::to_owned).collect())
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether no shell gives a variable of this name a meaning.
fn is_counter(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Whether a text has a name only as `$name`, `${name}` and `name=12`.
fn only_a_number(name: &str, text: &str) -> bool {
    text.match_indices(name).all(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        if before.ends_with(is_letter) || after.starts_with(is_letter) {
            return true;
        }
        if before.ends_with('$') || (before.ends_with("${") && after.starts_with('}')) {
            return true;
        }
        let begins = before.is_empty() || before.ends_with([' ', '\t', '\n', ';', '&', '(']);
        let number = after
            .strip_prefix('=')
            .map(|value| value.trim_start_matches(|c: char| c.is_ascii_digit()));
        let ends = number.is_some_and(|end| {
            end.is_empty() || end.starts_with([' ', '\t', '\n', ';', '&', '|', ')'])
        });
        begins && ends
    })
}
