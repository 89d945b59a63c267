//! Where agent files and prompts are read from: the disk, or the program itself.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::read_regular;

/// The longest agent file or prompt, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// An agent that the program brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    Default,
    Okabe,
    /// A subagent of the default agent, like the next ones.
    Coder,
    Explore,
    Plan,
}

impl Builtin {
    /// Their names, for the command line and for `extend`.
    pub const NAMES: [&str; 2] = ["default", "okabe"];

    /// The agent of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "okabe" => Some(Self::Okabe),
            _ => None,
        }
    }

    /// What a path in one of the files that the program brings leads to.
    pub(super) fn beside(written: &Path) -> Option<Self> {
        match written.to_str()? {
            "./coder.yaml" => Some(Self::Coder),
            "./explore.yaml" => Some(Self::Explore),
            "./plan.yaml" => Some(Self::Plan),
            _ => None,
        }
    }

    pub(super) fn yaml(self) -> &'static str {
        match self {
            Self::Default => include_str!("../../../assets/agents/default.yaml"),
            Self::Okabe => include_str!("../../../assets/agents/okabe.yaml"),
            Self::Coder => include_str!("../../../assets/agents/coder.yaml"),
            Self::Explore => include_str!("../../../assets/agents/explore.yaml"),
            Self::Plan => include_str!("../../../assets/agents/plan.yaml"),
        }
    }

    /// What stands for its path in messages.
    pub(super) fn path(self) -> &'static Path {
        Path::new(match self {
            Self::Default => "default (built in)",
            Self::Okabe => "okabe (built in)",
            Self::Coder => "coder (built in)",
            Self::Explore => "explore (built in)",
            Self::Plan => "plan (built in)",
        })
    }
}

/// Where the text of a prompt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PromptFile {
    /// Absolute.
    Disk(PathBuf),
    /// Below `assets/agents/`.
    Builtin(String),
}

impl PromptFile {
    /// For messages.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Disk(path) => path.clone(),
            Self::Builtin(name) => PathBuf::from(format!("{name} (built in)")),
        }
    }

    /// The text, or what is wrong with it.
    pub fn read(&self) -> Result<String, String> {
        match self {
            Self::Disk(path) => read(path),
            Self::Builtin(name) if name == "../prompts/system.md" => {
                Ok(include_str!("../../../assets/prompts/system.md").to_owned())
            }
            Self::Builtin(_) => Err("there is no such prompt.".to_owned()),
        }
    }

    /// A file that the prompt includes. A name leads downwards from the prompt's directory.
    pub fn sibling(&self, name: &str) -> Result<Self, String> {
        let downwards = Path::new(name).components().all(|part| {
            matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)
        });
        match self {
            _ if !downwards || name.trim().is_empty() => {
                Err(format!("it includes {name:?}, which is not below its own directory."))
            }
            Self::Disk(path) => Ok(Self::Disk(beside(path, name))),
            Self::Builtin(_) => Ok(Self::Builtin(name.to_owned())),
        }
    }
}

/// A path that is written in a file and relative to it.
pub(super) fn beside(file: &Path, written: impl AsRef<Path>) -> PathBuf {
    let dir = file.parent().unwrap_or(file);
    // By its components, so that no `./` is left to be shown.
    dir.join(written).components().collect()
}

/// The text of a file, bounded. The error is one or two sentences.
pub(super) fn read(path: &Path) -> Result<String, String> {
    if path.is_dir() {
        return Err("it is a directory, a file is needed.".to_owned());
    }
    let bytes = match read_regular(path, MAX_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err("there is no such file.".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(format!("it is longer than {} KiB.", MAX_BYTES >> 10));
        }
        Err(error) => return Err(format!("it cannot be read: {error}.")),
    };
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        format!("line {} is not UTF-8. Save the file as UTF-8.", line + 1)
    })
}
