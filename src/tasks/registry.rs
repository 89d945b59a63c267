//! All tasks of a session: started, watched, stopped.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::folder::{self, Folder, Tail};
use super::record::{Consumer, Control, Kind, Runtime, Spec};
use crate::config::Background;
use crate::platform::Env;

/// Between two looks of a worker whether its task shall stop.
pub(super) const CONTROL_POLL: Duration = Duration::from_millis(500);
/// Between two looks at tasks that another process has started.
const FOREIGN_POLL: Duration = Duration::from_secs(1);
/// How long a stop is waited for, beyond the grace of the task.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// What the tasks of a session need to know.
#[derive(Debug, Clone)]
pub struct TaskOptions {
    pub session_id: String,
    /// The session's directory.
    pub session_dir: PathBuf,
    pub settings: Background,
    /// The program that is the worker of a command: this one.
    pub program: PathBuf,
}

/// A task as it is known now.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub spec: Spec,
    pub runtime: Runtime,
}

impl View {
    /// Whether it still runs.
    pub fn is_active(&self) -> bool {
        !self.runtime.status.is_over()
    }

    /// Seconds from its start to its end, or to `now`.
    pub fn seconds(&self, now: f64) -> f64 {
        let start = self.runtime.started_at.unwrap_or(self.spec.created_at);
        (self.runtime.finished_at.unwrap_or(now) - start).max(0.0)
    }
}

/// How many tasks run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub commands: usize,
    pub agents: usize,
}

/// The tasks of a session. Clones are the same tasks.
#[derive(Clone)]
pub struct Tasks(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub env: Env,
    pub options: TaskOptions,
    /// Where the tasks' directories are.
    pub dir: PathBuf,
    /// What was last seen on disk: looking here costs nothing.
    pub views: Mutex<BTreeMap<String, Arc<View>>>,
    pub hosted: Mutex<HashMap<String, Hosted>>,
    pub changes: watch::Sender<u64>,
    pub loaded: OnceCell<()>,
    /// One start at a time: the limit holds.
    pub starting: tokio::sync::Mutex<()>,
    pub ending: CancellationToken,
}

