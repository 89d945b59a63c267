//! When the agent looks at the files: turns, calls, edits.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tracing::warn;

use super::approved::Approved;
use super::calls::{CallId, Ran, When};
use super::plan::count;
use super::tree::Tree;
use super::walk::{walk, walk_to};
use super::{Rewinder, Words, lock};
use crate::protocol::TodoItem;
use crate::store::ContextMark;
use crate::store::snapshots::{By, Content, Ended, PathState, Point, PointLog};
use crate::tools::{ChangeLog, Desk, diff_blocks};

/// How long a call waits for a look at the tree.
const CALL_PATIENCE: Duration = Duration::from_millis(150);
/// How long the first call of all that may change files waits for the first look and the first copies: of
/// what it changes before they are made nothing can come back.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// How long the end of a session, or a rewind, waits for looks and copies; the look alone gets as
/// much again.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Files that are copied while an edit waits.
const COPIED_AT_ONCE: usize = 16;
/// Trees that take longer to look at, in milliseconds, are looked at once a turn and not after
/// every command.
const SLOW_MS: u64 = 300;
/// Bytes of a file whose lines are counted.
const MAX_COUNTED: u64 = 256 << 10;
/// Files of a turn whose lines are counted.
const MAX_COUNTED_FILES: usize = 200;

/// What runs beside the turns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Running {
    looks: usize,
    copies: usize,
}

/// Counts something that runs for as long as it lives.
struct Guard {
    rewinder: Arc<Rewinder>,
    of: fn(&mut Running) -> &mut usize,
}

impl Guard {
    fn new(rewinder: &Arc<Rewinder>, of: fn(&mut Running) -> &mut usize) -> Self {
        rewinder.running.send_modify(|running| *of(running) += 1);
        Self { rewinder: Arc::clone(rewinder), of }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let of = self.of;
        self.rewinder.running.send_modify(|running| *of(running) -= 1);
    }
}

/// A call that may change files, while it runs.
pub(in crate::agent) struct WatchedCall {
    rewinder: Arc<Rewinder>,
    /// `None` when it says itself what it changes.
    call: Option<CallId>,
    /// When a person last approved something it asked, in nanoseconds since 1970.
    approved: Arc<AtomicI64>,
}

impl WatchedCall {
    /// A desk for it: what a person does to files while they decide is not the call's doing.
    pub fn asking_at(&self, desk: Arc<dyn Desk>) -> Arc<dyn Desk> {
        let rewinder = Arc::clone(&self.rewinder);
        Arc::new(Approved { desk, rewinder, at: Arc::clone(&self.approved) })
    }
}

impl Drop for WatchedCall {
    fn drop(&mut self) {
        let Some(call) = self.call else { return };
        let rewinder = &self.rewinder;
        let approved = self.approved.load(Ordering::Relaxed);
        lock(&rewinder.calls).end(call, approved, rewinder.now_ns());
        let quick = rewinder.took.load(Ordering::Relaxed) <= SLOW_MS;
        // Without a runtime the program ends, and there is nobody to look for.
        if quick && tokio::runtime::Handle::try_current().is_ok() {
            let this = Arc::clone(rewinder);
            rewinder.beside(move || this.look_now());
        }
    }
}

impl Rewinder {
    /// A turn begins: notes the point before it, and looks at the tree beside whatever follows. What
    /// changed until now belongs to the turn before. A failure costs the way back, not the turn.
    pub async fn begin_turn(
        self: &Arc<Self>,
        words: impl Into<Words>,
        context: ContextMark,
        todos: Vec<TodoItem>,
        title: Option<String>,
    ) {
        let Words { text: prompt, by_itself } = words.into();
        let this = Arc::clone(self);
        let begun = self.file_ns();
        let noted = tokio::task::spawn_blocking(move || {
            this.with_log(|log| {
                let before = log.newest();
                let (id, at) = (before + 1, this.env.unix_now());
                log.add_point(Point { id, at, prompt, by_itself, context, todos, title })?;
                this.begun.store(begun, Ordering::Relaxed);
                this.open.store(true, Ordering::Relaxed);
                Ok(before)
            })
        });
        let noted = noted.await.unwrap_or_else(|error| Err(error.to_string()));
        let before = match noted {
            Ok(before) => before,
            Err(error) => return warn!(%error, "this turn cannot be undone"),
        };
        let this = Arc::clone(self);
        self.beside(move || {
            this.look(before);
            this.looked.fetch_max(before + 1, Ordering::Relaxed);
            this.note_end(before);
            this.copy_beside();
        });
    }

