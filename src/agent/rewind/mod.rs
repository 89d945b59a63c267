//! Rewind: conversation and files go back to before a turn, and forth again.
//!
//! | file | subject |
//! |---|---|
//! | `walk` | a look at every file: what is there and when it changed |
//! | `tree` | the files as last seen, with copies; what a look says of the changes |
//! | `copies` | reading what is at a path |
//! | `calls` | when calls ran: whose a change is |
//! | `watch` | when the agent looks: turns, calls, edits |
//! | `plan` | what a rewind would do |
//! | `act` | doing it, as a turn of its own |
//! | `restore` | putting files back |
//! | `told` | what is said of it at the end |
//! | `journal` | finishing what a killed process had begun |
//! | `room` | keeping the copies below a bound |
//!
//! File tools say what they are about to change. What commands and people change is found by looking
//! at the tree at the begin and the end of a turn and after a call that may have done anything. A look
//! runs beside everything else: a call that may change files waits a moment for it and goes on then;
//! the times of the calls and of the files tell what was whose doing. Before the first look of all
//! nothing is known of what commands change, which is noted and told.

mod act;
mod approved;
mod calls;
mod copies;
mod journal;
mod plan;
mod restore;
mod room;
mod told;
mod tree;
mod walk;
mod watch;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch as watch_channel;

pub(super) use act::run;
pub(super) use journal::finish_interrupted;
pub use plan::{Fate, Plan, PlannedFile, Target};

use crate::platform::Env;
use crate::protocol::Hand;
use crate::store::snapshots::{Before, Content, Ended, PointLog};
use crate::tools::path_guard::real_path;
use crate::tools::{Secrets, Workspace};
use calls::Calls;
use tree::{TOOL_LIMIT, Tree};
use watch::Running;
pub(super) use watch::WatchedCall;

/// Copies of a session take no more than this, in bytes.
const MAX_STORE: u64 = 256 << 20;

/// Knows what every turn changed, and takes it back.
pub struct Rewinder {
    env: Env,
    /// `<session>/snapshots`.
    dir: PathBuf,
    workspace: Arc<Workspace>,
    /// Opened when first needed: nothing is read before the first frame.
    log: Mutex<Option<PointLog>>,
    tree: Mutex<Option<Tree>>,
    /// How many wait for the tree.
    wanted: AtomicUsize,
    calls: Mutex<Calls>,
    /// When the newest turn began, in nanoseconds since 1970.
    begun: AtomicI64,
    /// A turn runs.
    open: AtomicBool,
    /// The newest point that was looked at when its turn began.
    looked: AtomicU64,
    /// The whole tree was seen: what is found in it later has changed.
    known: AtomicBool,
    /// What there is was copied once, as far as there is room.
    copied: watch_channel::Sender<bool>,
    /// Held while the tree is looked at.
    looking: Mutex<()>,
    running: watch_channel::Sender<Running>,
    /// Tells the copying that runs to come to an end.
    stop: AtomicBool,
    /// Milliseconds the last look took.
    took: AtomicU64,
    plan: Mutex<Option<Plan>>,
    plans: AtomicU64,
    /// Paths that are put back, of so many; 0 while nothing is put back.
    through: AtomicUsize,
    of: AtomicUsize,
    /// The session ends: what is not done is done at its next opening.
    closing: AtomicBool,
    max_store: u64,
}

/// What a turn begins with, as lists of turns show it.
#[derive(Debug, Clone)]
pub struct Words {
    pub text: String,
    /// Nobody has written them: it is what the turn is called.
    by_itself: bool,
}

impl From<String> for Words {
    /// What somebody has written.
    fn from(text: String) -> Self {
        Self { text, by_itself: false }
    }
}

impl Words {
    /// What a turn is called that begins by itself.
    pub fn of_nobody(text: String) -> Self {
        Self { text, by_itself: true }
    }
}

/// A turn that can be undone, as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RewindPoint {
    pub id: u64,
    /// Unix seconds.
    pub at: f64,
    pub prompt: String,
    /// What the turn did to the files.
    pub did: Ended,
    /// Whether the files can be brought back; the conversation can.
    pub has_files: bool,
    /// The turn may have changed more files than is known.
    pub partial: bool,
}

/// What can be undone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RewindPoints {
    /// The newest first.
    pub points: Vec<RewindPoint>,
    /// What is not covered, one sentence each.
    pub limits: Vec<String>,
    /// There is something to take back.
    pub redo: bool,
}

impl Rewinder {
    /// For a session whose records are below `session_dir`. Reads nothing yet.
    pub fn new(env: Env, session_dir: &std::path::Path, workspace: Arc<Workspace>) -> Arc<Self> {
        Self::bounded(env, session_dir, workspace, MAX_STORE)
    }

