//! Words: what of them is known before the command runs.

use tree_sitter::Node;

use super::count;
use super::tree::Walk;

/// Stands in a [`Word`] for text that is only known when the command runs: any text, also none, also
/// several words. No command has it: control characters are refused.
pub const ANY: char = '\u{1}';

/// A word after quotes are removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// With [`ANY`] for what is not known.
    pub text: String,
    /// The word as a glob, when nothing is unknown in it but the names of files and the home
    /// directory: `*`, `?`, `[…]` and a `~` at its begin mean something, all else is escaped.
    pub glob: Option<String>,
    /// Whether what is not known may be several words.
    pub several: bool,
}

impl Word {
    /// A word of this text. Where it is not known, it may be several.
    pub fn known(text: &str) -> Self {
        Self { text: text.to_owned(), glob: None, several: text.contains(ANY) }
    }

    /// The word `~/rest`, where nothing in `rest` means anything but itself.
    pub(super) fn below_home(rest: &str) -> Self {
        let mut draft = Draft::default();
        draft.names('~');
        draft.plain('/');
        rest.chars().for_each(|c| draft.plain(c));
        Self { text: draft.text, glob: Some(draft.glob), several: false }
    }

    /// A word of which nothing is known.
    pub fn any() -> Self {
        Self { text: ANY.to_string(), glob: None, several: true }
    }

    /// The text, if all of it is known.
    pub fn literal(&self) -> Option<&str> {
        (!self.text.contains(ANY)).then_some(&*self.text)
    }

    /// Whether it is one word, whatever turns out to stand where it is not known.
    pub fn is_one(&self) -> bool {
        !self.several && !self.finds_names()
    }

    /// Whether it stands for the names of files: any number of words, each of which begins as it does.
    fn finds_names(&self) -> bool {
        let mut chars = self.glob.as_deref().unwrap_or_default().chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => drop(chars.next()),
                '*' | '?' | '[' => return true,
                _ => {}
            }
        }
        false
    }

    /// Whether it is, or a word of it may turn out to be, one that begins with `-`.
    pub fn may_be_option(&self) -> bool {
        let is_home = || self.glob.as_deref().is_some_and(|glob| glob.starts_with('~'));
        self.several || self.text.starts_with('-') || (self.text.starts_with(ANY) && !is_home())
    }

    /// Whether it, or a word of it, may turn out to be exactly this.
    pub fn may_be(&self, text: &str) -> bool {
        match self.literal() {
            Some(known) => known == text,
            None => {
                let mut ends = self.text.split(ANY);
                let (first, last) = (ends.next().unwrap_or_default(), ends.next_back());
                self.several
                    || (text.starts_with(first) && text.ends_with(last.unwrap_or_default()))
            }
        }
    }
}

/// A word in the making.
#[derive(Default)]
struct Draft {
    text: String,
    /// [`Word::glob`], unless `opaque`.
    glob: String,
    opaque: bool,
    /// Whether it is between double quotes.
    quoted: bool,
    several: bool,
    /// Unquoted characters that make several words of one.
    opens: bool,
    parts: bool,
}

impl Draft {
    /// A character that is what it is.
    fn plain(&mut self, c: char) {
        self.text.push(c);
        if "*?[]{}\\!^-~".contains(c) {
            self.glob.push('\\');
        }
        self.glob.push(c);
    }

    /// A character that stands for names of files.
    fn names(&mut self, c: char) {
        self.text.push(ANY);
        self.glob.push(c);
    }

    /// Something that is only known when the command runs.
    fn unknown(&mut self) {
        self.text.push(ANY);
        self.opaque = true;
        self.several |= !self.quoted;
    }
}

impl Walk<'_, '_> {
    /// Reads a word; substitutions in it become parts of their own.
    pub(super) fn word(&mut self, node: Node, depth: usize) -> Word {
        let mut draft = Draft::default();
        self.piece(node, &mut draft, depth);
        if draft.opens && draft.parts {
            return Word::any();
        }
        let glob = (!draft.opaque && draft.text.contains(ANY)).then_some(draft.glob);
        Word { text: draft.text, glob, several: draft.several }
    }

    fn piece(&mut self, node: Node, draft: &mut Draft, depth: usize) {
        if self.too_deep(node, depth) {
            return draft.unknown();
        }
        let text = self.text(node);
        match node.kind() {
            "word" | "number" | "test_operator" | "variable_name" if node.child_count() == 0 => {
                if let Err(why) = unquoted(text, draft) {
                    self.unclear(node, why);
                    draft.unknown();
                }
            }
            "raw_string" => match inner(text, '\'') {
                Some(inner) if !inner.contains('\'') => inner.chars().for_each(|c| draft.plain(c)),
                _ => self.piece_unclear(node, draft, "its quotes are not understood"),
            },
            "string" => self.quoted(node, draft, depth),
            "concatenation" => {
                let mut end = node.start_byte();
                for child in children(node) {
                    if child.start_byte() != end {
                        self.piece_unclear(node, draft, "its words are not understood");
                    }
                    end = child.end_byte();
                    self.piece(child, draft, depth + 1);
                }
            }
            "simple_expansion" | "expansion" => {
                if let Some(index) = count::index(text) {
                    self.reader.count(text, index);
                } else if !plain_expansion(text) {
                    self.unclear(node, "what it expands to may run or change something");
                    self.substitutions(node, depth + 1);
                }
                let several = draft.several;
                draft.unknown();
                if matches!(text, "$#" | "$?" | "$$") {
                    // A number.
                    draft.several = several;
                }
            }
            "arithmetic_expansion" => {
                self.arithmetic(node, depth);
                draft.unknown();
            }
            "command_substitution" | "process_substitution" => {
                self.substitution(node, depth + 1);
                draft.unknown();
            }
            "brace_expression" => draft.unknown(),
            "ansi_c_string" | "translated_string" => {
                self.substitutions(node, depth + 1);
                self.piece_unclear(node, draft, "it is written with $'…' or $\"…\"");
            }
            _ if !node.is_named() && matches!(text, "==" | "=~" | "=" | "!=" | "!" | "-") => {
                text.chars().for_each(|c| draft.plain(c));
            }
            _ => {
                self.substitutions(node, depth + 1);
                self.piece_unclear(node, draft, "it is not understood");
            }
        }
    }

