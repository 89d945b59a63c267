//! The files of the workspace as they were last seen, and what each new look says of the changes.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::copies::{Copier, is_fresh, state_of};
use super::walk::{Found, Walked, gone_at, look_at};
use crate::store::snapshots::{
    Blobs, By, Change, Content, Lost, PathState, Seen, Stamp, Tracked, decode_path, encode_path,
};
use crate::tools::Secrets;

/// Bytes of a file that is copied when the tree is looked at for the first time.
const FIRST_LIMIT: u64 = 1 << 20;
/// Copies of files that nobody has changed yet are made until all copies take so many bytes.
const FIRST_TOTAL: u64 = 64 << 20;
/// Bytes of a file that is copied when it has changed.
const CHANGED_LIMIT: u64 = 16 << 20;
/// The same when a tool edits it: as much as those tools take.
pub(super) const TOOL_LIMIT: u64 = 64 << 20;
/// A file's time may lie this much before that of the clock.
const SLACK_NS: i64 = 20_000_000;

/// When something ran that may have changed files; nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    pub from: i64,
    pub to: i64,
}

/// The watched files and their copies.
pub(super) struct Tree {
    pub tracked: Tracked,
    pub blobs: Blobs,
    pub secrets: Secrets,
    /// The index on disk is older than this one.
    pub unsaved: bool,
}

impl Tree {
    pub fn open(dir: &Path, secrets: Secrets) -> io::Result<Self> {
        let (blobs, tracked) = (Blobs::open(dir)?, Tracked::load(dir));
        Ok(Self { tracked, blobs, secrets, unsaved: false })
    }

    /// Takes in a look at the tree. Returns what has changed since the one before; what changed
    /// while one of `ran` did counts as its doing, everything else as the user's.
    pub fn take_in(&mut self, walked: Walked, point: u64, ran: &[Ran], now: i64) -> Vec<Change> {
        if !walked.whole && !self.tracked.whole && self.tracked.paths.is_empty() {
            return Vec::new();
        }
        let first = walked.whole && !self.tracked.whole;
        let mut changes = Vec::new();
        let mut there = HashSet::with_capacity(walked.found.len());
        for found in walked.found {
            let key = encode_path(&found.path);
            if first && !self.tracked.paths.contains_key(&key) {
                let state = state_of(&found, |_, size| match size {
                    0 => Content::Blob(Blobs::id(b"")),
                    _ => Content::Lost(Lost::Unseen),
                });
                let seen = Seen { stamp: found.stamp, state, fresh: is_fresh(&found.stamp, now) };
                self.tracked.paths.insert(key.clone(), seen);
                self.unsaved = true;
            } else {
                changes.extend(self.compare(&key, &found, point, ran, now));
            }
            there.insert(key);
        }
        changes.extend(self.missing(&there, point, ran, now));
        if first {
            // Nobody has a copy of nothing until it is asked for.
            let _ = self.blobs.put(b"");
        }
        self.tracked.whole = walked.whole;
        changes
    }

    /// Compares what was found with what was there.
    fn compare(
        &mut self,
        key: &str,
        found: &Found,
        point: u64,
        ran: &[Ran],
        now: i64,
    ) -> Option<Change> {
        let known = self.tracked.paths.get(key);
        if known.is_some_and(|known| known.stamp == found.stamp && !known.fresh) {
            return None;
        }
        let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
        let seen = copier.see(found, CHANGED_LIMIT, now);
        self.unsaved = true;
        let same_stamp = known.is_some_and(|known| known.stamp == found.stamp);
        let before = match known {
            // There is nothing to hold it against; the stamp is all there is.
            Some(known) if same_stamp && is_lost(&known.state) => seen.state.clone(),
            Some(known) => known.state.clone(),
            None => PathState::Absent,
        };
        // Of two contents that nobody has copies of, the stamp says that they differ.
        let differs = before != seen.state || (is_lost(&before) && !same_stamp);
        let changed = differs.then(|| Change {
            point,
            path: key.to_owned(),
            by: by(found.changed, ran),
            before,
        });
        self.tracked.paths.insert(key.to_owned(), seen);
        changed
    }

    /// Looks for the watched paths that the walk has not come by: they are gone, or ignored.
    fn missing(
        &mut self,
        there: &HashSet<String>,
        point: u64,
        ran: &[Ran],
        now: i64,
    ) -> Vec<Change> {
        let absent: Vec<String> =
            self.tracked.paths.keys().filter(|key| !there.contains(*key)).cloned().collect();
        let mut changes = Vec::new();
        for path in absent {
            if let Some(found) = look_at(decode_path(&path)) {
                changes.extend(self.compare(&path, &found, point, ran, now));
            } else if let Some(seen) = self.tracked.paths.remove(&path) {
                self.unsaved = true;
                let by = by(gone_at(&decode_path(&path)), ran);
                changes.push(Change { point, path, by, before: seen.state });
            }
        }
        changes
    }

