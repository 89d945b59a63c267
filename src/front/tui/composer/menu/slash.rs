//! Slash commands: which text is one, and which ones fit what has been typed.

use nucleo_matcher::Matcher;
use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization};

use super::super::files::score;

/// A command that the menu offers. Names are without the slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlashCommand {
    pub name: String,
    pub aliases: Vec<String>,
    pub description: String,
    /// What may follow the name; `None` for nothing.
    pub args: Option<SlashArgs>,
}

/// The arguments of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlashArgs {
    /// Free text; the hint says which: `<needed>`, `[left out or not]`.
    Free(String),
    /// One of these words.
    Choice(Vec<String>),
}

/// A slash command as it was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The command's own name for a known one, also when an alias was typed; otherwise as typed.
    pub name: String,
    /// What follows the name, atoms expanded, without blanks around it.
    pub args: String,
    /// Whether the name is one of the commands given to the composer.
    pub known: bool,
    /// For an unknown name: the command that was probably meant.
    pub nearest: Option<String>,
}

/// A name with more characters is nobody's typing error.
const LONGEST_NAME: usize = 40;

/// The first word of a command line without its slash, and the rest. `None` when the text is a
/// message: it does not begin with a slash, or its first word has another one, as a path has.
pub(in super::super) fn split(text: &str) -> Option<(&str, &str)> {
    let line = text.strip_prefix('/')?;
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    (!name.contains('/')).then_some((name, rest))
}

/// The command line `text` stands for.
pub(in super::super) fn invocation(text: &str, commands: &[SlashCommand]) -> Option<Invocation> {
    let (name, rest) = split(text).filter(|(name, _)| !name.is_empty())?;
    let known = commands.iter().find(|command| command.name == name).or_else(|| {
        commands.iter().find(|command| command.aliases.iter().any(|alias| alias == name))
    });
    Some(Invocation {
        name: known.map_or_else(|| name.to_owned(), |command| command.name.clone()),
        args: rest.trim().to_owned(),
        known: known.is_some(),
        nearest: if known.is_none() { nearest(name, commands) } else { None },
    })
}

/// Whether the text is the name of a command that cannot do without words behind it.
pub(in super::super) fn wants_words(text: &str, commands: &[SlashCommand]) -> bool {
    let named = commands.iter().find(|command| text.strip_prefix('/') == Some(&command.name));
    let args = named.and_then(|command| command.args.as_ref());
    matches!(args, Some(SlashArgs::Free(hint)) if hint.contains('<'))
}

/// The command whose name or alias differs from `typed` by the fewest typing errors, if by few.
fn nearest(typed: &str, commands: &[SlashCommand]) -> Option<String> {
    let typed: Vec<char> = typed.chars().take(LONGEST_NAME + 1).collect();
    if typed.len() > LONGEST_NAME {
        return None;
    }
    let names = commands.iter().flat_map(|command| {
        std::iter::once(&command.name).chain(&command.aliases).map(move |name| (name, command))
    });
    names
        .map(|(name, command)| (distance(&typed, name), command))
        .filter(|(distance, _)| *distance <= (typed.len() / 3).max(1) && *distance < typed.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, command)| command.name.clone())
}

/// The number of typing errors between two words: characters inserted, deleted, replaced, or two
/// neighbours exchanged.
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().take(LONGEST_NAME).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=from.len()).collect();
    for (y, c) in to.iter().enumerate() {
        let mut row = vec![y + 1];
        for (x, typed) in from.iter().enumerate() {
            let replaced = above[x] + usize::from(typed != c);
            let mut best = replaced.min(above[x + 1] + 1).min(row[x] + 1);
            if x > 0 && y > 0 && *typed == to[y - 1] && from[x - 1] == *c {
                best = best.min(before[x - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(to.len())
}

/// A row of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlashRow {
    /// What is put into the composer, without the slash.
    pub name: String,
    /// What is shown in the name column.
    pub label: String,
    pub description: String,
    pub takes_args: bool,
}

/// The commands that fit `typed`, best first: the exact name, an exact alias, then by score.
pub(super) fn matching(
    typed: &str,
    commands: &[SlashCommand],
    matcher: &mut Matcher,
) -> Vec<SlashRow> {
    let atom = Atom::new(typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy, false);
    let mut hits: Vec<(u32, SlashRow)> = Vec::new();
    for command in commands {
        let by_name = rank(typed, &command.name, &atom, matcher).map(|rank| rank * 2 + 1);
        let by_alias = command
            .aliases
            .iter()
            .filter_map(|alias| Some((rank(typed, alias, &atom, matcher)? * 2, alias)))
            .max_by_key(|(rank, _)| *rank);
        let (rank, alias) = match (by_name, by_alias) {
            (Some(name), Some((alias_rank, alias))) if alias_rank > name => {
                (alias_rank, Some(alias))
            }
            (Some(name), _) => (name, None),
            (None, Some((alias_rank, alias))) => (alias_rank, Some(alias)),
            (None, None) => continue,
        };
        let label = match alias {
            Some(alias) => format!("/{} ({alias})", command.name),
            None => format!("/{}", command.name),
        };
        hits.push((
            rank,
            SlashRow {
                name: command.name.clone(),
                label,
                description: command.description.clone(),
                takes_args: command.args.is_some(),
            },
        ));
    }
    hits.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    hits.into_iter().map(|(_, row)| row).collect()
}

/// How well a name fits: exact over a beginning over a scattered match.
fn rank(typed: &str, name: &str, atom: &Atom, matcher: &mut Matcher) -> Option<u32> {
    if typed.is_empty() {
        return Some(0);
    }
    let score = u32::from(score(atom, name, matcher)?);
    let exact = u32::from(name.eq_ignore_ascii_case(typed)) * 1_000_000;
    let begins = name.get(..typed.len()).is_some_and(|head| head.eq_ignore_ascii_case(typed));
    Some(exact + u32::from(begins) * 100_000 + score)
}

/// The words of a fixed set that fit what is typed after the command `name`.
pub(super) fn choices(
    name: &str,
    typed: &str,
    commands: &[SlashCommand],
    matcher: &mut Matcher,
) -> Vec<SlashRow> {
    let Some(command) = commands
        .iter()
        .find(|command| command.name == name || command.aliases.iter().any(|alias| alias == name))
    else {
        return Vec::new();
    };
    let Some(SlashArgs::Choice(words)) = &command.args else { return Vec::new() };
    // A whole word needs no more help.
    if words.iter().any(|word| word == typed) {
        return Vec::new();
    }
    let atom = Atom::new(typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy, false);
    let mut hits: Vec<(u32, &String)> =
        words.iter().filter_map(|word| Some((rank(typed, word, &atom, matcher)?, word))).collect();
    hits.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    hits.into_iter()
        .map(|(_, word)| SlashRow {
            name: format!("{name} {word}"),
            label: word.clone(),
            description: String::new(),
            takes_args: false,
        })
        .collect()
}
