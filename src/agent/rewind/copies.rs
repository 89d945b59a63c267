//! Reading what is at a path, and keeping copies of it.

use std::io;
use std::path::Path;

use super::walk::{Found, Kind, look_at_itself};
use crate::store::read_regular;
use crate::store::snapshots::{Blobs, Content, Lost, PathState, Seen, Stamp, encode_path};
use crate::tools::Secrets;

/// A file that changed so shortly before it was read may change again under the same time stamp.
const FRESH_NS: i64 = 50_000_000;

/// The state of what was found, with the content that `content` gives for a file.
pub(super) fn state_of(found: &Found, content: impl FnOnce(&Path, u64) -> Content) -> PathState {
    let mode = found.stamp.mode & 0o7777;
    match found.kind {
        Kind::File => {
            let size = found.stamp.size;
            PathState::File { mode, size, content: content(&found.path, size) }
        }
        Kind::Directory => PathState::Directory { mode },
        Kind::Link => match std::fs::read_link(&found.path) {
            Ok(target) => PathState::Link { target: encode_path(&target) },
            Err(_) => PathState::Other,
        },
        Kind::Other => PathState::Other,
    }
}

/// Larger files are not read to be compared; no copy of them would be kept either.
const MAX_READ: u64 = 64 << 20;

/// What is at a path now. The content is named by its digest, no copy is kept.
pub(super) fn observe(path: &Path) -> PathState {
    let Some(found) = look_at_itself(path.to_path_buf()) else { return PathState::Absent };
    state_of(&found, |path, _| match read(path, MAX_READ) {
        Ok(bytes) => Content::Blob(Blobs::id(&bytes)),
        Err(lost) => Content::Lost(lost),
    })
}

/// Keeps copies of files.
pub(super) struct Copier<'a> {
    pub blobs: &'a mut Blobs,
    pub secrets: &'a Secrets,
}

impl Copier<'_> {
    /// A copy of the content of a file of at most `limit` bytes.
    pub fn content(&mut self, path: &Path, size: u64, limit: u64) -> Content {
        if self.secrets.hold(path) {
            return Content::Lost(Lost::Secret);
        }
        if size > limit {
            return Content::Lost(Lost::TooLarge);
        }
        match read(path, limit) {
            Ok(bytes) => match self.blobs.put(&bytes) {
                Ok(id) => Content::Blob(id),
                Err(error) => {
                    tracing::warn!(%error, "a copy for /undo cannot be written");
                    Content::Lost(Lost::Unseen)
                }
            },
            Err(lost) => Content::Lost(lost),
        }
    }

    /// What was found, with a copy of it. `now` in nanoseconds since 1970.
    pub fn see(&mut self, found: &Found, limit: u64, now: i64) -> Seen {
        let state = state_of(found, |path, size| self.content(path, size, limit));
        Seen { stamp: found.stamp, state, fresh: is_fresh(&found.stamp, now) }
    }
}

/// Whether the path changed a moment ago.
pub(super) fn is_fresh(stamp: &Stamp, now: i64) -> bool {
    stamp.modified.max(stamp.changed) >= now.saturating_sub(FRESH_NS)
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Lost> {
    match read_regular(path, limit) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Lost::Unreadable),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(Lost::TooLarge),
        Err(_) => Err(Lost::Unreadable),
    }
}