    /// Copies files that were seen and not copied yet, the newest first: those are the ones that are
    /// worked on. What is left when it is stopped is copied the next time.
    pub fn copy_newest(&mut self, stop: &AtomicBool) {
        let mut uncopied: Vec<(Stamp, String)> = Vec::new();
        for (path, seen) in &self.tracked.paths {
            if let PathState::File { size, content: Content::Lost(Lost::Unseen), .. } = seen.state
                && size <= FIRST_LIMIT
            {
                uncopied.push((seen.stamp, path.clone()));
            }
        }
        uncopied.sort_unstable_by_key(|(stamp, _)| std::cmp::Reverse(stamp.modified));
        for (stamp, key) in uncopied {
            if stop.load(Ordering::Relaxed) || self.blobs.size() + stamp.size > FIRST_TOTAL {
                break;
            }
            let path = decode_path(&key);
            // Only what has not changed since it was seen.
            if look_at(path.clone()).is_none_or(|found| found.stamp != stamp) {
                continue;
            }
            let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
            let copy = copier.content(&path, stamp.size, FIRST_LIMIT);
            if let Some(Seen { state: PathState::File { content, .. }, .. }) =
                self.tracked.paths.get_mut(&key)
            {
                *content = copy;
                self.unsaved = true;
            }
        }
    }

    /// Whether the file or its directory is there although the tree, which was looked at whole, had
    /// none there.
    pub fn has_unseen(&self, real: &Path, roots: &[PathBuf]) -> bool {
        let unseen = |path: &Path| {
            !roots.iter().any(|root| root == path)
                && !self.tracked.paths.contains_key(&encode_path(path))
                && look_at(path.into()).is_some()
        };
        self.tracked.whole && (unseen(real) || real.parent().is_some_and(unseen))
    }

    /// A tool is about to write this file, or the one a rewind puts back. Returns what to note.
    pub fn before_write(&mut self, real: &Path, point: u64, by: By, now: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        // Directories that the tool is going to make.
        for dir in real.ancestors().skip(1).take_while(|dir| !dir.exists()) {
            let path = encode_path(dir);
            changes.push(Change { point, path, by, before: PathState::Absent });
        }
        let key = encode_path(real);
        let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
        let there = look_at(real.to_path_buf()).map(|found| copier.see(&found, TOOL_LIMIT, now));
        let before = there.map_or(PathState::Absent, |seen| seen.state);
        // Somebody else may have been here since the last look.
        if let Some(known) = self.tracked.paths.get(&key)
            && known.state != before
            && !is_lost(&known.state)
        {
            let before = known.state.clone();
            changes.push(Change { point, path: key.clone(), by: By::User, before });
        }
        changes.push(Change { point, path: key, by, before });
        changes
    }

    /// The tool has written it: what is there now is known.
    pub fn after_write(&mut self, real: &Path, now: i64) {
        self.unsaved = true;
        for dir in real.ancestors().skip(1) {
            let key = encode_path(dir);
            let Some(found) = look_at(dir.to_path_buf()) else { continue };
            if !self.tracked.whole
                || self.tracked.paths.contains_key(&key)
                || dir.parent().is_none()
            {
                break;
            }
            let seen =
                Copier { blobs: &mut self.blobs, secrets: &self.secrets }.see(&found, 0, now);
            self.tracked.paths.insert(key, seen);
        }
        let key = encode_path(real);
        match look_at(real.to_path_buf()) {
            Some(found) => {
                let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
                let seen = copier.see(&found, TOOL_LIMIT, now);
                self.tracked.paths.insert(key, seen);
            }
            None => drop(self.tracked.paths.remove(&key)),
        }
    }

    /// How many watched files have no copy: what becomes of them cannot be taken back.
    pub fn uncopied(&self) -> usize {
        self.tracked.paths.values().filter(|seen| is_lost(&seen.state)).count()
    }
}

fn is_lost(state: &PathState) -> bool {
    matches!(state, PathState::File { content: Content::Lost(_), .. })
}

fn by(changed: i64, ran: &[Ran]) -> By {
    let inside = |ran: &Ran| changed >= ran.from - SLACK_NS && changed <= ran.to;
    if ran.iter().any(inside) { By::Command } else { By::User }
}
