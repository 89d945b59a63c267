//! The files of the workspace as they were last seen, and what each new look says of the changes.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::calls::When;
use super::copies::{Copier, is_fresh, state_of};
use super::walk::{Found, Kind, Walked, gone_at, look_at, look_at_itself};
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
/// The watched files and their copies.
pub(super) struct Tree {
    pub tracked: Tracked,
    pub blobs: Blobs,
    pub secrets: Secrets,
    /// The index on disk is older than this one.
    pub unsaved: bool,
    /// What tools are writing at this moment.
    editing: HashSet<String>,
    /// What they have written since the look that runs began: it is known better than that look saw it.
    edited: HashSet<String>,
}

impl Tree {
    pub fn open(dir: &Path, secrets: Secrets) -> io::Result<Self> {
        let (blobs, tracked) = (Blobs::open(dir)?, Tracked::load(dir));
        let (editing, edited) = (HashSet::new(), HashSet::new());
        Ok(Self { tracked, blobs, secrets, unsaved: false, editing, edited })
    }

    /// A look begins: what tools write from now on, it may see in any state.
    pub fn begin_look(&mut self) {
        self.edited.clone_from(&self.editing);
    }

    /// Takes in a look at the tree. Returns what has changed since the one before; what changed
    /// while a call ran counts as its doing, everything else as the user's.
    pub fn take_in(&mut self, walked: Walked, when: &When<'_>) -> Vec<Change> {
        if !walked.whole && !self.tracked.whole && self.tracked.paths.is_empty() {
            return Vec::new();
        }
        let first = walked.whole && !self.tracked.whole;
        let mut changes = Vec::new();
        let mut there = HashSet::with_capacity(walked.found.len());
        for found in walked.found {
            let key = encode_path(&found.path);
            if self.edited.contains(&key) {
                // The tool says what it was.
            } else if first && !self.tracked.paths.contains_key(&key) {
                changes.extend(self.meet(&key, &found, when));
            } else {
                changes.extend(self.compare(&key, &found, when));
            }
            there.insert(key);
        }
        self.know_edited();
        changes.extend(self.missing(&there, when));
        if first {
            // Nobody has a copy of nothing until it is asked for.
            let _ = self.blobs.put(b"");
        }
        self.tracked.whole = walked.whole;
        changes
    }

    /// Takes in a look at a few paths: those that are not among them are as they were.
    pub fn take_in_some(&mut self, found: &[Found], when: &When<'_>) -> Vec<Change> {
        found
            .iter()
            .filter_map(|found| {
                let key = encode_path(&found.path);
                (!self.editing.contains(&key)).then(|| self.compare(&key, found, when)).flatten()
            })
            .collect()
    }

    /// Sees a path for the first time. What a call has changed before that is named as changed; what
    /// it was nobody knows.
    fn meet(&mut self, key: &str, found: &Found, when: &When<'_>) -> Option<Change> {
        let state = state_of(found, |_, size| match size {
            0 => Content::Blob(Blobs::id(b"")),
            _ if size > FIRST_LIMIT => Content::Lost(Lost::TooLarge),
            _ => Content::Lost(Lost::Unseen),
        });
        let fresh = is_fresh(&found.stamp, when.now);
        let changed = match (&state, when.call(found.changed)) {
            (PathState::File { mode, size, .. }, Some(ran)) => {
                let content = Content::Lost(Lost::Unseen);
                let before = PathState::File { mode: *mode, size: *size, content };
                Some(Change { point: ran.point, path: key.to_owned(), by: By::Command, before })
            }
            _ => None,
        };
        self.tracked.paths.insert(key.to_owned(), Seen { stamp: found.stamp, state, fresh });
        self.unsaved = true;
        changed
    }

    /// Directories that tools have made while the tree was looked at are theirs.
    fn know_edited(&mut self) {
        for key in std::mem::take(&mut self.edited) {
            if self.tracked.paths.contains_key(&key) || self.editing.contains(&key) {
                continue;
            }
            if let Some(found) = look_at(decode_path(&key))
                && found.kind == Kind::Directory
            {
                let state = state_of(&found, |_, _| Content::Lost(Lost::Unseen));
                self.tracked.paths.insert(key, Seen { stamp: found.stamp, state, fresh: false });
            }
        }
    }

    /// Compares what was found with what was there.
    fn compare(&mut self, key: &str, found: &Found, when: &When<'_>) -> Option<Change> {
        let known = self.tracked.paths.get(key);
        if known.is_some_and(|known| known.stamp == found.stamp && !known.fresh) {
            return None;
        }
        let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
        let seen = copier.see(found, CHANGED_LIMIT, when.now);
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
        let (by, point) = when.place(found.changed);
        let changed = differs.then(|| Change { point, path: key.to_owned(), by, before });
        self.tracked.paths.insert(key.to_owned(), seen);
        changed
    }

