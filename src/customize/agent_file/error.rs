//! Why an agent cannot be used.

use std::path::PathBuf;

/// A failure of an agent file or of a file it names. One line: the file, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {}: {problem}", file.display())]
pub struct AgentError {
    /// `Agent file` or `System prompt`.
    pub what: &'static str,
    pub file: PathBuf,
    /// One or two sentences.
    pub problem: String,
}

impl AgentError {
    pub(super) fn agent(file: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self { what: "Agent file", file: file.into(), problem: problem.into() }
    }

    pub(super) fn prompt(file: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self { what: "System prompt", file: file.into(), problem: problem.into() }
    }
}
