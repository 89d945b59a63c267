//! `tree.json`: the files as they were last seen, so that the next look tells what has changed.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::PathState;
use crate::store::{read_regular, write_volatile};

/// A larger index is not read.
const MAX_INDEX: u64 = 256 << 20;

/// Tells two states of a path apart without reading it. Times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub mode: u32,
    pub size: u64,
    pub inode: u64,
    pub modified: i64,
    pub changed: i64,
}

impl Stamp {
    /// The stamp of what is there.
    pub fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let nanos = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000) + rest;
            // What happens in a directory changes its size and times, and says nothing about itself.
            let dir = metadata.is_dir();
            let of_file = |value: i64| if dir { 0 } else { value };
            Self {
                mode: metadata.mode(),
                size: if dir { 0 } else { metadata.size() },
                inode: metadata.ino(),
                modified: of_file(nanos(metadata.mtime(), metadata.mtime_nsec())),
                changed: of_file(nanos(metadata.ctime(), metadata.ctime_nsec())),
            }
        }
        #[cfg(not(unix))]
        {
            let modified = metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
                .map_or(0, |since| since.as_nanos() as i64);
            Self { mode: 0, size: metadata.len(), inode: 0, modified, changed: modified }
        }
    }
}

/// A path as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub stamp: Stamp,
    pub state: PathState,
    /// It changed so shortly before it was looked at that a later change may have the same stamp.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
}

/// Every watched path, by its text (see [`super::encode_path`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// The whole tree was looked at once, so that a path that is not here was not there.
    pub whole: bool,
    pub paths: BTreeMap<String, Seen>,
}

impl Tracked {
    /// The index below `dir`; an empty one when there is none or it cannot be read.
    pub fn load(dir: &Path) -> Self {
        let bytes = read_regular(&dir.join("tree.json"), MAX_INDEX).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Replaces the index below `dir`.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        write_volatile(&dir.join("tree.json"), &serde_json::to_vec(self)?, 0o600)
    }
}
