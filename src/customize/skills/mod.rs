//! Skills: instructions in files of their own, which the model reads when a task calls for them and a
//! person sends with `/skill:name`. A skill may also be a flowchart to run, with `/flow:name`.
//!
//! | file | subject |
//! |---|---|
//! | `places` | the directories that skills are looked for in, in the order of their precedence |
//! | `scan` | the skills of a directory, and what is wrong with the others |
//! | `front_matter` | the head of a skill's file |
//! | `builtin` | the skills that the program brings |
//! | `command` | names as the command line can take them |

mod builtin;
mod command;
mod front_matter;
mod places;
mod scan;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

pub use places::Places;

use super::flow::Flow;

/// Where a skill comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Project,
    User,
    /// From a directory of the configuration or the command line, or from a plugin.
    Extra,
    Builtin,
}

impl Scope {
    /// What a person and the model call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Project => "Project",
            Self::User => "User",
            Self::Extra => "Extra",
            Self::Builtin => "Built-in",
        }
    }
}

/// A skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    /// As its file says; one line, not empty.
    pub name: String,
    /// The name as it stands in a command: letters, digits, `_` and `-`.
    pub command: String,
    /// One line.
    pub description: String,
    pub scope: Scope,
    /// Its Markdown file, absolute.
    pub path: PathBuf,
    /// The chart of a skill that can be run.
    pub flow: Option<Flow>,
}

impl Skill {
    /// The whole text of its file, trimmed. Read anew: it may have been written since.
    pub fn text(&self) -> std::io::Result<String> {
        scan::read(&self.path).map(|text| text.trim().to_owned())
    }
}

/// Something that was left out or taken for something else, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    /// A sentence without its full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

/// All skills that were found, each name once, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skills {
    pub list: Vec<Skill>,
    pub problems: Vec<Problem>,
}

impl Skills {
    /// Puts together what was found in the directories, the first of a name before the others.
    fn of(found: Vec<Skill>, problems: Vec<Problem>) -> Self {
        let mut names = HashSet::new();
        let mut list = found;
        list.retain(|skill| names.insert(skill.name.to_lowercase()));
        list.sort_by(|a, b| {
            (a.name.to_lowercase(), &a.name).cmp(&(b.name.to_lowercase(), &b.name))
        });
        command::assign(&mut list);
        Self { list, problems }
    }

    /// The skill that a command names, in whatever case.
    pub fn find(&self, command: &str) -> Option<&Skill> {
        self.list.iter().find(|skill| skill.command.eq_ignore_ascii_case(command))
    }

    /// The skills as the system prompt lists them: by scope, then three lines for each.
    pub fn prompt(&self) -> String {
        let mut out = String::new();
        for scope in [Scope::Project, Scope::User, Scope::Extra, Scope::Builtin] {
            let mut of_scope = self.list.iter().filter(|skill| skill.scope == scope).peekable();
            if of_scope.peek().is_none() {
                continue;
            }
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str("### ");
            out.push_str(scope.title());
            for Skill { name, path, description, .. } in of_scope {
                let path = path.display().to_string().replace(char::is_control, " ");
                out.push_str(&format!(
                    "\n- {name}\n  - Path: {path}\n  - Description: {description}"
                ));
            }
        }
        if out.is_empty() { "No skills were found.".to_owned() } else { out }
    }
}

#[cfg(test)]
mod tests;
