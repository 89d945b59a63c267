//! Simple commands: words, assignments, and what a builtin changes for the rest of the line.

use tree_sitter::Node;

use super::count;
use super::hidden::{assigned, hides};
use super::launch::{Launch, launch};
use super::settled::{self, Settled};
use super::test_command::{EVALUATES, may_evaluate};
use super::tree::Walk;
use super::variables::is_number;
use super::word::{children, is_name};
use super::{Part, Reader, Run, Word, clip, find, git, search};

/// Builtins and words of the language after which nothing on the line means what it says.
const CHANGES_MEANING: &[&str] = &[
    ".", "alias", "bind", "compgen", "complete", "compopt", "coproc", "enable", "fc", "function",
    "hash", "select", "shopt", "source", "trap", "unalias",
];

const CHANGES: &str = "it changes what the rest of the line means";

/// Builtins that evaluate what they are given, or the value they give to a variable. As words of the
/// language they are read elsewhere; here they stand behind `builtin`, or evaluate always.
const EVALUATORS: &[&str] = &["declare", "export", "let", "local", "readonly", "typeset"];

/// Words of the language; as the name of a program they are a sign of a misreading.
const RESERVED: &[&str] = &[
    "!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until",
    "while", "{", "}", "[[", "]]", "((", "))",
];

/// Builtins that set the variables they are given the names of.
const SETS: &[&str] = &["read", "mapfile", "readarray", "getopts", "wait", "printf", "unset"];

/// Whether a word means something to shells, and no program is called so.
pub(super) fn is_of_shell(name: &str) -> bool {
    let known = [CHANGES_MEANING, EVALUATORS, RESERVED, SETS];
    known.iter().any(|names| names.contains(&name)) || matches!(name, "jobs" | "set")
}

impl Walk<'_, '_> {
    /// `NAME=value … program word … redirections`.
    pub(super) fn command(&mut self, node: Node, depth: usize) {
        let mut assigns = Vec::new();
        let mut words = Vec::new();
        let (mut texts, mut timed) = (Vec::new(), false);
        let mut end = None;
        for child in children(node) {
            let gap = end.and_then(|end| self.source.get(end..child.start_byte()));
            // A line ends at its end, also where the grammar goes on.
            let apart =
                gap.is_none_or(|gap| !gap.is_empty() && !gap.replace("\\\n", "").contains('\n'));
            end = Some(child.end_byte());
            if !apart && !is_redirect(child) {
                self.unclear(node, "its words are not understood");
            }
            match child.kind() {
                "variable_assignment" => match self.assigned(child, depth + 1) {
                    Some(assign) if words.is_empty() => assigns.push(assign),
                    _ => self.unclear(child, "what it sets is not understood"),
                },
                "command_name" => match child.child(0) {
                    Some(name) if child.child_count() == 1 => {
                        texts.push(self.text(name));
                        words.push(self.word(name, depth + 1));
                    }
                    _ => self.unclear(child, "the program is not a plain word"),
                },
                _ if is_redirect(child) => self.redirect(child, depth + 1),
                "comment" => {}
                "subshell" if texts == ["time"] && assigns.is_empty() => {
                    self.statement(child, depth + 1);
                    timed = true;
                }
                _ => {
                    // `0<<< x`: the grammar takes the number of what is redirected for a word.
                    if is_descriptor(self.text(child))
                        && self
                            .source
                            .get(child.end_byte()..)
                            .is_some_and(|rest| rest.starts_with(['<', '>']))
                    {
                        self.unclear(node, "where it redirects is not understood");
                    }
                    let word = self.word(child, depth + 1);
                    let text = self.text(child);
                    let path = text.trim_start_matches('"').strip_prefix("PATH=");
                    if let Some((path, value)) = path.zip(word.text.strip_prefix("PATH=")) {
                        self.reader.searches(path, value);
                    }
                    texts.push(text);
                    words.push(word);
                }
            }
        }
        let shown = clip(self.text(node));
        if timed && words.len() == 1 {
            return;
        }
        if timed {
            self.unclear(node, "words follow what it times");
        }
        settled::find_homes(&mut words, &texts, &mut self.reader.variables);
        self.reader.run(words, assigns, shown, true);
    }

    fn assigned(&mut self, node: Node, depth: usize) -> Option<(String, Word)> {
        let name = node.child_by_field_name("name");
        let name = name.and_then(|name| self.variable(name));
        let value = node.child_by_field_name("value");
        // What arithmetic gives is a number, whatever is in it.
        let counted = value.is_some_and(|value| value.kind() == "arithmetic_expansion");
        let value = match value {
            Some(value) if value.kind() == "array" => self.list(value, depth + 1, name)?,
            Some(value) => self.word(value, depth + 1),
            None => Word::default(),
        };
        let name = self.text(name?);
        if name == "PATH" {
            let written = node.child_by_field_name("value");
            let written = written.map(|value| self.text(value)).unwrap_or_default();
            self.reader.searches(written, &value.text);
        }
        self.reader.variables.sets(name, counted || is_number(&value));
        Some((name.to_owned(), value))
    }