    fn piece_unclear(&mut self, node: Node, draft: &mut Draft, why: &'static str) {
        self.unclear(node, why);
        draft.unknown();
    }

    /// A text in double quotes. The grammar leaves blanks out of its nodes, so the source is read.
    fn quoted(&mut self, node: Node, draft: &mut Draft, depth: usize) {
        let (start, end) = (node.start_byte(), node.end_byte());
        if inner(self.text(node), '"').is_none() {
            return self.piece_unclear(node, draft, "its quotes are not understood");
        }
        let mut at = start + 1;
        for child in children(node) {
            let expands = child.is_named() && child.kind() != "string_content";
            if !expands {
                continue;
            }
            self.quoted_text(node, at, child.start_byte(), draft);
            draft.quoted = !self.text(child).contains('@');
            self.piece(child, draft, depth + 1);
            draft.quoted = false;
            at = child.end_byte();
        }
        self.quoted_text(node, at, end - 1, draft);
    }

    fn quoted_text(&mut self, node: Node, start: usize, end: usize, draft: &mut Draft) {
        let text = self.source.get(start..end).unwrap_or_default();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('\n') | None => {}
                    Some(next @ ('"' | '\\' | '$' | '`')) => draft.plain(next),
                    Some(next) => ['\\', next].into_iter().for_each(|c| draft.plain(c)),
                },
                '"' | '`' => {
                    return self.piece_unclear(node, draft, "its quotes are not understood");
                }
                '$' if chars.peek().is_some_and(|&next| expands(next)) => {
                    return self.piece_unclear(node, draft, "what it expands to is not understood");
                }
                c => draft.plain(c),
            }
        }
    }
}

/// Whether `$` before this character is an expansion.
fn expands(next: char) -> bool {
    next.is_ascii_alphanumeric()
        || matches!(next, '_' | '{' | '(' | '[' | '@' | '*' | '#' | '?' | '!' | '$' | '-')
}

fn inner(text: &str, quote: char) -> Option<&str> {
    text.strip_prefix(quote)?.strip_suffix(quote)
}

/// Adds an unquoted text. The error is why a shell may see something else in it.
fn unquoted(text: &str, draft: &mut Draft) -> Result<(), &'static str> {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\n') | None => return Err("a line of it is broken inside a word"),
                Some(next) => draft.plain(next),
            },
            '\'' | '"' | '`' | '$' | '(' | ')' | '<' | '>' | ';' | '|' | '&' | '\n' | ' '
            | '\t' => {
                return Err("its words are not understood");
            }
            '#' if draft.text.is_empty() => return Err("it looks like a comment"),
            '*' | '?' | '[' => draft.names(c),
            '~' if draft.text.is_empty() => draft.names(c),
            '~' if draft.text.ends_with([':', '=']) => draft.unknown(),
            // They belong to a `[…]`, if there is one.
            '!' | '^' | '-' | ']' => {
                draft.text.push(c);
                draft.glob.push(c);
            }
            '{' => {
                draft.opens = true;
                draft.plain('{');
            }
            ',' => {
                draft.parts = true;
                draft.plain(',');
            }
            '.' if chars.peek() == Some(&'.') => {
                draft.parts |= draft.opens;
                draft.plain('.');
            }
            c => draft.plain(c),
        }
    }
    Ok(())
}

/// Whether an expansion only gives a value: `$x`, `${x}`, `${#x}`, `${x:-word}`, `${x%.c}`.
fn plain_expansion(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('$') else { return false };
    let Some(inside) = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        let special = |c: char| c.is_ascii_digit() || "@*#?$!_-".contains(c);
        return is_name(rest) || (rest.chars().count() == 1 && rest.chars().all(special));
    };
    let inside = inside.strip_prefix('#').unwrap_or(inside);
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
    let (name, operation) = inside.split_at(end);
    let numbered = !name.is_empty() && name.chars().all(|c| c.is_ascii_digit());
    if !is_name(name) && !numbered {
        return false;
    }
    let plain = |text: &str| {
        !text.contains(['`', '$', '@', '[', ']', '{', '}', '\'', '"', '\\', '<', '>', '('])
    };
    let begins = [":-", ":+", "%", "#", "-", "+"];
    operation.is_empty() || (begins.iter().any(|op| operation.starts_with(op)) && plain(operation))
}

/// Whether a text can name a variable.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// All children, those without a name too.
pub(super) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}