pub(super) struct Hosted {
    pub cancel: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Tasks {
    /// The tasks of this session. Nothing is read yet.
    pub fn new(env: Env, options: TaskOptions) -> Self {
        Self(Arc::new(Inner {
            env,
            dir: options.session_dir.join("tasks"),
            options,
            views: Mutex::default(),
            hosted: Mutex::default(),
            changes: watch::Sender::new(0),
            loaded: OnceCell::new(),
            starting: tokio::sync::Mutex::default(),
            ending: CancellationToken::new(),
        }))
    }

    /// The settings.
    pub fn settings(&self) -> &Background {
        &self.0.options.settings
    }

    /// Reads the tasks that the session has from before, once, and settles what became of them.
    pub async fn load(&self) {
        let load = async {
            let inner = Arc::clone(&self.0);
            let found = blocking(move || {
                let all = folder::all(&inner.dir);
                let stale_s = inner.options.settings.worker_stale_after_ms as f64 / 1000.0;
                let all = all.into_iter();
                all.map(|(folder, spec)| inner.look(&folder, spec, stale_s)).collect::<Vec<_>>()
            });
            for view in found.await.unwrap_or_default() {
                self.0.put(view);
            }
            if self.list().iter().any(|view| view.is_active()) {
                self.clone().watch_foreign();
            }
            self.0.tell();
        };
        self.0.loaded.get_or_init(|| load).await;
    }

    /// Counts up at every change of a task.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// All tasks as they are known, the one that changed last first. No disk.
    pub fn list(&self) -> Vec<Arc<View>> {
        let mut all: Vec<_> = lock(&self.0.views).values().cloned().collect();
        all.sort_by(|a, b| {
            let newest = b.runtime.updated_at.total_cmp(&a.runtime.updated_at);
            newest.then_with(|| b.spec.created_at.total_cmp(&a.spec.created_at))
        });
        all
    }

    /// The tasks that run.
    pub fn active(&self) -> Vec<Arc<View>> {
        self.list().into_iter().filter(|view| view.is_active()).collect()
    }

    /// How many run. No disk.
    pub fn counts(&self) -> Counts {
        let views = lock(&self.0.views);
        let active = || views.values().filter(|view| view.is_active());
        let commands = active().filter(|view| view.spec.kind == Kind::Bash).count();
        Counts { commands, agents: active().count() - commands }
    }

    /// The task as it is on disk now; `None` when there is none of that id.
    pub async fn get(&self, id: &str) -> Option<Arc<View>> {
        self.load().await;
        let known = lock(&self.0.views).get(id).cloned()?;
        if !known.is_active() {
            return Some(known);
        }
        Some(self.0.refresh(id).await.unwrap_or(known))
    }

    /// Asks a task to stop and waits a while until it has. One that is over stays as it is.
    pub async fn stop(&self, id: &str, reason: &str) -> io::Result<Option<Arc<View>>> {
        let Some(view) = self.get(id).await.filter(|view| view.is_active()) else {
            return Ok(self.get(id).await);
        };
        self.request_stop(&view.spec.id, reason).await?;
        let patience = self.grace() + CONTROL_POLL + STOP_PATIENCE;
        Ok(self.wait(id, patience).await)
    }

    /// Waits until the task is over, but not for ever; returns it as it is then.
    pub async fn wait(&self, id: &str, timeout: Duration) -> Option<Arc<View>> {
        let mut changes = self.changes();
        let poll = Duration::from_millis(self.settings().wait_poll_interval_ms);
        let over = async {
            loop {
                changes.mark_unchanged();
                match self.get(id).await {
                    Some(view) if view.is_active() => {}
                    _ => return,
                }
                // Whoever runs it may be another process.
                let _ = tokio::time::timeout(poll, changes.changed()).await;
            }
        };
        let _ = tokio::time::timeout(timeout, over).await;
        self.get(id).await
    }

    /// The end of a task's output, at most so many bytes of it.
    pub async fn tail(&self, id: &str, most: u64) -> io::Result<Tail> {
        let Some(folder) = Folder::of(&self.0.dir, id) else { return Ok(Tail::default()) };
        blocking(move || folder.tail(most)).await.unwrap_or_else(|| Ok(Tail::default()))
    }

    /// Where a task's whole output is.
    pub fn output_path(&self, id: &str) -> PathBuf {
        self.0.dir.join(id).join("output.log")
    }

    /// The model has seen the output up to there.
    pub async fn note_seen(&self, id: &str, size: u64) {
        let Some(folder) = Folder::of(&self.0.dir, id) else { return };
        let seen =
            Consumer { last_seen_output_size: size, last_viewed_at: Some(self.0.env.unix_now()) };
        if let Some(Err(error)) = blocking(move || folder.write_consumer(&seen)).await {
            tracing::warn!(%error, "what was seen of a task cannot be noted");
        }
    }

    /// Stops everything that runs and waits until it is gone, at most for `patience`. Returns what
    /// it has stopped, as it was.
    pub async fn stop_all(&self, reason: &str, patience: Duration) -> Vec<Arc<View>> {
        let running = self.active();
        self.end(&running, reason, patience).await;
        running
    }

    /// The session ends: no task is started any more. Those that cannot or shall not outlive it are
    /// stopped, and waited for at most for `patience`. Returns them as they were.
    pub async fn shutdown(&self, patience: Duration) -> Vec<Arc<View>> {
        self.0.ending.cancel();
        let keep = self.settings().keep_alive_on_exit;
        let mut doomed = self.active();
        doomed.retain(|view| !keep || lock(&self.0.hosted).contains_key(&view.spec.id));
        self.end(&doomed, "The session ended", patience).await;
        let left = std::mem::take(&mut *lock(&self.0.hosted));
        for hosted in left.into_values() {
            // Dropping the work kills what it has started.
            hosted.task.abort();
            let _ = hosted.task.await;
        }
        doomed
    }

    async fn end(&self, doomed: &[Arc<View>], reason: &str, patience: Duration) {
        for view in doomed {
            if let Err(error) = self.request_stop(&view.spec.id, reason).await {
                tracing::warn!(%error, "a task cannot be stopped");
            }
        }
        let gone = async {
            for view in doomed {
                self.wait(&view.spec.id, patience).await;
            }
        };
        let _ = tokio::time::timeout(patience, gone).await;
    }

    async fn request_stop(&self, id: &str, reason: &str) -> io::Result<()> {
        let Some(folder) = Folder::of(&self.0.dir, id) else { return Ok(()) };
        let control = Control {
            kill_requested_at: Some(self.0.env.unix_now()),
            kill_reason: Some(reason.to_owned()),
            force: false,
        };
        let written = blocking(move || folder.write_control(&control)).await.unwrap_or(Ok(()));
        if let Some(hosted) = lock(&self.0.hosted).get(id) {
            hosted.cancel.cancel();
            return Ok(());
        }
        written
    }

    pub(super) fn grace(&self) -> Duration {
        Duration::from_millis(self.settings().kill_grace_period_ms)
    }

    /// Looks at the tasks that other processes run, as long as there are any.
    fn watch_foreign(self) {
        tokio::spawn(async move {
            while !self.0.ending.is_cancelled() {
                tokio::select! {
                    () = self.0.ending.cancelled() => return,
                    () = tokio::time::sleep(FOREIGN_POLL) => {}
                }
                let active = self.active();
                let mut changed = false;
                for view in &active {
                    let now = self.0.refresh(&view.spec.id).await;
                    changed |= now.is_some_and(|now| now.runtime.status != view.runtime.status);
                }
                if changed {
                    self.0.tell();
                }
                if active.is_empty() {
                    return;
                }
            }
        });
    }
}

impl Inner {
    /// The task as it is on disk, settled if its runner is gone.
    fn look(&self, folder: &Folder, spec: Spec, stale_s: f64) -> Arc<View> {
        let runtime = folder.settled(&spec, self.env.unix_now(), stale_s);
        Arc::new(View { spec, runtime })
    }

    pub(super) async fn refresh(self: &Arc<Self>, id: &str) -> Option<Arc<View>> {
        let (inner, id) = (Arc::clone(self), id.to_owned());
        blocking(move || inner.refresh_now(&id)).await?
    }

    pub(super) fn refresh_now(&self, id: &str) -> Option<Arc<View>> {
        self.refresh_after(id, self.options.settings.worker_stale_after_ms as f64 / 1000.0)
    }

    /// The same for a task whose runner is known to be gone.
    pub(super) fn refresh_gone(&self, id: &str) -> Option<Arc<View>> {
        self.refresh_after(id, f64::NEG_INFINITY)
    }

    fn refresh_after(&self, id: &str, stale_s: f64) -> Option<Arc<View>> {
        let folder = Folder::of(&self.dir, id)?;
        let known = lock(&self.views).get(id).map(|view| view.spec.clone());
        let view = self.look(&folder, known.or_else(|| folder.spec())?, stale_s);
        self.put(Arc::clone(&view));
        Some(view)
    }

    pub(super) fn put(&self, view: Arc<View>) {
        lock(&self.views).insert(view.spec.id.clone(), view);
    }

    pub(super) fn tell(&self) {
        self.changes.send_modify(|n| *n += 1);
    }
}

/// Work with the disk, off the threads that answer. `None` when the process ends.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
