//! A tool call as rules see it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::shell::{self, Script};
use super::touched::written;
use crate::tools::{Workspace, path_guard};

/// What a call is about.
#[derive(Debug, Clone)]
pub struct Call {
    /// The tool's name: kimi-cli's for built-in tools, `mcp__server__tool` for those of servers.
    pub tool: String,
    pub subject: Subject,
}

/// What the rules for a tool are held against.
#[derive(Debug, Clone)]
pub enum Subject {
    Command {
        text: String,
        script: Script,
    },
    /// Absolute, links resolved. `None`: the path leads nowhere, and the tool will say so.
    Path(Option<PathBuf>),
    /// A URL, a query, or the type of a subagent.
    Text(String),
    /// The tool itself.
    Tool,
}

impl Call {
    /// Reads a call. `arguments` has passed the tool's schema.
    pub fn of(tool: &str, arguments: &Value, workspace: &Workspace, home: &Path) -> Self {
        let text = |key: &str| arguments.get(key).and_then(Value::as_str).unwrap_or_default();
        let subject = match tool {
            "Shell" => {
                let command = text("command");
                Subject::Command { text: command.to_owned(), script: shell::read(command) }
            }
            "ReadFile" | "ReadMediaFile" | "WriteFile" | "StrReplaceFile" => {
                Subject::Path(real(text("path"), workspace, home))
            }
            "Grep" | "Glob" => {
                let key = if tool == "Grep" { "path" } else { "directory" };
                let path = Some(text(key)).filter(|path| !path.is_empty()).unwrap_or(".");
                Subject::Path(real(path, workspace, home))
            }
            "FetchURL" => Subject::Text(text("url").to_owned()),
            "SearchWeb" => Subject::Text(text("query").to_owned()),
            _ => Subject::Tool,
        };
        Self { tool: tool.to_owned(), subject }
    }

    /// The same call, of which the tool says by what text rules know it.
    pub fn known_as(self, text: Option<String>) -> Self {
        match text {
            Some(text) => Self { subject: Subject::Text(text), ..self },
            None => self,
        }
    }

    /// A call of which only the tool matters.
    pub fn of_tool(tool: &str) -> Self {
        Self { tool: tool.to_owned(), subject: Subject::Tool }
    }

    /// The files that a command names and writes, as far as that is known; none of another call.
    pub fn written(&self, workspace: &Workspace, home: &Path) -> Vec<PathBuf> {
        match &self.subject {
            Subject::Command { script, .. } => written(script, &workspace.work_dir, home),
            _ => Vec::new(),
        }
    }

    /// Whether the tool asks a person by itself before it acts.
    pub fn asks_itself(&self) -> bool {
        matches!(self.tool.as_str(), "Shell" | "WriteFile" | "StrReplaceFile" | "mcp_call")
            || self.tool.starts_with("mcp__")
    }
}

/// Where a path leads.
pub(super) fn real(path: &str, workspace: &Workspace, home: &Path) -> Option<PathBuf> {
    path_guard::resolve(path, workspace, home).ok().map(|target| target.real)
}
