//! System prompts with variables, conditions and includes.
//!
//! The marks are Jinja's as kimi-cli sets them: `${NAME}`, `{% if %}`, `{% elif %}`, `{% else %}`,
//! `{% endif %}`, `{% include "file" %}`, `{% raw %}`, `{# comment #}`. A tag that stands at the
//! beginning of a line takes the blanks before it and the line end after it with it; `{%-` and `-%}`
//! take all white space. A value is put in place once and never looked at again.

use super::AgentError;
use super::expression::Expression;
use super::files::PromptFile;

/// What every prompt may name.
pub const VARIABLES: [&str; 8] = [
    "KIMI_NOW",
    "KIMI_WORK_DIR",
    "KIMI_WORK_DIR_LS",
    "KIMI_AGENTS_MD",
    "KIMI_SKILLS",
    "KIMI_ADDITIONAL_DIRS_INFO",
    "KIMI_OS",
    "KIMI_SHELL",
];

/// Files that a prompt may include, counted each time.
const MAX_INCLUDES: usize = 64;
/// Includes in includes, and conditions in conditions.
const MAX_DEPTH: usize = 32;
/// Bytes of the prompt and everything it includes.
const MAX_BYTES: usize = 4 << 20;

/// A prompt, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Value(Expression),
    If(Vec<Branch>),
}

/// The condition of an `else` is a text that is true.
#[derive(Debug, Clone, PartialEq)]
struct Branch {
    condition: Expression,
    parts: Vec<Part>,
}

impl Template {
    /// Reads a prompt with what it includes. Every variable has to be one of `defined`, unless it
    /// stands where `is defined` keeps it from being used.
    pub(super) fn load(file: &PromptFile, defined: &[&str]) -> Result<Self, AgentError> {
        let mut loader = Loader { defined, includes: 0, bytes: 0 };
        loader.file(file, 0).map(Self)
    }

    /// The text, without white space around it.
    pub fn render<'v>(&self, value: &dyn Fn(&str) -> Option<&'v str>) -> String {
        let mut out = String::new();
        render(&self.0, value, &mut out);
        out.trim().to_owned()
    }
}

fn render<'v>(parts: &[Part], value: &dyn Fn(&str) -> Option<&'v str>, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(expression) => out.push_str(&expression.text(value)),
            Part::If(branches) => {
                if let Some(branch) = branches.iter().find(|branch| branch.condition.holds(value)) {
                    render(&branch.parts, value, out);
                }
            }
        }
    }
}

struct Loader<'a> {
    defined: &'a [&'a str],
    includes: usize,
    bytes: usize,
}

