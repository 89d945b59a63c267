//! A shell command read as its parts: what runs, what is written, and what cannot be told.
//!
//! The reader answers for safety, so it is strict: where the grammar and a shell could disagree, or
//! where a word is only known when the command runs, it says that it does not know.

pub mod awk;
mod carrier;
mod console;
mod count;
mod find;
mod git;
mod git_names;
mod heredoc;
mod hidden;
mod launch;
mod redirect;
mod search;
pub mod sed;
mod settled;
mod simple;
mod test_command;
mod tree;
mod variables;
mod word;

use std::ops::ControlFlow;

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

pub use carrier::{Carried, carried};
pub use console::obeys_input;
pub use find::{Find, find};
pub use git::{Git, git};
pub use git_names::{may_be_alias, twin};
pub(super) use hidden::{READS, only_looks};
pub use hidden::{holds_command, script_file};
pub use redirect::NOWHERE;
pub use search::Searched;
pub use word::{ANY, Word};

/// Longer commands are not read.
const MAX_BYTES: usize = 128 << 10;
/// More parts than this are not told apart.
const MAX_PARTS: usize = 1_000;
/// How deep scripts may be in scripts: `bash -c "bash -c '…'"`.
const MAX_SCRIPTS: usize = 8;
/// How deep syntax may be in syntax.
const MAX_DEPTH: usize = 120;
/// How often the parser may report that it is still at work.
const MAX_PARSE_STEPS: usize = 3_000;

/// A command line, taken apart. The parts are in the order they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub parts: Vec<Part>,
    /// Where each `cd` goes, in order; `None` when one leads anywhere, or may be run again.
    pub steps: Option<Vec<Word>>,
    /// Whether a redirection gives something of it another input.
    pub feeds: bool,
    /// Where programs are found by each `PATH` that it sets.
    pub paths: Vec<Vec<Searched>>,
}

/// What a command line does in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A program or builtin runs.
    Run(Run),
    /// A redirection writes a file.
    Write(Target),
    /// A redirection reads a file.
    Read(Target),
    /// A variable that programs may listen to is set.
    Assign(Assign),
    /// Something that is only known when it runs, or that is not understood.
    Unclear(Unclear),
}

/// A simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The program and its arguments. The first is known.
    pub words: Vec<Word>,
    /// Variables set for this command alone.
    pub assigns: Vec<(String, Word)>,
    /// As it was written.
    pub shown: String,
    /// Whether another command's output is its input.
    pub piped: bool,
    /// Whether it runs in directories that are only known when it runs: behind `find -execdir`.
    pub astray: bool,
    /// False for what only starts another part (`timeout 5 …`) and for what does nothing (`set -e`).
    pub needs_rule: bool,
    /// Why more may run than its words say: they hold a program in another language, or it runs what
    /// it reads.
    pub hides: Option<&'static str>,
    /// The program in another language that stands behind it: `python3 - <<'END'`.
    pub fed: Option<Word>,
}

/// The file of a redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub path: Word,
    /// Whether the directory may have been changed before, so that a relative path leads anywhere.
    pub moved: bool,
    pub shown: String,
}

/// A variable that stays set for what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    pub name: String,
    pub shown: String,
}

/// A part nobody can judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear {
    pub shown: String,
    /// Why, as the end of "… cannot be judged: ".
    pub why: &'static str,
    /// Whether a program that is nowhere on the line may run by it. False for what a file or a
    /// variable settles, as `source .venv/bin/activate` and `i=0; ((i++))`: it is not known well
    /// enough to be allowed, and not what a rule forbids.
    pub hides: bool,
}

impl Part {
    /// The simple command, if it is one.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Run(run) => Some(run),
            _ => None,
        }
    }

    /// As it was written.
    pub fn shown(&self) -> &str {
        match self {
            Self::Run(run) => &run.shown,
            Self::Write(target) | Self::Read(target) => &target.shown,
            Self::Assign(assign) => &assign.shown,
            Self::Unclear(unclear) => &unclear.shown,
        }
    }
}

