//! A look at every file of the workspace: what is there and when it changed, nothing is read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::env::Clock;
use crate::store::snapshots::Stamp;
use crate::tools::path_guard::real_path;
use crate::tools::walk;

/// A tree with more entries is not watched whole.
pub(super) const MAX_ENTRIES: usize = 200_000;
/// Nor is one that takes longer to look at. Nobody waits for it.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Directories that are made from elsewhere and are not worth watching.
const MADE: [&str; 4] = ["node_modules", "__pycache__", ".venv", ".tox"];

/// A path that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    pub stamp: Stamp,
    pub kind: Kind,
    /// Nanoseconds since 1970, also for directories.
    pub changed: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Link,
    Directory,
    Other,
}

impl Kind {
    pub fn of(kind: std::fs::FileType) -> Self {
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Directory
        } else if kind.is_symlink() {
            Self::Link
        } else {
            Self::Other
        }
    }
}

/// What a look has found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub found: Vec<Found>,
    /// Nothing was left out for its number or the time it takes.
    pub whole: bool,
    pub took: Duration,
}

/// Looks at everything below `roots` that ignore files let through, except what is below `except`.
/// Links are not followed, directories of version control systems not entered.
pub(super) fn walk(roots: &[PathBuf], except: &[PathBuf], clock: &dyn Clock) -> Walked {
    walk_where(roots, except, clock, |_| true)
}

/// Looks at `real` and the directories above it alone, by the same rules.
pub(super) fn walk_to(
    real: &Path,
    roots: &[PathBuf],
    except: &[PathBuf],
    clock: &dyn Clock,
) -> Vec<Found> {
    let real = real.to_path_buf();
    walk_where(roots, except, clock, move |path| real.starts_with(path)).found
}

fn walk_where(
    roots: &[PathBuf],
    except: &[PathBuf],
    clock: &dyn Clock,
    wanted: impl Fn(&Path) -> bool + Clone + Send + Sync + 'static,
) -> Walked {
    let began = clock.instant();
    let elapsed = || clock.instant().duration_since(began);
    let mut walked = Walked { whole: true, ..Walked::default() };
    for root in roots {
        let (except, wanted) = (except.to_vec(), wanted.clone());
        let mut builder = walk::builder(root, false);
        builder.require_git(false).filter_entry(move |entry| {
            let name = entry.file_name().to_str().unwrap_or_default();
            entry.depth() == 0
                || wanted(entry.path())
                    && !(walk::is_vcs(name)
                        || MADE.contains(&name)
                        || except.iter().any(|dir| entry.path() == dir))
        });
        for entry in builder.build().flatten() {
            if entry.depth() == 0 {
                continue;
            }
            let late = walked.found.len().is_multiple_of(256) && elapsed() > MAX_TIME;
            if walked.found.len() >= MAX_ENTRIES || late {
                return Walked { found: Vec::new(), whole: false, took: elapsed() };
            }
            if let Some(found) = look_at(entry.into_path()) {
                walked.found.push(found);
            }
        }
    }
    walked.took = elapsed();
    walked
}

/// What is at one path; `None` when nothing is, or it cannot be looked at.
pub(super) fn look_at(path: PathBuf) -> Option<Found> {
    let metadata = std::fs::symlink_metadata(&path).ok()?;
    let changed = changed_at(&metadata);
    Some(Found { path, stamp: Stamp::of(&metadata), kind: Kind::of(metadata.file_type()), changed })
}

/// What is at one path itself: what is reached through a link on the way is at another.
pub(super) fn look_at_itself(path: PathBuf) -> Option<Found> {
    let dir = path.parent()?;
    (real_path(dir).as_deref() == Some(dir)).then(|| look_at(path)).flatten()
}

/// When what was at a path went away, as far as the directory it was in tells.
pub(super) fn gone_at(path: &Path) -> i64 {
    path.ancestors()
        .skip(1)
        .find_map(|dir| std::fs::symlink_metadata(dir).ok())
        .map_or(0, |metadata| changed_at(&metadata))
}

#[cfg(unix)]
fn changed_at(metadata: &std::fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    metadata.ctime().saturating_mul(1_000_000_000) + metadata.ctime_nsec()
}

#[cfg(not(unix))]
fn changed_at(metadata: &std::fs::Metadata) -> i64 {
    Stamp::of(metadata).changed
}
