//! Why a configuration cannot be used.

use std::io;
use std::path::PathBuf;

/// A configuration that cannot be used; each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("Cannot read configuration file {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file cannot be written.
    #[error("Cannot write configuration file {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The file is no TOML or JSON. Line and column count from 1.
    #[error(
        "Invalid {format} in configuration file {}: {message} at line {line} column {column}",
        path.display()
    )]
    Syntax { format: &'static str, path: PathBuf, message: String, line: usize, column: usize },
    /// A key of the file has a value that is not allowed.
    #[error("Invalid configuration file {}: {problem}", path.display())]
    Invalid {
        path: PathBuf,
        /// Begins with the key.
        problem: String,
    },
    /// The text given on the command line is neither JSON nor TOML, or a key of it has a value that
    /// is not allowed.
    #[error("Invalid configuration text: {0}")]
    Text(String),
}