impl Loader<'_> {
    fn file(&mut self, file: &PromptFile, depth: usize) -> Result<Vec<Part>, AgentError> {
        let error = |problem: String| AgentError::prompt(file.path(), problem);
        let text = file.read().map_err(error)?;
        self.bytes += text.len();
        if self.bytes > MAX_BYTES {
            return Err(error("with all it includes it is too long.".to_owned()));
        }
        let mut at = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut text = text.as_str();
        // The prompt is trimmed, what it includes is not. Lines are counted from the file's first.
        if depth == 0 {
            at += text[at..].len() - text[at..].trim_start().len();
            text = text.trim_end();
        }
        let mut source = Source { file, text, at: at.min(text.len()), trim_next: Trim::Nothing };
        let (parts, end) = self.parts(&mut source, depth, true)?;
        match end {
            End::Text => Ok(parts),
            End::Tag(tag) => {
                Err(source.error(&format!("`{{% {tag} %}}` has no `{{% if %}}` before it")))
            }
        }
    }

    /// The parts up to the end of the text or a tag that belongs to an `if` further out. Where
    /// `live` is false nothing is ever used, and so nothing need be defined.
    fn parts(
        &mut self,
        source: &mut Source<'_>,
        depth: usize,
        live: bool,
    ) -> Result<(Vec<Part>, End), AgentError> {
        if depth > MAX_DEPTH {
            return Err(source.error("it is nested too deeply, or includes itself"));
        }
        let mut parts = Vec::new();
        loop {
            let (text, token) = source.next()?;
            if !text.is_empty() {
                parts.push(Part::Text(text));
            }
            let tag = match token {
                None => return Ok((parts, End::Text)),
                Some(Token::Value(inside)) => {
                    let expression = Expression::value(&inside).map_err(|e| source.unclear(&e))?;
                    self.check(&expression, source, live)?;
                    parts.push(Part::Value(expression));
                    continue;
                }
                Some(Token::Tag(tag)) => tag,
            };
            let (word, rest) = tag.split_once(char::is_whitespace).unwrap_or((&tag, ""));
            match word {
                "if" => parts.push(self.branches(source, rest, depth, live)?),
                "include" => {
                    let included = self.include(source, rest, depth, live)?;
                    parts.extend(included);
                }
                "elif" | "else" | "endif" => return Ok((parts, End::Tag(tag))),
                word => {
                    let problem = format!("`{{% {word} %}}` is not understood");
                    return Err(source.unclear(&problem));
                }
            }
        }
    }

    fn include(
        &mut self,
        source: &Source<'_>,
        written: &str,
        depth: usize,
        live: bool,
    ) -> Result<Vec<Part>, AgentError> {
        self.includes += 1;
        if self.includes > MAX_INCLUDES {
            return Err(source.error("it includes too much, or includes itself"));
        }
        let Ok(Expression::Text(name)) = Expression::value(written) else {
            return Err(source.error("after `include` there has to be a file name in quotes"));
        };
        if !live {
            return Ok(Vec::new());
        }
        let file = source.file.sibling(&name).map_err(|problem| source.error(&problem))?;
        self.file(&file, depth + 1).map_err(|mut error| {
            if error.file == file.path() && error.problem.starts_with("there is no") {
                let by = source.file.path();
                error.problem = format!("{} It is included by {}.", error.problem, by.display());
            }
            error
        })
    }

    fn branches(
        &mut self,
        source: &mut Source<'_>,
        condition: &str,
        depth: usize,
        live: bool,
    ) -> Result<Part, AgentError> {
        let mut branches = Vec::new();
        let mut condition = Some(condition.to_owned());
        let mut reached = live;
        loop {
            let expression = match &condition {
                Some(text) => Expression::condition(text).map_err(|e| source.unclear(&e))?,
                None => Expression::Text("else".to_owned()),
            };
            self.check(&expression, source, reached)?;
            let defined = self.defined;
            let settled = expression.settled(&|name| defined.contains(&name));
            let used = reached && settled != Some(false);
            reached &= settled != Some(true);
            let (parts, end) = self.parts(source, depth + 1, used)?;
            branches.push(Branch { condition: expression, parts });
            let End::Tag(tag) = end else {
                return Err(source.error("an `{% if %}` has no `{% endif %}`"));
            };
            match (tag.split_once(char::is_whitespace).unwrap_or((&tag, "")), &condition) {
                (("endif", ""), _) => return Ok(Part::If(branches)),
                (("elif", rest), Some(_)) => condition = Some(rest.to_owned()),
                (("else", ""), Some(_)) => condition = None,
                _ => return Err(source.error(&format!("`{{% {tag} %}}` is out of place"))),
            }
        }
    }

    fn check(
        &self,
        expression: &Expression,
        source: &Source<'_>,
        live: bool,
    ) -> Result<(), AgentError> {
        match expression.undefined(&|name| self.defined.contains(&name)) {
            Some(name) if live => Err(source.error(&format!(
                "the variable `{name}` has no value. Give it one in `system_prompt_args`, or write \
                 {{% raw %}}...{{% endraw %}} around text that is no variable"
            ))),
            _ => Ok(()),
        }
    }
}

enum End {
    Text,
    Tag(String),
}

enum Token {
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
struct Source<'a> {
    file: &'a PromptFile,
    text: &'a str,
    at: usize,
    /// What the tag before takes of the text that follows.
    trim_next: Trim,
}

impl Source<'_> {
    /// The text up to the next variable or tag, and that. Comments and raw text are done here.
    fn next(&mut self) -> Result<(String, Option<Token>), AgentError> {
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
    fn error(&self, problem: &str) -> AgentError {
        let line = self.text[..self.at].matches('\n').count() + 1;
        AgentError::prompt(self.file.path(), format!("line {line}: {problem}."))
    }

    /// An error about something that may not have been meant as a mark at all.
    fn unclear(&self, problem: &str) -> AgentError {
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

#[cfg(test)]
mod tests;