    /// Nothing was said in the turn that is about to end: unless it changed files there is nothing in
    /// it that could be taken back.
    pub async fn silent_turn(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let noted =
            tokio::task::spawn_blocking(move || this.with_log(|log| Ok(log.add_silent()?))).await;
        if let Err(error) = noted.unwrap_or_else(|error| Err(error.to_string())) {
            warn!(%error, "a turn that did nothing can be undone");
        }
    }

    /// A call that may change files, and does not say which, is about to run: the first of them waits
    /// for a while until what is there was seen and copied. Those after it find that done.
    pub(in crate::agent) async fn before_first_change(self: &Arc<Self>) {
        if *self.copied.borrow() || !self.open.load(Ordering::Relaxed) {
            return;
        }
        let mut copied = self.copied.subscribe();
        // In vain: it is told what is not known.
        let _ = tokio::time::timeout(FIRST_PATIENCE, copied.wait_for(|copied| *copied)).await;
        self.copied.send_replace(true);
    }

    /// A command that names files is about to write them. Those that nobody watches, as they are
    /// ignored, or that have no copy yet, are copied before. `files` looks at the disk to tell which they
    /// are: it is asked on a thread that may wait.
    pub(in crate::agent) async fn before_named(
        self: &Arc<Self>,
        files: impl FnOnce() -> Vec<PathBuf> + Send + 'static,
    ) {
        let this = Arc::clone(self);
        let keep = move || {
            let files = files();
            if files.is_empty() {
                return Ok(());
            }
            let (roots, own) = (this.roots(), this.own_dirs());
            let is_vcs = |name: &OsStr| name.to_str().is_some_and(crate::tools::walk::is_vcs);
            // The workspace itself may lie in such a directory.
            let ours = |path: &Path| {
                let mut below = roots.iter().filter_map(|root| path.strip_prefix(root).ok());
                below.any(|rest| !rest.iter().any(is_vcs))
                    && !own.iter().any(|dir| path.starts_with(dir))
            };
            this.with_tree(|tree| {
                let now = this.now_ns();
                files.iter().filter(|path| ours(path)).for_each(|path| tree.know(path, now));
                Ok(())
            })
        };
        let kept = tokio::task::spawn_blocking(keep).await;
        if let Err(error) = kept.unwrap_or_else(|error| Err(error.to_string())) {
            warn!(%error, "files that a command writes have no copy");
        }
    }

    /// A call that may change files is about to run. Waits a moment for what looks at the tree, and
    /// not at all when the call is `exact`: it says itself what it changes. The call runs until what is
    /// returned is dropped. Calls of several agents may run at once, and beyond the end of a turn.
    pub(in crate::agent) async fn before_call(self: &Arc<Self>, exact: bool) -> WatchedCall {
        if !exact {
            self.wait(CALL_PATIENCE, |running| running.looks + running.copies == 0).await;
        }
        let (from, known) = (self.file_ns(), self.known.load(Ordering::Relaxed));
        let noted = self.with_log(|log| {
            if !exact && !known {
                log.add_partial(log.newest())?;
            }
            Ok(log.newest())
        });
        let call = match noted {
            Ok(_) if exact => None,
            Ok(newest) => Some(lock(&self.calls).begin(from, newest)),
            Err(error) => {
                warn!(%error, "what this call changes cannot be undone");
                None
            }
        };
        WatchedCall { rewinder: Arc::clone(self), call, approved: Arc::default() }
    }

    /// The turn is over: looks at the tree beside whatever follows and notes what the turn did.
    pub fn end_turn(self: &Arc<Self>) {
        self.open.store(false, Ordering::Relaxed);
        let Ok(point) = self.with_log(|log| Ok(log.newest())) else { return };
        let this = Arc::clone(self);
        self.beside(move || {
            // The look of a turn that has begun meanwhile sees the same.
            if this.with_log(|log| Ok(log.newest())) == Ok(point) {
                this.look_now();
                this.note_end(point);
            }
            this.copy_beside();
        });
    }