/// Takes a command line of bash or sh apart. Never fails: what is not understood is a part too.
pub fn read(command: &str) -> Script {
    let mut reader = Reader::default();
    reader.script(command);
    reader.check_homes();
    if reader.parts.len() > MAX_PARTS {
        reader.parts.truncate(MAX_PARTS);
        reader.parts.push(Part::Unclear(Unclear {
            shown: clip(command),
            why: "it has too many parts",
            hides: true,
        }));
    }
    if reader.moved {
        // In a loop what comes later comes before.
        for part in &mut reader.parts {
            if let Part::Write(target) | Part::Read(target) = part {
                target.moved = true;
            }
        }
    }
    count::settle(&mut reader.parts, &reader.counts, &reader.variables);
    let known = !reader.lost && (!reader.loops || reader.steps.is_empty());
    Script {
        parts: reader.parts,
        steps: known.then_some(reader.steps),
        feeds: reader.feeds,
        paths: reader.paths.into_iter().map(|(_, path)| path).collect(),
    }
}

/// Collects parts.
#[derive(Default)]
struct Reader {
    parts: Vec<Part>,
    /// Scripts around the one that is read.
    scripts: usize,
    /// Whether `cd` or one like it was seen.
    moved: bool,
    /// Where each `cd` goes.
    steps: Vec<Word>,
    /// Whether one of them leads anywhere.
    lost: bool,
    loops: bool,
    /// Arithmetic that is known as far as its variables are.
    counts: Vec<count::Count>,
    variables: variables::Variables,
    /// Whether what is read stands behind a `|`.
    piped: bool,
    /// Whether what is read runs in directories that are not known.
    astray: bool,
    /// Whether a redirection of an input was seen.
    feeds: bool,
    /// Each value that `PATH` is given, as a word's text, and where programs are found by it.
    paths: Vec<(String, Vec<Searched>)>,
}

impl Reader {
    /// Reads a script, which may stand in another.
    fn script(&mut self, source: &str) {
        if source.contains(ANY) {
            return self.unclear(source, "part of it is only known when it runs");
        }
        if let Some(why) = illegible(source) {
            return self.unclear(source, why);
        }
        if self.scripts >= MAX_SCRIPTS {
            return self.unclear(source, "it is nested too deep");
        }
        let Some(tree) = parse(source) else {
            return self.unclear(source, "it is too tangled to read");
        };
        self.scripts += 1;
        self.variables.reads(source);
        tree::Walk { reader: self, source }.program(&tree);
        self.scripts -= 1;
    }

    fn unclear(&mut self, shown: &str, why: &'static str) {
        self.push(Part::Unclear(Unclear { shown: clip(shown), why, hides: true }));
    }

    /// The same of what runs no program but those on the line.
    fn settled(&mut self, shown: &str, why: &'static str) {
        self.push(Part::Unclear(Unclear { shown: clip(shown), why, hides: false }));
    }

    fn push(&mut self, part: Part) {
        // One more than allowed, so that the end can tell.
        if self.parts.len() <= MAX_PARTS {
            self.parts.push(part);
        }
    }
}

/// Why a text is not even parsed.
fn illegible(source: &str) -> Option<&'static str> {
    if source.len() > MAX_BYTES {
        return Some("it is too long");
    }
    // A shell takes these for letters and the grammar for blanks, or the other way round.
    let odd = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || hidden_blank(c);
    source.chars().any(odd).then_some("it has control characters or blanks that are not spaces")
}

/// Blanks beyond the space, and characters without a width that hide in a word.
fn hidden_blank(c: char) -> bool {
    !c.is_ascii()
        && (c.is_whitespace()
            || matches!(c, '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'))
}

/// The syntax tree; `None` when the parser takes too long.
fn parse(source: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bash::LANGUAGE.into()).ok()?;
    let mut steps = 0_usize;
    let mut progress = |_: &ParseState| {
        steps += 1;
        if steps > MAX_PARSE_STEPS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    // The grammar's scanner reads beyond its tables for characters that are not ASCII. To a shell they
    // are letters of a word; here another such character of the same length stands in for them.
    let plain: Vec<u8> =
        source.bytes().map(|byte| if byte.is_ascii() { byte } else { b'%' }).collect();
    parser.parse_with_options(&mut |at, _| plain.get(at..).unwrap_or_default(), None, Some(options))
}

/// What is kept of a part to show it.
fn clip(text: &str) -> String {
    const MAX_SHOWN: usize = 300;
    let text = text.trim();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
