//! Why something on disk could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

use super::BadSessionId;

/// A failure of the store, ready to be shown to a person.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("Cannot {action} {}: {source}. {}", path.display(), advice(source))]
    Io {
        /// What was tried, as a verb: `open`, `write`.
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A place that others could read or put things into.
    #[error("Cannot use {}: {why}. Move it away; a new one is made.", path.display())]
    NotPrivate { path: PathBuf, why: &'static str },
    /// A session id that is no directory name.
    #[error(transparent)]
    SessionId(#[from] BadSessionId),
}

/// The one thing to do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        // What the store says of a pipe, a device or a directory where a file belongs.
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => {
            "Move it away; a file takes its place."
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "Make room on the disk."
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "Make the path readable and writable for you."
        }
        _ => "Check that the path is writable and the disk is not full.",
    }
}

impl StoreError {
    /// Makes an `io::Error` say what was done to which path; for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_the_error() {
        for (kind, advice) in [
            (io::ErrorKind::InvalidInput, "Move it away"),
            (io::ErrorKind::StorageFull, "Make room on the disk"),
            (io::ErrorKind::PermissionDenied, "readable and writable"),
        ] {
            let source = io::Error::new(kind, "why");
            let error = StoreError::io("open", Path::new("/a"))(source).to_string();
            assert!(
                error.starts_with("Cannot open /a: why. ") && error.contains(advice),
                "{error}"
            );
        }
    }
}
