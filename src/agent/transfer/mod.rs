//! The conversation out of a session and into another: `/export`, `/import`.
//!
//! | file | subject |
//! |---|---|
//! | `export` | writing the conversation as a Markdown file |
//! | `markdown` | what that file looks like |
//! | `said` | who says a message: the user, or the program in their name |
//! | `import` | a file or another session as reference for the model |

mod export;
mod import;
mod markdown;
mod said;

use std::path::{Path, PathBuf};

pub(super) use export::run as export;
pub(super) use import::{Imported, run as import};

use super::core::Core;

/// A path as a person writes it: from their home, or from the work directory; quotes around it are
/// not part of it.
fn path_of(core: &Core, argument: &str) -> PathBuf {
    let quoted = |quote: char| argument.strip_prefix(quote)?.strip_suffix(quote);
    let argument = quoted('"').or_else(|| quoted('\'')).unwrap_or(argument);
    match argument.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) => core.env.home.join(rest.trim_start_matches('/')),
        None => core.workspace.work_dir.join(argument),
    }
}

/// A path as a person is told of it, on one line.
fn told(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "\u{fffd}")
}
