//! When the agent looks at the files: turns, calls, edits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::warn;

use super::plan::count;
use super::tree::{Ran, Tree};
use super::walk::walk;
use super::{PATIENCE, Rewinder, lock};
use crate::protocol::TodoItem;
use crate::store::ContextMark;
use crate::store::snapshots::{By, Content, Ended, PathState, Point, PointLog};
use crate::tools::{ChangeLog, diff_blocks};

/// Trees that take longer to look at, in milliseconds, are looked at once a turn and not after
/// every command.
const SLOW_MS: u64 = 300;
/// Bytes of a file whose lines are counted.
const MAX_COUNTED: u64 = 256 << 10;
/// Files of a turn whose lines are counted.
const MAX_COUNTED_FILES: usize = 200;

impl Rewinder {
    /// A turn begins: notes the point before it, and looks at the tree beside whatever follows. What
    /// changed until now belongs to the turn before. A failure costs the way back, not the turn.
    pub async fn begin_turn(
        self: &Arc<Self>,
        prompt: String,
        context: ContextMark,
        todos: Vec<TodoItem>,
        title: Option<String>,
    ) {
        let this = Arc::clone(self);
        let noted = tokio::task::spawn_blocking(move || {
            this.with_log(|log| {
                let before = log.newest();
                let (id, at) = (before + 1, this.env.unix_now());
                log.add_point(Point { id, at, prompt, context, todos, title })?;
                Ok(before)
            })
        });
        match noted.await {
            Ok(Ok(before)) => self.look_beside(before, true),
            Ok(Err(error)) => warn!(%error, "this turn cannot be undone"),
            Err(error) => warn!(%error, "this turn cannot be undone"),
        }
    }

    /// A call that may change files is about to run: nothing may be looked at meanwhile. Copying that
    /// takes too long is stopped. Returns when the call began.
    pub async fn before_call(&self) -> i64 {
        self.settle().await;
        self.now_ns()
    }

    /// The call that began at `from` has ended. `exact` when it said itself what it changed.
    pub fn after_call(self: &Arc<Self>, from: i64, exact: bool) {
        if exact {
            return;
        }
        let approved = self.approved.load(Ordering::Relaxed);
        lock(&self.ran).push(Ran { from: from.max(approved), to: self.now_ns() });
        if self.took.load(Ordering::Relaxed) <= SLOW_MS
            && let Ok(newest) = self.with_log(|log| Ok(log.newest()))
        {
            self.look_beside(newest, false);
        }
    }

    /// The turn is over: looks at the tree beside whatever follows and notes what the turn did.
    pub fn end_turn(self: &Arc<Self>) {
        let Ok(point) = self.with_log(|log| Ok(log.newest())) else { return };
        let this = Arc::clone(self);
        self.beside(move || {
            // The look of a turn that has begun meanwhile sees the same.
            if this.with_log(|log| Ok(log.newest())) == Ok(point) {
                this.look(point);
                this.note_end(point);
            }
            let kept = this.with_tree(|tree| {
                tree.copy_newest(&this.stop);
                Ok(())
            });
            if let Err(error) = kept.and_then(|()| this.make_room()).and_then(|()| this.save()) {
                warn!(%error, "copies of files are not kept");
            }
        });
    }

    /// Notes what the turn after this point did, once.
    fn note_end(&self, point: u64) {
        let noted = self.with_tree(|tree| {
            let open = self.with_log(|log| Ok(point > 0 && log.ended(point).is_none()))?;
            if !open {
                return Ok(());
            }
            let ended = self.did(tree, point)?;
            Ok(self.with_log(|log| Ok(log.add_ended(ended)?))?)
        });
        if let Err(error) = noted {
            warn!(%error, "what the turn did is not noted");
        }
    }

    /// Waits, for a bounded time, until no look runs.
    pub async fn settle(&self) {
        let running: Vec<_> = std::mem::take(&mut *lock(&self.looks));
        let all = futures_util::future::join_all(running);
        let mut all = std::pin::pin!(all);
        if tokio::time::timeout(PATIENCE, &mut all).await.is_err() {
            self.stop.store(true, Ordering::Relaxed);
            if tokio::time::timeout(PATIENCE, &mut all).await.is_err() {
                warn!("a look at the files does not end");
            }
            self.stop.store(false, Ordering::Relaxed);
        }
    }

    /// Looks beside whatever follows; at the begin of a turn also to the end of the one before, and
    /// for files that are to be copied while they are as they were.
    fn look_beside(self: &Arc<Self>, point: u64, begins: bool) {
        let this = Arc::clone(self);
        self.beside(move || {
            this.look(point);
            if begins {
                this.note_end(point);
                let _ = this.with_tree(|tree| {
                    tree.copy_newest(&this.stop);
                    Ok(())
                });
            }
        });
    }