    fn bounded(
        env: Env,
        session_dir: &std::path::Path,
        workspace: Arc<Workspace>,
        max_store: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            env,
            dir: session_dir.join("snapshots"),
            workspace,
            log: Mutex::default(),
            tree: Mutex::default(),
            wanted: AtomicUsize::new(0),
            calls: Mutex::default(),
            begun: AtomicI64::new(0),
            open: AtomicBool::new(false),
            looked: AtomicU64::new(0),
            known: AtomicBool::new(false),
            copied: watch_channel::Sender::default(),
            looking: Mutex::default(),
            running: watch_channel::Sender::default(),
            stop: AtomicBool::new(false),
            took: AtomicU64::new(0),
            plan: Mutex::default(),
            plans: AtomicU64::new(0),
            through: AtomicUsize::new(0),
            of: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            max_store,
        })
    }

    /// What can be undone, as of now: looks at the tree first. For a thread that may block.
    pub fn points(&self) -> Result<RewindPoints, String> {
        self.look_now();
        if !self.open.load(Ordering::Relaxed) {
            self.note_end(self.with_log(|log| Ok(log.newest()))?);
        }
        let mut points = self.points_as_noted()?;
        let limits = self.with_tree(|tree| Ok(limits(tree)))?;
        points.limits.splice(0..0, limits);
        Ok(points)
    }

    /// What can be undone, as far as was noted until now.
    pub fn points_as_noted(&self) -> Result<RewindPoints, String> {
        let mut limits = Vec::new();
        let (points, redo) = self.with_log(|log| {
            let points: Vec<_> = log
                .points()
                .rev()
                .map(|point| RewindPoint {
                    id: point.id,
                    at: point.at,
                    prompt: point.prompt.clone(),
                    did: log.ended(point.id).unwrap_or_else(|| watch::roughly(log, point.id)),
                    has_files: log.has_files(point.id),
                    partial: log.is_partial(point.id),
                })
                .collect();
            Ok((points, log.redo().is_some()))
        })?;
        if points.iter().any(|point| !point.has_files) {
            limits.push(format!(
                "Copies took more than {} MB: of the oldest turns only the conversation is kept.",
                self.max_store >> 20
            ));
        }
        Ok(RewindPoints { points, limits, redo })
    }

    /// What it would take to go there, as of now. For a thread that may block. The error is one line
    /// for a person.
    pub fn plan(&self, target: Target) -> Result<Plan, String> {
        self.look_now();
        let newest = self.with_log(|log| Ok(log.newest()))?;
        let partial = self.with_log(|log| {
            Ok(log.is_partial_since(match target {
                Target::Point(id) => id,
                Target::Redo => newest,
            }))
        })?;
        let (wanted, prompt, by_itself, at, scope) = self.with_log(|log| {
            Ok(match target {
                Target::Point(id) => {
                    let point = log.point(id).ok_or("that turn cannot be undone any more")?;
                    let wanted = if log.has_files(id) { log.since(id) } else { Default::default() };
                    (wanted, point.prompt.clone(), point.by_itself, point.at, None)
                }
                Target::Redo => {
                    let rewound = log.redo().ok_or("there is nothing to redo")?;
                    let since = log.changes_of(newest);
                    let wanted = rewound.files.iter().map(|put| {
                        // Who was here after the rewind would lose something.
                        let by = since.and_then(|since| since.get(&put.path));
                        let by = by.map(|before| before.by.clone()).unwrap_or_default();
                        (put.path.clone(), Before { state: put.from.clone(), by })
                    });
                    let scope = Some(rewound.scope);
                    (wanted.collect(), rewound.prompt.clone(), false, rewound.at, scope)
                }
            })
        })?;
        let left: std::collections::BTreeMap<_, _> = match target {
            Target::Point(_) => Default::default(),
            Target::Redo => self.with_log(|log| {
                let files = log.redo().map(|rewound| rewound.files.clone()).unwrap_or_default();
                Ok(files.into_iter().map(|put| (put.path, put.to)).collect())
            })?,
        };
        let roots = self.roots();
        let work_dir =
            real_path(&self.workspace.work_dir).unwrap_or_else(|| self.workspace.work_dir.clone());
        let secrets = Secrets::of(&self.env);
        let files = self.with_tree(|tree| {
            let fetch = |content: &Content| self.fetch(tree, content);
            let unkeepable = |path: &std::path::Path, size: u64| {
                use crate::store::snapshots::Lost;
                let too_large = (size > TOOL_LIMIT).then_some(Lost::TooLarge);
                secrets.hold(path).then_some(Lost::Secret).or(too_large)
            };
            let mut files = plan::files(wanted, &roots, &work_dir, &fetch, &unkeepable);
            for file in &mut files {
                if let Some(left) = left.get(&file.put.path) {
                    // What the rewind left there is nobody's work; anything else is somebody's.
                    let untouched = restore::same(&file.put.from, left, &fetch);
                    file.hand = if untouched { Hand::Agent } else { file.hand.max(Hand::Command) };
                }
            }
            Ok(files)
        })?;
        let id = self.plans.fetch_add(1, Ordering::Relaxed) + 1;
        let plan = Plan { id, target, prompt, by_itself, at, files, scope, partial };
        *lock(&self.plan) = Some(plan.clone());
        Ok(plan)
    }

    /// Where the plan of this number goes, and what the user wrote there, to be sent again: nothing of a turn
    /// that began by itself, nor where a rewind is taken back. `None` when it is not the newest.
    pub fn planned(&self, id: u64) -> Option<(Target, Option<String>)> {
        let plan = lock(&self.plan);
        let plan = plan.as_ref().filter(|plan| plan.id == id)?;
        let written = plan.target != Target::Redo && !plan.by_itself;
        Some((plan.target, written.then(|| plan.prompt.clone())))
    }

    /// How many of how many paths are put back, while that goes on. Waits for nothing.
    pub fn progress(&self) -> Option<(usize, usize)> {
        let of = self.of.load(Ordering::Relaxed);
        (of > 0).then(|| (self.through.load(Ordering::Relaxed).min(of), of))
    }

    /// The point before the newest turn; 0 when there is none.
    pub(super) fn newest_point(&self) -> u64 {
        self.with_log(|log| Ok(log.newest())).unwrap_or_default()
    }

    /// Whether the conversation has gone back to before the turn of this point, or further.
    pub(super) fn is_undone(&self, point: u64) -> bool {
        self.with_log(|log| Ok(log.is_hidden(point))).unwrap_or_default()
    }

    /// The session ends. A rewind that is cancelled after this was not stopped by the user: its next
    /// opening finishes it.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The directories whose files are watched and put back, links resolved.
    fn roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> =
            self.workspace.roots().iter().filter_map(|root| real_path(root)).collect();
        roots.sort();
        roots.dedup();
        roots
    }

    fn now_ns(&self) -> i64 {
        ns(self.env.clock.now())
    }

    /// The least time of a file that is written from now on, in nanoseconds since 1970.
    fn file_ns(&self) -> i64 {
        ns(self.env.clock.file_time())
    }

    /// Works with the log of points. The error is one line for a person.
    fn with_log<T>(
        &self,
        work: impl FnOnce(&mut PointLog) -> Result<T, Trouble>,
    ) -> Result<T, String> {
        let mut log = lock(&self.log);
        let log = match &mut *log {
            Some(log) => log,
            none => none.insert(PointLog::open(&self.dir).map_err(|error| trouble(&error))?),
        };
        work(log).map_err(|Trouble(text)| text)
    }

    /// Works with the watched tree. Locked before the log, never after it.
    fn with_tree<T>(
        &self,
        work: impl FnOnce(&mut Tree) -> Result<T, Trouble>,
    ) -> Result<T, String> {
        self.wanted.fetch_add(1, Ordering::Relaxed);
        let mut tree = lock(&self.tree);
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        let tree = match &mut *tree {
            Some(tree) => tree,
            none => {
                let opened = Tree::open(&self.dir, Secrets::of(&self.env));
                none.insert(opened.map_err(|error| trouble(&error))?)
            }
        };
        work(tree).map_err(|Trouble(text)| text)
    }

    /// The bytes of a content, wherever they are kept.
    fn fetch(&self, tree: &Tree, content: &Content) -> std::io::Result<Vec<u8>> {
        match content {
            Content::Blob(id) => tree.blobs.get(id),
            Content::Git(_) => Err(std::io::Error::other("its copy is gone")),
            Content::Lost(lost) => Err(std::io::Error::other(lost.reason())),
        }
    }
}

/// One line for a person.
struct Trouble(String);

impl From<&str> for Trouble {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self(trouble(&error))
    }
}

/// Nanoseconds since 1970.
fn ns(time: std::time::SystemTime) -> i64 {
    let since = time.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn trouble(error: &std::io::Error) -> String {
    format!("the copies for /undo cannot be used: {error}")
}

/// What the tree as it is watched does not cover.
fn limits(tree: &Tree) -> Vec<String> {
    if !tree.tracked.whole {
        return vec![format!(
            "The directory is too large to watch (more than {} files, or slow): what commands change \
             stays, what the file tools change comes back.",
            walk::MAX_ENTRIES
        )];
    }
    match tree.uncopied() {
        0 => Vec::new(),
        1 => vec![
            "1 file has no copy yet (large or secret): what a command does to it stays.".into(),
        ],
        n => vec![format!(
            "{n} files have no copy yet (large, secret or old): what commands do to them stays."
        )],
    }
}

/// A panic elsewhere leaves these values whole, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
