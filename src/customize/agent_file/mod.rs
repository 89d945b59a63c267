//! Agent files: who the agent is, which tools it has, what it is told first.
//!
//! A YAML file of kimi-cli's format 1, or Markdown with a head. It may extend another one; [`load`]
//! follows the bases, reads the prompt with what it includes and checks everything that can be checked
//! at the start, so that nothing of it is read again later: programs put agent files into directories
//! that they remove.
//!
//! | file | subject |
//! |---|---|
//! | `spec` | the fields of one file |
//! | `markdown` | the same of a file in Markdown |
//! | `inherit` | a file with all its bases |
//! | `tool_names` | the spellings of a tool's name |
//! | `plugged` | which tools of plugins it has |
//! | `template`, `expression` | variables, conditions and includes in a prompt |
//! | `places` | agents that are called by their names |
//! | `files` | reading, and the agents that the program brings |

mod error;
mod expression;
mod files;
mod inherit;
mod markdown;
mod places;
mod plugged;
mod spec;
mod template;
pub(super) mod tool_names;

use std::path::Path;

use crate::llm::renamed_words;

pub use error::AgentError;
pub use files::Builtin;
pub use places::named;
pub use plugged::PluginTools;
pub use template::{Template, VARIABLES};

/// An agent, with everything it inherits.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// May be empty.
    pub name: String,
    /// The system prompt. Every variable in it is a key of `args` or one of [`VARIABLES`].
    pub prompt: Template,
    /// Values for the prompt, by name.
    pub args: Vec<(String, String)>,
    /// A key of `[models]`, for when this agent is another one's subagent.
    pub model: Option<String>,
    /// For the agent that may call it as a subagent.
    pub when_to_use: Option<String>,
    /// As a subagent it changes nothing: a call that does more than read is refused, whatever its tool.
    pub reads_only: bool,
    /// Kimi's names of its tools in the order the model is told of them, each once. Some may not be
    /// part of this version.
    pub tools: Vec<String>,
    /// Which of the tools of plugins it has besides.
    pub plugins: PluginTools,
    /// Whether `tools` are a list of what is allowed (`allowed_tools`), also for a subagent.
    pub restricted: bool,
    /// Whether it has the tools of MCP servers. `exclude_tools` with `mcp_search`, `mcp_call` or
    /// `mcp__*` takes them away.
    pub mcp: bool,
    /// The agents that it may call, whole. Theirs are left out: they call nobody.
    pub subagents: Vec<Subagent>,
    /// What a person should be told, one line each.
    pub warnings: Vec<String>,
}

/// An agent that another one may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Subagent {
    /// The type that the caller asks for.
    pub name: String,
    /// For the caller, where the agent itself does not say when to use it.
    pub description: String,
    pub agent: Agent,
}

impl Agent {
    /// An agent that the program brings.
    pub fn builtin(which: Builtin) -> Result<Self, AgentError> {
        inherit::builtin(which)
    }

    /// The agent described in a file. `brought` tells the names of the tools of plugins; it is asked
    /// when the file names a tool that the program itself does not have.
    ///
    /// # Errors
    ///
    /// The file, one of its bases or a prompt cannot be used, or a list of tools in YAML names some that
    /// there are not (all of them are in the error). In Markdown, which comes from many programs with
    /// tools of their own, those are a warning.
    pub fn load(file: &Path, brought: &dyn Fn() -> Vec<String>) -> Result<Self, AgentError> {
        inherit::file(file, brought)
    }

    /// The same agent, and those that it may call, told of their tools by kimi-code's names. The name
    /// of our shell is a word like others, which prompts use for what it means.
    #[must_use]
    pub fn in_code_names(self) -> Self {
        let subagents = self.subagents.into_iter();
        Self {
            prompt: self.prompt.map(&|text| match tool_names::CODE_NAMES {
                [_shell, names @ ..] => renamed_words(text, names),
                [] => text.to_owned(),
            }),
            subagents: subagents
                .map(|one| Subagent { agent: one.agent.in_code_names(), ..one })
                .collect(),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
