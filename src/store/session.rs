//! Sessions as directories: making, finding, listing, removing.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::lines::open_log;
use super::summary::{self, SessionSummary};
use super::{ShareDir, StoreError, WorkDirIndex};
use crate::platform::env::Env;

/// Longest session id in bytes; file systems end at 255.
const MAX_ID: usize = 200;

/// How often a directory is emptied before it is left.
const REMOVE_TRIES: u32 = 20;

/// A session on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The work directory it belongs to.
    pub work_dir: PathBuf,
}

impl Session {
    /// What the model sees; see [`ContextLog`](super::ContextLog).
    pub fn context_path(&self) -> PathBuf {
        self.dir.join("context.jsonl")
    }

    /// The newest answer, whole; see [`write_last_answer`](super::write_last_answer).
    pub fn last_answer_path(&self) -> PathBuf {
        self.dir.join("last_message.md")
    }

    /// What happened; see [`WireLog`](super::WireLog).
    pub fn wire_path(&self) -> PathBuf {
        self.dir.join("wire.jsonl")
    }
}

/// Why a text cannot be a session id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid session id {id:?}: {reason}. Use letters, digits, `-` and `_`.")]
pub struct BadSessionId {
    pub id: String,
    pub reason: &'static str,
}

/// Whether a text can be a session id: any text that is one directory name.
pub fn check_session_id(id: &str) -> Result<(), BadSessionId> {
    let reason = if id.is_empty() {
        "it is empty"
    } else if id.len() > MAX_ID {
        "it is longer than 200 bytes"
    } else if id == "." || id == ".." {
        "it is not a name"
    } else if id.contains(['/', '\\']) {
        "it contains a path separator"
    } else if id.contains(char::is_control) {
        "it contains a control character"
    } else if id.starts_with('-') {
        "it starts with `-`"
    } else {
        return Ok(());
    };
    Err(BadSessionId { id: id.chars().take(MAX_ID).collect(), reason })
}

/// All sessions of a data directory.
#[derive(Debug, Clone)]
pub struct SessionStore {
    share: ShareDir,
    index: WorkDirIndex,
}

impl SessionStore {
    /// The sessions below this data directory.
    pub fn new(share: ShareDir) -> Self {
        let index = WorkDirIndex::new(&share);
        Self { share, index }
    }

    /// The index of work directories.
    pub fn index(&self) -> &WorkDirIndex {
        &self.index
    }

    /// The data directory.
    pub fn share(&self) -> &ShareDir {
        &self.share
    }

    /// Makes a session with this id, or a fresh one, and registers the work directory. Files that
    /// are in its directory already stay. Also returns what a person should be told.
    pub fn create(
        &self,
        work_dir: &Path,
        id: Option<&str>,
        env: &Env,
    ) -> Result<(Session, Vec<String>), StoreError> {
        let id = id.map_or_else(|| env.ids.uuid(), str::to_owned);
        check_session_id(&id)?;
        let session = self.at(work_dir, id);
        let context = session.context_path();
        open_log(&context).map_err(StoreError::io("create", &context))?;
        // A session in a work directory that could not be registered still works.
        let warnings = match self.index.register(work_dir) {
            Ok(warnings) => warnings,
            Err(error) => vec![error.to_string()],
        };
        Ok((session, warnings))
    }

    /// The session with this id in this work directory.
    pub fn find(&self, work_dir: &Path, id: &str) -> Result<Option<Session>, StoreError> {
        check_session_id(id)?;
        let session = self.at(work_dir, id.to_owned());
        adopt_legacy_file(&session).map_err(StoreError::io("open", &session.dir))?;
        Ok(session.context_path().is_file().then_some(session))
    }

    /// The session with this id in whichever of the registered work directories.
    pub fn find_anywhere(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let found = self.index.work_dirs().into_iter().map(|work_dir| self.find(&work_dir, id));
        found.filter_map(Result::transpose).next().transpose()
    }

