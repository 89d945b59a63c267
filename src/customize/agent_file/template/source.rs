//! The text of a prompt, taken apart at its marks.

use super::super::AgentError;
use super::super::files::PromptFile;

pub(super) enum Token {
    /// What stands in `${...}`.
    Value(String),
    /// What stands in `{%...%}`, trimmed.
    Tag(String),
}

/// White space that a tag takes with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trim {
    Nothing,
    /// The end of its line.
    LineEnd,
    All,
}

/// A text that is being read.
pub(super) struct Source<'a> {
    file: &'a PromptFile,
    text: &'a str,
    at: usize,
    /// What the tag before takes of the text that follows.
    trim_next: Trim,
}

impl<'a> Source<'a> {
    /// A file's text from its beginning. A prompt is trimmed, what it includes is not; lines are
    /// counted from the file's first.
    pub fn new(file: &'a PromptFile, text: &'a str, trim: bool) -> Self {
        let mut at = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut text = text;
        if trim {
            at += text[at..].len() - text[at..].trim_start().len();
            text = text.trim_end();
        }
        Self { file, text, at: at.min(text.len()), trim_next: Trim::Nothing }
    }

    /// Where the text is from.
    pub fn file(&self) -> &'a PromptFile {
        self.file
    }

    /// The text up to the next variable or tag, and that. Comments and raw text are done here.
    pub fn next(&mut self) -> Result<(String, Option<Token>), AgentError> {
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let mark = ["${", "{%", "{#"]
                .into_iter()
                .filter_map(|mark| rest.find(mark).map(|at| (at, mark)))
                .min();
            let Some((at, mark)) = mark else {
                out.push_str(self.trimmed(rest));
                self.at = self.text.len();
                return Ok((out, None));
            };
            let before = self.trimmed(&rest[..at]);
            let inside = &rest[at + 2..];
            let end = match mark {
                "${" => closing(inside, "}"),
                "{%" => closing(inside, "%}"),
                _ => inside.find("#}"),
            };
            let Some(end) = end else {
                self.at += at;
                return Err(self.unclear(&format!("`{mark}` has no end")));
            };
            let tag = &inside[..end];
            let past = self.at + at + 2 + end + if mark == "${" { 1 } else { 2 };
            if mark == "${" {
                out.push_str(before);
                self.at = past;
                self.trim_next = Trim::Nothing;
                return Ok((out, Some(Token::Value(tag.to_owned()))));
            }
            let first_on_line = {
                let blanks = before.trim_end_matches([' ', '\t']);
                let line_begins = match blanks.chars().next_back() {
                    Some(last) => last == '\n',
                    None => self.at_line_start(at - before.len()),
                };
                line_begins.then_some(blanks.len())
            };
            out.push_str(match (tag.starts_with('-'), tag.starts_with('+'), first_on_line) {
                (true, ..) => before.trim_end(),
                (false, false, Some(end)) => &before[..end],
                _ => before,
            });
            if tag.starts_with('-') {
                out.truncate(out.trim_end().len());
            }
            self.trim_next = match tag.chars().next_back() {
                Some('-') => Trim::All,
                Some('+') => Trim::Nothing,
                _ => Trim::LineEnd,
            };
            self.at = past;
            if mark == "{#" {
                continue;
            }
            let tag = tag.trim_matches(['-', '+']).trim();
            if tag == "raw" {
                out.push_str(&self.raw()?);
                continue;
            }
            return Ok((out, Some(Token::Tag(tag.to_owned()))));
        }
    }

    /// Whether a line begins this many bytes further on.
    fn at_line_start(&self, further: usize) -> bool {
        let at = self.at + further;
        at == 0 || self.text[..at].ends_with('\n')
    }

    fn trimmed<'t>(&self, text: &'t str) -> &'t str {
        match self.trim_next {
            Trim::Nothing => text,
            Trim::LineEnd => text.strip_prefix("\r\n").or(text.strip_prefix('\n')).unwrap_or(text),
            Trim::All => text.trim_start(),
        }
    }

    /// Everything up to `{% endraw %}`.
    fn raw(&mut self) -> Result<String, AgentError> {
        let rest = &self.text[self.at..];
        let mut from = 0;
        while let Some(open) = rest[from..].find("{%").map(|at| from + at) {
            let inside = &rest[open + 2..];
            let Some(end) = inside.find("%}") else { break };
            let tag = &inside[..end];
            if tag.trim_matches(['-', '+']).trim() == "endraw" {
                let text = self.trimmed(&rest[..open]);
                let text = if tag.starts_with('-') { text.trim_end() } else { text }.to_owned();
                self.trim_next = if tag.ends_with('-') { Trim::All } else { Trim::LineEnd };
                self.at += open + 2 + end + 2;
                return Ok(text);
            }
            from = open + 2;
        }
        Err(self.error("`{% raw %}` has no `{% endraw %}`"))
    }

    /// An error at this place.
    pub fn error(&self, problem: &str) -> AgentError {
        let line = self.text[..self.at].matches('\n').count() + 1;
        AgentError::prompt(self.file.path(), format!("line {line}: {problem}."))
    }

    /// An error about something that may not have been meant as a mark at all.
    pub fn unclear(&self, problem: &str) -> AgentError {
        self.error(&format!(
            "{problem}. Write {{% raw %}}...{{% endraw %}} around text that means itself"
        ))
    }
}

/// Where the mark ends, quotes passed over.
fn closing(inside: &str, end: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if inside[at..].starts_with(end) => return Some(at),
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {}
        }
    }
    None
}
