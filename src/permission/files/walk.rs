//! A look at everything below a directory, for commands that read all of it.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::tools::path_guard::real_path;

/// More files than these are not looked at.
const MAX_ENTRIES: usize = 20_000;

/// What a look has shown.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::permission) enum Seen {
    /// None of the files is wanted.
    None,
    /// This one is.
    One(PathBuf),
    /// There are too many files to tell.
    TooMuch,
}

/// Looks for a file that is `wanted`, below `root` and behind the links that are there. Paths are given
/// with links resolved.
pub(in crate::permission) fn look(root: &Path, wanted: impl Fn(&Path) -> bool) -> Seen {
    let mut left = MAX_ENTRIES;
    let mut known = HashSet::from([root.to_path_buf()]);
    let mut waiting = VecDeque::from([root.to_path_buf()]);
    while let Some(dir) = waiting.pop_front() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let Some(after) = left.checked_sub(1) else { return Seen::TooMuch };
            left = after;
            let path = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => match real_path(&entry.path()) {
                    Some(real) => real,
                    None => continue,
                },
                _ => entry.path(),
            };
            if wanted(&path) {
                return Seen::One(path);
            }
            if path.is_dir() && known.insert(path.clone()) {
                waiting.push_back(path);
            }
        }
    }
    Seen::None
}
