//! Walking a directory tree for Glob and Grep: ignore rules, limits, stopping early.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ignore::WalkBuilder;

use super::CallContext;

/// How long a search may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Directories of version control systems, which are never searched.
const VCS: [&str; 6] = [".git", ".svn", ".hg", ".bzr", ".jj", ".sl"];

/// Tells a search on another thread to stop: on cancel, when the time is up, and when nobody waits
/// for it any more.
#[derive(Clone)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    deadline: Instant,
}

/// Stops the search when dropped.
pub struct StopGuard(Arc<AtomicBool>);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Stop {
    /// A fresh signal that goes off after `limit`.
    pub fn after(limit: Duration) -> (Self, StopGuard) {
        let flag = Arc::new(AtomicBool::new(false));
        // Not the session's clock: this bounds real work.
        (Self { flag: Arc::clone(&flag), deadline: Instant::now() + limit }, StopGuard(flag))
    }

    /// Whether to stop now.
    pub fn now(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || self.timed_out()
    }

    /// Whether the time is up.
    pub fn timed_out(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

/// Runs a search on a blocking thread. `None` when it was cancelled or broke down.
pub async fn search<T: Send + 'static>(
    cx: &CallContext,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Option<T> {
    let (stop, guard) = Stop::after(TIME_LIMIT);
    let task = tokio::task::spawn_blocking(move || work(&stop));
    let found = tokio::select! {
        found = task => found.ok(),
        () = cx.cancel.cancelled() => None,
    };
    drop(guard);
    found
}

/// A walk over everything under `root`, hidden files too, without following links.
pub fn builder(root: &Path, include_ignored: bool) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        .follow_links(false)
        .standard_filters(!include_ignored)
        .hidden(false)
        .filter_entry(|entry| {
            entry.depth() == 0
                || !entry.file_name().to_str().is_some_and(|name| VCS.contains(&name))
        });
    builder
}
