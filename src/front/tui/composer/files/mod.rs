//! The files that `@` can mention: an index of the working directory that is built and searched on
//! threads of its own, so that no key waits for the disk.

mod rank;
mod walk;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nucleo_matcher::{Config, Matcher};

use crate::platform::Clock;

pub(super) use rank::score;
use rank::search;
use walk::{top_level, walk};

/// Age at which the index is built anew when a menu opens.
const FRESH: Duration = Duration::from_secs(2);

/// The most entries that are kept: a bound on memory for who starts in the root of a disk.
const LIMIT: usize = 1_000_000;

/// A file or directory under the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Path from the root with `/` between its parts; a directory ends with one.
    pub path: String,
}

impl Entry {
    pub fn is_dir(&self) -> bool {
        self.path.ends_with('/')
    }

    /// Whether a part of the path begins with a dot.
    pub fn is_hidden(&self) -> bool {
        self.path.starts_with('.') || self.path.contains("/.")
    }
}

/// What fits a fragment, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub fragment: String,
    pub paths: Vec<String>,
    /// The fragment is the path of a file: there is nothing left to complete.
    pub complete: bool,
}

/// What the searching thread is told.
enum Order {
    Search(String),
    /// Begin to build the index anew.
    Refresh,
    /// A part of the index that is being built.
    Part(Vec<Entry>),
    /// The index is built.
    Built,
    Stop,
}

/// The index of the files below one directory.
///
/// Its threads end with it. Symbolic links to directories are not followed, so that nothing
/// outside the directory is ever offered.
pub struct FileIndex {
    orders: Sender<Order>,
    found: Arc<Mutex<Option<Arc<Found>>>>,
    clock: Arc<dyn Clock>,
    asked: Option<String>,
    refreshed: Option<Instant>,
}

impl std::fmt::Debug for FileIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileIndex").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl FileIndex {
    /// An index of `root`, empty until a menu asks for it. `notify` is called on another thread
    /// when there are new results to be drawn.
    pub fn new(
        root: PathBuf,
        clock: Arc<dyn Clock>,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (orders, inbox) = channel();
        let found = Arc::new(Mutex::new(None));
        let searcher = Searcher {
            root,
            orders: orders.clone(),
            top: Vec::new(),
            built: Vec::new(),
            building: None,
            again: false,
            answered: 0,
            asked: None,
            found: Arc::clone(&found),
            notify: Box::new(notify),
        };
        let started = thread::Builder::new()
            .name("file-index".to_owned())
            .spawn(move || searcher.run(&inbox));
        if let Err(error) = started {
            // Without a thread there is nothing to offer, and nothing else is lost.
            tracing::warn!(%error, "no thread for file completion");
        }
        Self { orders, found, clock, asked: None, refreshed: None }
    }

    /// Asks for what fits `fragment`. `opening` says that the menu was closed before: then an index
    /// that is older than two seconds is built anew.
    pub(super) fn ask(&mut self, fragment: &str, opening: bool) {
        let now = self.clock.instant();
        let fresh = self.refreshed.is_some_and(|at| now.saturating_duration_since(at) < FRESH);
        if (opening && !fresh) || self.refreshed.is_none() {
            self.refreshed = Some(now);
            self.order(Order::Refresh);
        } else if self.asked.as_deref() == Some(fragment) {
            return;
        }
        self.asked = Some(fragment.to_owned());
        self.order(Order::Search(fragment.to_owned()));
    }

    /// The newest results, which may be those of an earlier question.
    pub(super) fn found(&self) -> Option<Arc<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn order(&self, order: Order) {
        // The other end is gone only when its thread could not be started.
        let _ = self.orders.send(order);
    }
}

impl Drop for FileIndex {
    fn drop(&mut self) {
        self.order(Order::Stop);
    }
}

/// The searching thread: keeps the index and answers the latest question.
struct Searcher {
    root: PathBuf,
    /// For the walking thread, which reports here.
    orders: Sender<Order>,
    top: Vec<Entry>,
    built: Vec<Entry>,
    building: Option<Vec<Entry>>,
    /// Whether to begin anew as soon as the index is built.
    again: bool,
    /// Entries that there were when the question was last answered during the first build.
    answered: usize,
    asked: Option<String>,
    found: Arc<Mutex<Option<Arc<Found>>>>,
    notify: Box<dyn Fn() + Send + Sync>,
}

impl Searcher {
    fn run(mut self, inbox: &Receiver<Order>) {
        // Its scratch memory is only worth having when somebody asks.
        let mut matcher = None;
        while let Ok(first) = inbox.recv() {
            let mut next = Some(first);
            let mut answer = false;
            // Only the latest of the waiting questions is worth an answer.
            while let Some(order) = next {
                match self.take(order) {
                    Some(due) => answer |= due,
                    None => return,
                }
                next = inbox.try_recv().ok();
            }
            if answer {
                let new = || Matcher::new(Config::DEFAULT.match_paths());
                self.answer(matcher.get_or_insert_with(new));
            }
        }
    }

    /// Follows one order: whether the question is to be answered (anew), or `None` to stop.
    fn take(&mut self, order: Order) -> Option<bool> {
        match order {
            Order::Stop => return None,
            Order::Search(fragment) => self.asked = Some(fragment),
            Order::Refresh => {
                self.top = top_level(&self.root);
                if self.building.is_some() {
                    // What the running walk has passed may have changed since.
                    self.again = true;
                } else {
                    self.begin_walk();
                }
            }
            Order::Part(part) => {
                let Some(building) = &mut self.building else { return Some(false) };
                building.extend(part);
                // Answering at each doubling keeps the whole work linear.
                if !self.built.is_empty() || building.len() < 2 * self.answered {
                    return Some(false);
                }
                self.answered = building.len();
            }
            Order::Built => {
                self.built = self.building.take().unwrap_or_default();
                if std::mem::take(&mut self.again) {
                    self.begin_walk();
                }
            }
        }
        Some(true)
    }

    fn begin_walk(&mut self) {
        let (root, orders) = (self.root.clone(), self.orders.clone());
        let started = thread::Builder::new().name("file-walk".to_owned()).spawn(move || {
            let whole = walk(&root, LIMIT, |part| orders.send(Order::Part(part)).is_ok());
            if whole {
                // A searcher that is gone needs no index.
                let _ = orders.send(Order::Built);
            }
        });
        match started {
            Ok(_) => self.building = Some(Vec::new()),
            Err(error) => tracing::warn!(%error, "no thread to look for files"),
        }
    }

    fn answer(&mut self, matcher: &mut Matcher) {
        let Some(fragment) = &self.asked else { return };
        let entries = match &self.building {
            Some(building) if self.built.is_empty() => building,
            _ => &self.built,
        };
        let entries = if entries.is_empty() { &self.top } else { entries };
        let new = search(fragment, &self.top, entries, matcher);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.as_deref() != Some(&new) {
            *found = Some(Arc::new(new));
            drop(found);
            (self.notify)();
        }
    }
}