    /// The session to continue: the one used last that has anything in it. Found by the time of its
    /// files, so that a session whose process was killed counts; the index decides between equals
    /// and is the only way to an archived one.
    pub fn latest(&self, work_dir: &Path) -> Option<Session> {
        let last = self.index.last_session_id(work_dir);
        let mut found = self.by_time(work_dir);
        found.sort_by_key(|(session, time)| Reverse((*time, last.as_ref() == Some(&session.id))));
        found.into_iter().map(|(session, _)| session).find(|session| {
            !summary::is_empty(&session.dir)
                && (last.as_ref() == Some(&session.id) || !summary::is_archived(&session.dir))
        })
    }

    /// The sessions of a work directory that have anything in them, newest first. Only the head of
    /// each is read.
    pub fn list(&self, work_dir: &Path) -> Vec<SessionSummary> {
        let mut found = self.by_time(work_dir);
        found.sort_by_key(|(session, time)| Reverse((*time, session.id.clone())));
        found
            .into_iter()
            .filter(|(session, _)| !summary::is_empty(&session.dir))
            .map(|(session, time)| summary::summarize(session, time))
            .collect()
    }

    /// The sessions of all registered work directories, newest first.
    pub fn list_all(&self) -> Vec<SessionSummary> {
        let mut all: Vec<_> =
            self.index.work_dirs().iter().flat_map(|work_dir| self.list(work_dir)).collect();
        all.sort_by_key(|summary| Reverse(summary.updated));
        all
    }

    /// What a session is called.
    pub fn title(&self, session: &Session) -> String {
        summary::summarize(session.clone(), SystemTime::UNIX_EPOCH).title
    }

    /// Whether nothing was said or recorded in a session and nobody named it.
    pub fn is_empty(&self, session: &Session) -> bool {
        summary::is_empty(&session.dir)
    }

    /// Removes the session's directory if it is empty in that sense. Returns whether it was.
    pub fn remove_if_empty(&self, session: &Session) -> Result<bool, StoreError> {
        if !session.dir.is_dir() || !summary::is_empty(&session.dir) {
            return Ok(false);
        }
        self.delete(session)?;
        Ok(true)
    }

    /// Deletes a session with all its records.
    pub fn delete(&self, session: &Session) -> Result<(), StoreError> {
        // Another thread or process may put a file in (what the instance does, a title) while the
        // directory is emptied.
        let mut tries = REMOVE_TRIES;
        while let Err(error) = fs::remove_dir_all(&session.dir) {
            tries -= 1;
            match error.kind() {
                io::ErrorKind::DirectoryNotEmpty if tries > 0 => {}
                _ => return Err(StoreError::io("remove", &session.dir)(error)),
            }
        }
        if self.index.last_session_id(&session.work_dir).as_deref() == Some(&session.id) {
            self.index.forget_session(&session.work_dir, &session.id)?;
        }
        Ok(())
    }

    fn at(&self, work_dir: &Path, id: String) -> Session {
        let dir = self.share.sessions_of(work_dir).join(&id);
        Session { id, dir, work_dir: work_dir.to_path_buf() }
    }

    /// Every session directory with the time of its last record, in no order.
    fn by_time(&self, work_dir: &Path) -> Vec<(Session, SystemTime)> {
        let Ok(entries) = fs::read_dir(self.share.sessions_of(work_dir)) else {
            return Vec::new();
        };
        let mut ids: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .flat_map(|name| [name.strip_suffix(".jsonl").map(str::to_owned), Some(name)])
            .flatten()
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter()
            .filter_map(|id| {
                let session = self.find(work_dir, &id).ok()??;
                let time = summary::last_change(&session.dir)?;
                Some((session, time))
            })
            .collect()
    }
}

/// Very old sessions are one file `<id>.jsonl`; it moves into the session's directory.
fn adopt_legacy_file(session: &Session) -> io::Result<()> {
    let Some(parent) = session.dir.parent() else { return Ok(()) };
    let legacy = parent.join(format!("{}.jsonl", session.id));
    if !legacy.is_file() || session.context_path().exists() {
        return Ok(());
    }
    fs::create_dir_all(&session.dir)?;
    fs::rename(legacy, session.context_path())
}

#[cfg(test)]
mod tests;