    /// Looks for the watched paths that the walk has not come by: they are gone, or ignored.
    fn missing(&mut self, there: &HashSet<String>, when: &When<'_>) -> Vec<Change> {
        let absent: Vec<String> =
            self.tracked.paths.keys().filter(|key| !there.contains(*key)).cloned().collect();
        let mut changes = Vec::new();
        for path in absent {
            if self.editing.contains(&path) {
                continue;
            }
            if let Some(found) = look_at_itself(decode_path(&path)) {
                changes.extend(self.compare(&path, &found, when));
            } else if let Some(seen) = self.tracked.paths.remove(&path) {
                self.unsaved = true;
                let (by, point) = when.place(gone_at(&decode_path(&path)));
                changes.push(Change { point, path, by, before: seen.state });
            }
        }
        changes
    }

    /// Files that were seen and not copied yet, the newest last: those are the ones that are worked on.
    pub fn to_copy(&self) -> Vec<(Stamp, String)> {
        let mut uncopied: Vec<(Stamp, String)> = Vec::new();
        for (path, seen) in &self.tracked.paths {
            if let PathState::File { size, content: Content::Lost(Lost::Unseen), .. } = seen.state
                && size <= FIRST_LIMIT
            {
                uncopied.push((seen.stamp, path.clone()));
            }
        }
        uncopied.sort_unstable_by_key(|(stamp, _)| stamp.modified);
        uncopied
    }

    /// Copies one of them. Returns whether there is room for more.
    pub fn copy(&mut self, stamp: &Stamp, key: &str) -> bool {
        if self.blobs.size() + stamp.size > FIRST_TOTAL {
            return false;
        }
        let unseen = |seen: &Seen| {
            let content = Content::Lost(Lost::Unseen);
            seen.stamp == *stamp
                && matches!(&seen.state, PathState::File { content: kept, .. } if *kept == content)
        };
        if !self.tracked.paths.get(key).is_some_and(unseen) {
            return true;
        }
        // Only what has not changed since it was seen: a call may run beside this.
        let path = decode_path(key);
        let same = || look_at(path.clone()).is_some_and(|found| found.stamp == *stamp);
        if !same() {
            return true;
        }
        let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
        let copy = copier.content(&path, stamp.size, FIRST_LIMIT);
        if same()
            && let Some(Seen { state: PathState::File { content, .. }, .. }) =
                self.tracked.paths.get_mut(key)
        {
            *content = copy;
            self.unsaved = true;
        }
        true
    }

    /// A command is about to write this file: from now on it is watched, and has a copy.
    pub fn know(&mut self, real: &Path, now: i64) {
        let key = encode_path(real);
        let known = self.tracked.paths.get(&key);
        if known.is_some_and(|known| !is_unseen(&known.state)) || self.editing.contains(&key) {
            return;
        }
        let Some(found) = look_at_itself(real.to_path_buf()) else { return };
        // One that has changed since it was seen is what the next look tells of.
        let same = known.is_none_or(|known| known.stamp == found.stamp);
        if found.kind == Kind::File && same {
            let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
            let seen = copier.see(&found, CHANGED_LIMIT, now);
            self.tracked.paths.insert(key, seen);
            self.unsaved = true;
        }
    }

    /// Whether the file or a directory above it is there although the tree, which was looked at whole,
    /// had none there.
    pub fn has_unseen(&self, real: &Path, roots: &[PathBuf]) -> bool {
        let unseen = |path: &Path| {
            !self.tracked.paths.contains_key(&encode_path(path)) && look_at(path.into()).is_some()
        };
        self.tracked.whole
            && roots.iter().any(|root| real.starts_with(root))
            && real
                .ancestors()
                .take_while(|path| !roots.iter().any(|root| root == path))
                .any(unseen)
    }

    /// A tool is about to write this file, or the one a rewind puts back. Returns what to note.
    pub fn before_write(&mut self, real: &Path, by: By, when: &When<'_>) -> Vec<Change> {
        let point = when.newest;
        let mut changes = Vec::new();
        // Directories that the tool is going to make.
        for dir in real.ancestors().skip(1).take_while(|dir| !dir.exists()) {
            let path = encode_path(dir);
            self.edited.insert(path.clone());
            changes.push(Change { point, path, by, before: PathState::Absent });
        }
        let key = encode_path(real);
        self.edited.insert(key.clone());
        if by == By::Tool {
            self.editing.insert(key.clone());
        }
        let mut copier = Copier { blobs: &mut self.blobs, secrets: &self.secrets };
        let there = look_at(real.to_path_buf());
        let changed = there.as_ref().map_or_else(|| gone_at(real), |found| found.changed);
        let before =
            there.map_or(PathState::Absent, |found| copier.see(&found, TOOL_LIMIT, when.now).state);
        // Somebody else may have been here since the last look.
        if let Some(known) = self.tracked.paths.get(&key)
            && known.state != before
            && !is_lost(&known.state)
        {
            let before = known.state.clone();
            let (by, point) = when.place(changed);
            changes.push(Change { point, path: key.clone(), by, before });
        }
        changes.push(Change { point, path: key, by, before });
        changes
    }

    /// The tool has written it: what is there now is known.
    pub fn after_write(&mut self, real: &Path, now: i64) {
        self.unsaved = true;
        self.editing.remove(&encode_path(real));
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

/// Whether nobody has made a copy yet.
fn is_unseen(state: &PathState) -> bool {
    matches!(state, PathState::File { content: Content::Lost(Lost::Unseen), .. })
}
