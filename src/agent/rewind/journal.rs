//! `restore.json`: what a rewind is about to do, written before it does anything, so that the next
//! opening finishes what a killed process had begun.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::restore::{CHANGED, Failed, PutBack, put_back, sweep};
use super::{Rewinder, trouble};
use crate::protocol::{RewindScope, TodoItem};
use crate::store::snapshots::{By, Content, PointLog, Put, Rewound, decode_path};
use crate::store::{
    ContextLog, ContextMark, LoadedContext, SessionState, StoreError, read_regular, write_atomic,
};

/// Files that are named when a rewind is finished at the next opening.
const NAMED: usize = 12;
/// A larger journal is not ours.
const MAX_JOURNAL: u64 = 256 << 20;

/// What can be put back now, and what cannot any more.
pub(super) type Ready = (Vec<Put>, Vec<Failed>);

/// A rewind, or its redo, as it is carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Journal {
    /// The rewind is taken back.
    pub redo: bool,
    pub rewound: Rewound,
    pub puts: Vec<Put>,
    /// Where the conversation goes, if it does.
    pub context: Option<ContextMark>,
    pub todos: Vec<TodoItem>,
    pub title: Option<String>,
}

impl Journal {
    fn path(dir: &Path) -> PathBuf {
        dir.join("restore.json")
    }

    /// Promises to do it.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        write_atomic(&Self::path(dir), &serde_json::to_vec(self)?, 0o600)
    }

    /// What was promised and not kept. A journal that cannot be read was never promised.
    fn load(dir: &Path) -> Option<Self> {
        let bytes = read_regular(&Self::path(dir), MAX_JOURNAL).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// The promise is kept.
    pub fn remove(dir: &Path) -> io::Result<()> {
        match std::fs::remove_file(Self::path(dir)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Notes in the log of points that it is done, once.
    pub fn note(&self, log: &mut PointLog) -> io::Result<()> {
        let noted = log.redo() == Some(&self.rewound);
        match (self.redo, noted) {
            (false, false) => log.add_rewound(self.rewound.clone()),
            (true, true) => log.add_redone(),
            _ => Ok(()),
        }
    }

    /// What was done of it when it was stopped before `left`: files alone, the conversation stays.
    pub fn cut_off(mut self, left: &[Put]) -> Self {
        let left: HashSet<&str> = left.iter().map(|put| put.path.as_str()).collect();
        self.puts.retain(|put| !left.contains(put.path.as_str()));
        self.context = None;
        if !self.redo {
            self.rewound.files.clone_from(&self.puts);
            self.rewound.scope = RewindScope::Files;
            self.rewound.hidden.clear();
        }
        self
    }

    /// What goes with the conversation.
    pub fn settle(&self, state: &mut SessionState) {
        if self.context.is_none() {
            return;
        }
        state.todos.clone_from(&self.todos);
        // A title that the user has chosen is no part of the conversation.
        if !state.title_generated {
            state.custom_title.clone_from(&self.title);
        }
    }
}

impl Rewinder {
    /// Puts the files back and takes the new state in. `stopped` is asked between the files.
    pub(super) fn carry_out(
        &self,
        journal: &Journal,
        stopped: &dyn Fn() -> bool,
    ) -> Result<PutBack, String> {
        let roots = self.roots();
        self.through.store(0, Ordering::Relaxed);
        self.of.store(journal.puts.len(), Ordering::Relaxed);
        let done = self.with_tree(|tree| {
            let done = {
                let fetch = |content: &Content| self.fetch(tree, content);
                put_back(&journal.puts, &roots, &fetch, stopped, &self.through)
            };
            let left: HashSet<&str> = done.left.iter().map(|put| put.path.as_str()).collect();
            let now = self.now_ns();
            for put in journal.puts.iter().filter(|put| !left.contains(put.path.as_str())) {
                tree.after_write(&decode_path(&put.path), now);
            }
            Ok(done)
        });
        self.of.store(0, Ordering::Relaxed);
        done
    }
}

/// Finishes a rewind that a killed process had begun. Returns the conversation when it went back.
/// Costs a look for one file when there is nothing to finish.
pub(crate) fn finish_interrupted(
    rewinder: &Arc<Rewinder>,
    context: &mut ContextLog,
    settle: impl FnOnce(&dyn Fn(&mut SessionState)),
    warnings: &mut Vec<String>,
) -> Result<Option<LoadedContext>, StoreError> {
    let Some(journal) = Journal::load(&rewinder.dir) else { return Ok(None) };
    sweep(&journal.puts, &rewinder.roots());
    let failed = match rewinder.carry_out(&journal, &|| false) {
        Ok(done) => done.failed,
        Err(error) => {
            warnings.push(format!("A rewind was interrupted and cannot be finished: {error}"));
            return Ok(None);
        }
    };
    let mut loaded = None;
    if let Some(mark) = journal.context.as_ref()
        && context.mark()? != *mark
    {
        loaded = context.return_to(mark)?;
    }
    settle(&|state| journal.settle(state));
    let noted = rewinder
        .with_log(|log| Ok(journal.note(log)?))
        .and_then(|()| rewinder.save())
        .and_then(|()| Journal::remove(&rewinder.dir).map_err(|error| trouble(&error)));
    warnings.extend(noted.err());
    let what = if journal.redo { "redo" } else { "rewind" };
    warnings.push(format!("A {what} was interrupted; it is finished now."));
    let left =
        |failed: &Failed| format!("{} is left as it is: {}.", failed.path.display(), failed.why);
    warnings.extend(failed.iter().take(NAMED).map(left));
    if failed.len() > NAMED {
        warnings.push(format!("{} more files are left as they are.", failed.len() - NAMED));
    }
    Ok(loaded)
}

impl Rewinder {
    /// Notes that the paths are about to be put back, and keeps copies of what is there. `None` when it
    /// was stopped: nothing is noted then.
    pub(super) fn before_putting(
        &self,
        puts: Vec<Put>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Ready>, String> {
        self.with_tree(|tree| {
            let now = self.now_ns();
            let (mut kept, mut failed) = (Vec::new(), Vec::new());
            let ready = self.with_log(|log| {
                let when = self.when(log, &[], now);
                let mut noted = Vec::new();
                for put in puts {
                    if stopped() {
                        return Ok(false);
                    }
                    let path = decode_path(&put.path);
                    let changes = tree.before_write(&path, By::Rewind, &when);
                    let copied = match &put.from {
                        crate::store::snapshots::PathState::File {
                            content: Content::Blob(id),
                            ..
                        } => tree.blobs.holds(id),
                        _ => true,
                    };
                    noted.extend(changes);
                    if copied {
                        kept.push(put);
                    } else {
                        failed.push(Failed { path, why: CHANGED.to_owned() });
                    }
                }
                tree.blobs.sync()?;
                log.add_changes(noted)?;
                Ok(true)
            });
            Ok(ready.map_err(super::Trouble)?.then_some((kept, failed)))
        })
    }
}
