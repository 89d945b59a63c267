//! System prompts with variables, conditions and includes.
//!
//! The marks are Jinja's as kimi-cli sets them: `${NAME}`, `{% if %}`, `{% elif %}`, `{% else %}`,
//! `{% endif %}`, `{% include "file" %}`, `{% raw %}`, `{# comment #}`. A tag that stands at the
//! beginning of a line takes the blanks before it and the line end after it with it; `{%-` and `-%}`
//! take all white space. A value is put in place once and never looked at again.

mod source;

use self::source::{Source, Token};
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

    /// A text that was not written for us: only variables that are `defined` mean something, as
    /// `${NAME}`. Everything else is what it is, such as `${HOME}` in a line of shell.
    pub(super) fn plain(text: &str, defined: &[&str]) -> Self {
        let mut parts = Vec::new();
        let (mut plain, mut rest) = (String::new(), text);
        while let Some(at) = rest.find("${") {
            let (before, mark) = rest.split_at(at);
            plain.push_str(before);
            let name = mark[2..].split_once('}').map(|(name, _)| name);
            match name.filter(|name| defined.contains(name)).map(Expression::value) {
                Some(Ok(value)) => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Value(value));
                    rest = &mark[name.map_or(2, |name| name.len() + 3)..];
                }
                _ => {
                    plain.push_str("${");
                    rest = &mark[2..];
                }
            }
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Self(parts)
    }

    /// The same with its own text changed, and not what is put into it.
    pub(super) fn map(self, change: &dyn Fn(&str) -> String) -> Self {
        Self(map(self.0, change))
    }

    /// The text, without white space around it.
    pub fn render<'v>(&self, value: &dyn Fn(&str) -> Option<&'v str>) -> String {
        let mut out = String::new();
        render(&self.0, value, &mut out);
        out.trim().to_owned()
    }
}

fn map(parts: Vec<Part>, change: &dyn Fn(&str) -> String) -> Vec<Part> {
    let parts = parts.into_iter().map(|part| match part {
        Part::Text(text) => Part::Text(change(&text)),
        Part::If(branches) => {
            let branches = branches.into_iter();
            let changed = |branch: Branch| Branch { parts: map(branch.parts, change), ..branch };
            Part::If(branches.map(changed).collect())
        }
        value @ Part::Value(_) => value,
    });
    parts.collect()
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
        let mut source = Source::new(file, &text, depth == 0);
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
        let file = source.file().sibling(&name).map_err(|problem| source.error(&problem))?;
        self.file(&file, depth + 1).map_err(|mut error| {
            if error.file == file.path() && error.problem.starts_with("there is no") {
                let by = source.file().path();
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

#[cfg(test)]
mod tests;