    fn beside(&self, work: impl FnOnce() + Send + 'static) {
        let mut looks = lock(&self.looks);
        looks.retain(|look| !look.is_finished());
        looks.push(tokio::task::spawn_blocking(work));
    }

    /// Looks at the tree; what has changed since the last look belongs to `point`.
    pub(super) fn look(&self, point: u64) {
        let looked = self.with_tree(|tree| {
            let now = self.now_ns();
            let ran = std::mem::take(&mut *lock(&self.ran));
            let walked = walk(&self.roots(), &self.own_dirs(), &*self.env.clock);
            let took = u64::try_from(walked.took.as_millis()).unwrap_or(u64::MAX);
            self.took.store(took, Ordering::Relaxed);
            let changes = tree.take_in(walked, point, &ran, now);
            if changes.is_empty() {
                return Ok(());
            }
            self.with_log(|log| Ok(log.add_changes(changes)?)).map_err(|text| text.as_str().into())
        });
        if let Err(error) = looked {
            warn!(%error, "changes of files are not noted");
        }
    }

    /// What the program keeps for itself is not the user's work.
    fn own_dirs(&self) -> Vec<PathBuf> {
        let share = crate::store::ShareDir::from_env(&self.env).root().to_path_buf();
        let real = crate::tools::path_guard::real_path(&share);
        real.into_iter().chain([share]).collect()
    }

    /// Writes the index, if it has changed.
    pub(super) fn save(&self) -> Result<(), String> {
        self.with_tree(|tree| {
            if std::mem::take(&mut tree.unsaved) {
                tree.tracked.save(&self.dir)?;
            }
            Ok(())
        })
    }

    /// What the agent did to the files in the turn after this point.
    fn did(&self, tree: &Tree, point: u64) -> Result<Ended, String> {
        let changed: Vec<(String, PathState)> = self.with_log(|log| {
            let changes = log.changes_of(point).into_iter().flatten();
            let ours = changes.filter(|(_, before)| {
                before.by.contains(&By::Tool) || before.by.contains(&By::Command)
            });
            Ok(ours.map(|(path, before)| (path.clone(), before.state.clone())).collect())
        })?;
        let mut ended = Ended { point, ..Ended::default() };
        for (path, before) in changed {
            let after = tree.tracked.paths.get(&path).map(|seen| &seen.state);
            let after = after.unwrap_or(&PathState::Absent);
            let is_dir = |state: &PathState| matches!(state, PathState::Directory { .. });
            if *after == before || is_dir(after) || is_dir(&before) {
                continue;
            }
            ended.files += 1;
            if ended.files > MAX_COUNTED_FILES {
                continue;
            }
            if let (Some(old), Some(new)) = (self.text(tree, &before), self.text(tree, after)) {
                let (added, removed) = count(&diff_blocks(Path::new(""), &old, &new));
                ended.added += added;
                ended.removed += removed;
            }
        }
        Ok(ended)
    }

    fn text(&self, tree: &Tree, state: &PathState) -> Option<String> {
        match state {
            PathState::Absent => Some(String::new()),
            PathState::File { size, content: content @ Content::Blob(_), .. }
                if *size <= MAX_COUNTED =>
            {
                String::from_utf8(self.fetch(tree, content).ok()?).ok()
            }
            _ => None,
        }
    }
}

/// What a turn did whose end was not noted: the files are known, the lines are not.
pub(super) fn roughly(log: &PointLog, point: u64) -> Ended {
    let files =
        log.changes_of(point).into_iter().flatten().filter(|(_, before)| {
            before.by.contains(&By::Tool) || before.by.contains(&By::Command)
        });
    Ended { point, files: files.count(), ..Ended::default() }
}

impl ChangeLog for Rewinder {
    fn before(&self, real: &Path) {
        // What is there and was never seen is ignored, or new: only a look can tell.
        let unseen = self.with_tree(|tree| Ok(tree.has_unseen(real, &self.roots())));
        if unseen == Ok(true)
            && let Ok(newest) = self.with_log(|log| Ok(log.newest()))
        {
            self.look(newest);
        }
        let noted = self.with_tree(|tree| {
            let now = self.now_ns();
            self.with_log(|log| {
                let changes = tree.before_write(real, log.newest(), By::Tool, now);
                Ok(log.add_changes(changes)?)
            })
            .map_err(|text| text.as_str().into())
        });
        if let Err(error) = noted {
            warn!(%error, path = %real.display(), "this edit cannot be undone");
        }
    }

    fn after(&self, real: &Path) {
        let now = self.now_ns();
        let _ = self.with_tree(|tree| {
            tree.after_write(real, now);
            Ok(())
        });
    }
}
