//! Walking a directory tree for Glob and Grep: ignore rules, limits, stopping early.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use ignore::WalkBuilder;

use super::CallContext;
use super::blocking::{Unfinished, bounded};

/// How long a search may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// How long a search may take to notice that its time is up; one that still has not is stuck.
const GRACE: Duration = Duration::from_secs(2);

/// Directories of version control systems, which are never searched.
const VCS: [&str; 6] = [".git", ".svn", ".hg", ".bzr", ".jj", ".sl"];

const RUNNING: u8 = 0;
const STOPPED: u8 = 1;
const TIMED_OUT: u8 = 2;

/// Tells a search on another thread to stop: on cancel, when the time is up, and when nobody waits
/// for it any more.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicU8>);

/// Stops the search when dropped.
pub struct StopGuard(Stop);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.set(STOPPED);
    }
}

impl Stop {
    /// A fresh signal, and what sets it off.
    pub fn new() -> (Self, StopGuard) {
        let stop = Self::default();
        (stop.clone(), StopGuard(stop))
    }

    /// The first reason stays.
    fn set(&self, reason: u8) {
        let _ = self.0.compare_exchange(RUNNING, reason, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A signal of a search whose time is up.
    #[cfg(test)]
    pub fn over() -> Self {
        let stop = Self::default();
        stop.set(TIMED_OUT);
        stop
    }

    /// Whether to stop now.
    pub fn now(&self) -> bool {
        self.0.load(Ordering::Relaxed) != RUNNING
    }

    /// Whether the time is up.
    pub fn timed_out(&self) -> bool {
        self.0.load(Ordering::Relaxed) == TIMED_OUT
    }
}

/// Runs a search on a blocking thread; what it found until the time was up counts.
pub async fn search<T: Send + 'static>(
    cx: &CallContext,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Result<T, Unfinished> {
    search_for(TIME_LIMIT, GRACE, cx, work).await
}

async fn search_for<T: Send + 'static>(
    limit: Duration,
    grace: Duration,
    cx: &CallContext,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Result<T, Unfinished> {
    let (stop, guard) = Stop::new();
    let mut found = std::pin::pin!(bounded(limit + grace, &cx.cancel, move || work(&stop)));
    tokio::select! {
        found = &mut found => return found,
        () = tokio::time::sleep(limit) => guard.0.set(TIMED_OUT),
    }
    found.await
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
            entry.depth() == 0 || !entry.file_name().to_str().is_some_and(is_vcs)
        });
    builder
}

/// Whether a directory of this name belongs to a version control system.
pub fn is_vcs(name: &str) -> bool {
    VCS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::Bench;

    /// A search that never ends by itself; what it returns tells why it ended.
    fn endless(stop: &Stop) -> bool {
        while !stop.now() {
            std::thread::yield_now();
        }
        stop.timed_out()
    }

    #[tokio::test]
    async fn time_and_cancel_stop_a_search() {
        assert_eq!(TIME_LIMIT.as_secs(), 20);
        let bench = Bench::new();
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(60));
        assert_eq!(search_for(short, long, &bench.cx, endless).await, Ok(true));
        let cancel = bench.cx.cancel.clone();
        let (ended, end) = std::sync::mpsc::channel();
        let found = search(&bench.cx, move |stop| {
            cancel.cancel();
            let _ = ended.send(endless(stop));
        });
        assert_eq!(found.await, Err(Unfinished::Cancelled));
        assert_eq!(end.recv(), Ok(false), "the thread ends too");
    }

    #[tokio::test]
    async fn a_search_that_does_not_notice_is_left_behind() {
        let bench = Bench::new();
        let short = Duration::from_millis(20);
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let found = search_for(short, short, &bench.cx, move |_| wait.recv().is_ok());
        assert_eq!(found.await, Err(Unfinished::Stuck(short + short)));
        drop(release);
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (cancel, long) = (bench.cx.cancel.clone(), Duration::from_secs(60));
        let found = search_for(short, long, &bench.cx, move |stop| {
            while !stop.now() {
                std::thread::yield_now();
            }
            cancel.cancel();
            wait.recv().is_ok()
        });
        assert_eq!(found.await, Err(Unfinished::Cancelled), "also after the time is up");
        drop(release);
    }
}
