//! `restore.json`: what a rewind is about to do, written before it does anything, so that the next
//! opening finishes what a killed process had begun.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::restore::{Failed, put_back};
use super::{Rewinder, trouble};
use crate::protocol::TodoItem;
use crate::store::snapshots::{By, Content, PointLog, Put, Rewound, decode_path};
use crate::store::{
    ContextLog, ContextMark, LoadedContext, SessionState, StoreError, read_regular, write_atomic,
};

/// A larger journal is not ours.
const MAX_JOURNAL: u64 = 256 << 20;

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
    /// Puts the files back and takes the new state in.
    pub(super) fn carry_out(&self, journal: &Journal) -> Result<Vec<Failed>, String> {
        let roots = self.roots();
        self.with_tree(|tree| {
            let failed = {
                let fetch = |content: &Content| self.fetch(tree, content);
                put_back(&journal.puts, &roots, &fetch)
            };
            let now = self.now_ns();
            for put in &journal.puts {
                tree.after_write(&decode_path(&put.path), now);
            }
            Ok(failed)
        })
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
    let failed = match rewinder.carry_out(&journal) {
        Ok(failed) => failed,
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
    warnings.extend(
        failed
            .iter()
            .map(|failed| format!("{} is left as it is: {}", failed.path.display(), failed.why)),
    );
    Ok(loaded)
}

impl Rewinder {
    /// Notes that the paths are about to be put back, and keeps copies of what is there.
    pub(super) fn before_putting(&self, puts: Vec<Put>) -> Result<(Vec<Put>, Vec<Failed>), String> {
        self.with_tree(|tree| {
            let now = self.now_ns();
            let (mut kept, mut failed) = (Vec::new(), Vec::new());
            self.with_log(|log| {
                let when = self.when(log, &[], now);
                let mut noted = Vec::new();
                for put in puts {
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
                        let why = "it was changed meanwhile and is left as it is".to_owned();
                        failed.push(Failed { path, why });
                    }
                }
                tree.blobs.sync()?;
                Ok(log.add_changes(noted)?)
            })
            .map_err(super::Trouble)?;
            Ok((kept, failed))
        })
    }
}