    /// The name of what is set: of `m[a]` that of the list.
    fn variable<'t>(&mut self, name: Node<'t>) -> Option<Node<'t>> {
        if name.kind() != "subscript" {
            return Some(name).filter(|name| name.kind() == "variable_name");
        }
        let text = self.text(name);
        let names = count::index(&format!("${{{text}}}"))?;
        let list = name.child_by_field_name("name")?;
        self.reader.count_index(text, self.text(list), names);
        Some(list)
    }

    /// `(a b c)`: any words, none of which says where in the list it goes, as that is evaluated.
    fn list(&mut self, list: Node, depth: usize, name: Option<Node>) -> Option<Word> {
        let words = || children(list).into_iter().filter(Node::is_named);
        let plain = |word: Node| !self.text(word).starts_with('[') && word.kind() != "comment";
        let named = name.is_some_and(|name| count::is_list(self.text(name)));
        if !named || !words().all(plain) {
            self.substitutions(list, depth + 1);
            return None;
        }
        self.reader.settled(self.text(list), "it makes a list");
        words().for_each(|word| drop(self.word(word, depth + 1)));
        Some(Word::any())
    }

    /// `NAME=value` by itself: set for what follows.
    pub(super) fn assignment(&mut self, node: Node, depth: usize) {
        match self.assigned(node, depth) {
            Some((name, _)) => self.set(&name, node, false),
            None => self.unclear(node, "what it sets is not understood"),
        }
    }

    /// `export`, `declare` and the like.
    pub(super) fn declaration(&mut self, node: Node, depth: usize) {
        if self.text(node).contains('\n') {
            self.unclear(node, "it goes over several lines");
        }
        for child in children(node).into_iter().filter(Node::is_named) {
            match child.kind() {
                "variable_assignment" => match self.assigned(child, depth + 1) {
                    Some((name, _)) => self.set(&name, child, true),
                    None => self.unclear(child, "what it sets is not understood"),
                },
                "variable_name" => {
                    let name = self.text(child);
                    self.set(name, child, true);
                }
                // A list, or a table.
                _ if matches!(self.text(child), "-a" | "-A") => {
                    self.reader.settled(self.text(node), "it makes a list");
                }
                _ => self.unclear(node, "what it sets is not understood"),
            }
        }
    }

    pub(super) fn unset(&mut self, node: Node, depth: usize) {
        for child in children(node).into_iter().filter(Node::is_named) {
            let name = self.word(child, depth + 1);
            match name.literal() {
                Some(name) if is_name(name) => {
                    self.loses(name);
                    self.set(name, child, false);
                }
                _ => self.unclear(node, "what it unsets is not understood"),
            }
        }
    }
}

/// `0`, `{name}`: what may stand right before a redirection.
fn is_descriptor(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) || (text.starts_with('{') && text.ends_with('}'))
}

fn is_redirect(node: Node) -> bool {
    matches!(node.kind(), "file_redirect" | "herestring_redirect" | "heredoc_redirect")
}