    /// Notes what the turn after this point did, once.
    pub(super) fn note_end(&self, point: u64) {
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

    /// Waits, for a bounded time, until nothing looks at the tree or copies. Copying that takes too
    /// long is stopped; what is left is copied the next time.
    pub async fn settle(&self) {
        let idle = |running: &Running| running.looks + running.copies == 0;
        if !self.wait(PATIENCE, idle).await {
            self.stop.store(true, Ordering::Relaxed);
            if !self.wait(PATIENCE, idle).await {
                warn!("a look at the files does not end");
            }
            self.stop.store(false, Ordering::Relaxed);
        }
    }

    async fn wait(&self, patience: Duration, until: impl Fn(&Running) -> bool) -> bool {
        let mut running = self.running.subscribe();
        let waited = tokio::time::timeout(patience, running.wait_for(until)).await;
        waited.is_ok()
    }

    fn beside(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        let running = Guard::new(self, |running| &mut running.looks);
        tokio::task::spawn_blocking(move || {
            let _running = running;
            work();
        });
    }

    /// Copies what has no copy yet beside whatever follows, and keeps the copies below their bound.
    fn copy_beside(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let running = Guard::new(self, |running| &mut running.copies);
        tokio::task::spawn_blocking(move || {
            let _running = running;
            let copied = this.copy_newest();
            this.copied.send_replace(true);
            if let Err(error) = copied.and_then(|()| this.make_room()).and_then(|()| this.save()) {
                warn!(%error, "copies of files are not kept");
            }
        });
    }

    /// A few files at a time: who edits does not wait for all of them.
    fn copy_newest(&self) -> Result<(), String> {
        let mut left = self.with_tree(|tree| Ok(tree.to_copy()))?;
        while !left.is_empty() && !self.stop.load(Ordering::Relaxed) {
            while self.wanted.load(Ordering::Relaxed) > 0 {
                std::thread::yield_now();
            }
            let some = left.split_off(left.len().saturating_sub(COPIED_AT_ONCE));
            let room = self.with_tree(|tree| {
                Ok(some.iter().rev().all(|(stamp, key)| tree.copy(stamp, key)))
            })?;
            if !room {
                break;
            }
        }
        Ok(())
    }

    /// Looks at the tree as of now.
    pub(super) fn look_now(&self) {
        match self.with_log(|log| Ok(self.base(log))) {
            Ok(base) => self.look(base),
            Err(error) => warn!(%error, "changes of files are not noted"),
        }
    }

    /// Looks at the tree; what has changed since the last look belongs to `point`, or to the call
    /// that did it. The tree is not locked while the disk is read.
    fn look(&self, point: u64) {
        let _alone = lock(&self.looking);
        let now = self.now_ns();
        let looked = self
            .with_tree(|tree| {
                tree.begin_look();
                self.known.store(tree.tracked.whole, Ordering::Relaxed);
                Ok(())
            })
            .map(|()| walk(&self.roots(), &self.own_dirs(), &*self.env.clock))
            .and_then(|walked| {
                let took = u64::try_from(walked.took.as_millis()).unwrap_or(u64::MAX);
                self.took.store(took, Ordering::Relaxed);
                self.with_tree(|tree| {
                    let whole = walked.whole;
                    let ran = lock(&self.calls).times(self.now_ns());
                    self.with_log(|log| {
                        let when = When { point, ..self.when(log, &ran, now) };
                        let changes = tree.take_in(walked, &when);
                        if !whole {
                            log.add_partial(when.newest)?;
                        }
                        if !changes.is_empty() {
                            log.add_changes(changes)?;
                        }
                        Ok(())
                    })?;
                    self.known.store(whole, Ordering::Relaxed);
                    Ok(())
                })
            });
        match looked {
            Ok(()) => lock(&self.calls).seen(now),
            Err(error) => warn!(%error, "changes of files are not noted"),
        }
    }

    /// The point that changes belong to which nobody has looked for yet.
    fn base(&self, log: &PointLog) -> u64 {
        let newest = log.newest();
        // Until the look at the begin of a turn, they may be older than it.
        let late =
            self.open.load(Ordering::Relaxed) && self.looked.load(Ordering::Relaxed) < newest;
        if late { newest.saturating_sub(1) } else { newest }
    }

    /// Where changes belong that are found now.
    pub(super) fn when<'a>(&self, log: &PointLog, ran: &'a [Ran], now: i64) -> When<'a> {
        let begun = self.begun.load(Ordering::Relaxed);
        When { point: self.base(log), newest: log.newest(), begun, ran, now }
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
        let roots = self.roots();
        let noted = self.with_tree(|tree| {
            let now = self.now_ns();
            // What is there and was never seen is ignored, or new: only a look can tell.
            let unseen = if tree.has_unseen(real, &roots) {
                walk_to(real, &roots, &self.own_dirs(), &*self.env.clock)
            } else {
                Vec::new()
            };
            let ran = lock(&self.calls).times(now);
            Ok(self.with_log(|log| {
                let when = self.when(log, &ran, now);
                let mut changes = tree.take_in_some(&unseen, &when);
                changes.extend(tree.before_write(real, By::Tool, &when));
                Ok(log.add_changes(changes)?)
            })?)
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