impl Reader {
    /// Adds a simple command and what it starts in its turn.
    pub(super) fn run(
        &mut self,
        words: Vec<Word>,
        assigns: Vec<(String, Word)>,
        shown: String,
        needs_rule: bool,
    ) {
        let Some(first) = words.first() else { return };
        let name = match first.literal() {
            Some(name)
                if !name.is_empty() && !name.starts_with('-') && !RESERVED.contains(&name) =>
            {
                name
            }
            _ => return self.unclear(&shown, "the program is not a plain word"),
        };
        if CHANGES_MEANING.contains(&name) {
            match settled::builtin(&words) {
                // What it is fed may come by a link to its input.
                _ if self.piped => self.unclear(&shown, CHANGES),
                Settled::No => self.unclear(&shown, CHANGES),
                Settled::Yes => self.settled(&shown, CHANGES),
                Settled::Script(text) => {
                    self.settled(&shown, CHANGES);
                    // When it runs, the line may have gone anywhere.
                    self.loops = true;
                    self.script(&text);
                }
            }
        }
        if git(&words).is_some_and(|git| name.ends_with("git") && git.configured && !git.programmed)
        {
            self.settled(&shown, "git is given settings");
        }
        if EVALUATORS.contains(&name) {
            match count::of_let(&words).zip(count::text_of_let(&shown, &assigns)) {
                Some((names, text)) => self.count(text, names),
                None => self.unclear(&shown, EVALUATES),
            }
        }
        if SETS.contains(&name) {
            self.check_sets(&words, &shown);
        }
        if matches!(name, "test" | "[") && may_evaluate(words.get(1..).unwrap_or_default()) {
            self.unclear(&shown, EVALUATES);
        }
        if matches!(name, "cd" | "pushd" | "popd") {
            self.moved = true;
            self.step(&words);
        }
        let goes_around = find::goes_around(&words);
        if goes_around {
            (self.moved, self.lost) = (true, true);
        }
        let launched = launch(&words);
        let neutral = match &launched {
            Launch::None | Launch::Opaque(_) => false,
            Launch::Quiet => true,
            Launch::Command { neutral, .. } | Launch::Script { neutral, .. } => *neutral,
            Launch::Commands(_) => false,
        };
        self.push(Part::Run(Run {
            needs_rule: needs_rule && !neutral,
            hides: hides(&words).or_else(|| assigned(&assigns)),
            words,
            assigns: assigns.clone(),
            shown: shown.clone(),
            piped: self.piped,
            astray: self.astray,
            fed: None,
        }));
        let astray = self.astray;
        self.astray |= goes_around;
        match launched {
            Launch::None | Launch::Quiet => {}
            Launch::Opaque(why) => self.unclear(&shown, why),
            Launch::Script { text, .. } => self.script(&text),
            Launch::Command { words, assigns: more, .. } => {
                more.iter().for_each(|(name, value)| self.variables.sets_to(name, value));
                for (_, value) in more.iter().filter(|(name, _)| name == "PATH") {
                    if !self.paths.iter().any(|(known, _)| *known == value.text) {
                        self.paths.push((value.text.clone(), search::of_word(value)));
                    }
                }
                let assigns = assigns.into_iter().chain(more).collect();
                self.nested(words, assigns);
            }
            Launch::Commands(all) => {
                for words in all {
                    self.nested(words, assigns.clone());
                }
            }
        }
        self.astray = astray;
    }

    /// Notes a value that `PATH` is given: as it is written, and as the text of a word.
    fn searches(&mut self, written: &str, value: &str) {
        let path = search::of(written, &mut self.variables);
        self.paths.push((value.to_owned(), path));
    }

    /// Notes where a `cd` goes.
    fn step(&mut self, words: &[Word]) {
        let is_option = |word: &&Word| matches!(&*word.text, "-L" | "-P" | "-e" | "--");
        let mut operands = words.iter().skip(1).skip_while(is_option);
        let to = match operands.next() {
            None => Some(Word { glob: Some("~".to_owned()), ..Word::any() }),
            Some(word) if word.text.starts_with('-') => None,
            Some(word) => Some(word.clone()),
        };
        let plain = words.first().is_some_and(|word| word.text == "cd");
        match to.filter(|_| plain && operands.next().is_none()) {
            Some(to) => self.steps.push(to),
            None => self.lost = true,
        }
    }

    fn nested(&mut self, words: Vec<Word>, assigns: Vec<(String, Word)>) {
        let texts: Vec<String> =
            words.iter().map(|word| word.text.replace(super::ANY, "…")).collect();
        let shown = clip(&texts.join(" "));
        if self.scripts >= super::MAX_SCRIPTS * 4 {
            return self.unclear(&shown, "it is nested too deep");
        }
        self.scripts += 1;
        self.run(words, assigns, shown, true);
        self.scripts -= 1;
    }

    /// `read`, `printf -v` and the like may set a variable that programs listen to, and evaluate the
    /// index of an array.
    fn check_sets(&mut self, words: &[Word], shown: &str) {
        let name = words.first().and_then(Word::literal).unwrap_or_default();
        let mut named = words.iter().skip(1);
        if name == "printf" {
            let sets = |word: &&Word| {
                word.text.starts_with("-v") || (word.literal().is_none() && word.may_be_option())
            };
            if words.get(1).filter(sets).is_none() {
                return;
            }
        }
        // `mapfile -C` runs a command for each line.
        let letters = match name {
            "read" => "aersdinNptu",
            "mapfile" | "readarray" => "tdnOsu",
            "wait" => "fnp",
            "unset" => "fvn",
            _ => "",
        };
        let harmless = |word: &Word| {
            let text = word.literal().unwrap_or("=");
            match text.strip_prefix('-') {
                Some(option) => {
                    option == "-"
                        || (!option.is_empty() && option.chars().all(|c| letters.contains(c)))
                }
                None => text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
            }
        };
        if !named.all(harmless) {
            self.unclear(shown, "it may set a variable that programs listen to");
        }
    }
}
