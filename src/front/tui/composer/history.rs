//! What was sent before: browsing with ↑ and ↓, and the reverse search.

use super::fragment::Fragment;

/// Earlier messages, oldest first. Where they are kept is the caller's affair.
#[derive(Debug, Default)]
pub struct History {
    entries: Vec<String>,
}

impl History {
    /// A history of these messages, oldest first.
    pub fn new(entries: Vec<String>) -> Self {
        Self { entries }
    }

    /// Adds a message. `false`, and nothing is added, when it is blank or the same as the last.
    pub fn record(&mut self, text: &str) -> bool {
        if text.trim().is_empty() || self.entries.last().is_some_and(|last| last == text) {
            return false;
        }
        self.entries.push(text.to_owned());
        true
    }

    fn get(&self, index: usize) -> Option<&str> {
        self.entries.get(index).map(String::as_str)
    }

    /// The newest entry before `end` that `accept` takes.
    fn before(&self, end: usize, accept: impl Fn(&str) -> bool) -> Option<usize> {
        let end = end.min(self.entries.len());
        self.entries.iter().take(end).rposition(|entry| accept(entry))
    }

    /// The oldest entry from `start` on that `accept` takes.
    fn after(&self, start: usize, accept: impl Fn(&str) -> bool) -> Option<usize> {
        let found = self.entries.iter().skip(start).position(|entry| accept(entry));
        found.map(|offset| start + offset)
    }
}

/// A walk through the history; the draft comes back at its end.
#[derive(Debug)]
pub(super) struct Browse {
    draft: Fragment,
    /// The draft when it is the beginning of an entry: then only such entries are shown.
    prefix: String,
    index: usize,
}

impl Browse {
    /// Begins with the newest entry that fits; gives the draft back when there is none.
    pub fn begin(history: &History, draft: Fragment) -> Result<(Self, String), Fragment> {
        let text = draft.expanded();
        let fits = |entry: &str, prefix: &str| entry.starts_with(prefix) && entry != text;
        let end = history.entries.len();
        let by_prefix = history.before(end, |entry| fits(entry, &text));
        let prefix = if by_prefix.is_some() { text.clone() } else { String::new() };
        let found = by_prefix.or_else(|| history.before(end, |entry| fits(entry, "")));
        match found.and_then(|index| Some((index, history.get(index)?.to_owned()))) {
            Some((index, entry)) => Ok((Self { draft, prefix, index }, entry)),
            None => Err(draft),
        }
    }

    /// The next older entry that differs from the one on the screen.
    pub fn older(&mut self, history: &History) -> Option<String> {
        let shown = history.get(self.index).unwrap_or_default();
        self.index = history.before(self.index, |e| e.starts_with(&self.prefix) && e != shown)?;
        history.get(self.index).map(str::to_owned)
    }

    /// The next newer entry; `None` at the end, where the draft is due.
    pub fn newer(&mut self, history: &History) -> Option<String> {
        let shown = history.get(self.index).unwrap_or_default();
        self.index =
            history.after(self.index + 1, |e| e.starts_with(&self.prefix) && e != shown)?;
        history.get(self.index).map(str::to_owned)
    }

    pub fn into_draft(self) -> Fragment {
        self.draft
    }
}

/// A reverse search.
#[derive(Debug)]
pub(super) struct Search {
    draft: Fragment,
    pub query: String,
    found: Option<usize>,
    /// Whether the last look went past the end: what is shown is the last hit.
    pub failed: bool,
}

impl Search {
    pub fn begin(draft: Fragment) -> Self {
        Self { draft, query: String::new(), found: None, failed: false }
    }

    /// The entry that is shown.
    pub fn hit<'h>(&self, history: &'h History) -> Option<&'h str> {
        history.get(self.found?)
    }

    /// Looks again from the newest entry on, after the query changed.
    pub fn restart(&mut self, history: &History) {
        self.found = None;
        self.failed = false;
        if !self.query.is_empty() {
            let found = history.before(usize::MAX, |entry| matches(entry, &self.query));
            self.settle(found);
        }
    }

    /// Goes to the next older hit that reads differently.
    pub fn older(&mut self, history: &History) {
        let shown = self.hit(history);
        let end = self.found.unwrap_or(usize::MAX);
        let found = history.before(end, |e| matches(e, &self.query) && Some(e) != shown);
        self.settle(found);
    }

    /// Goes to the next newer hit that reads differently.
    pub fn newer(&mut self, history: &History) {
        let shown = self.hit(history);
        let Some(start) = self.found else { return };
        let found = history.after(start + 1, |e| matches(e, &self.query) && Some(e) != shown);
        self.settle(found);
    }

    fn settle(&mut self, found: Option<usize>) {
        self.failed = found.is_none();
        self.found = found.or(self.found);
    }

    pub fn into_draft(self) -> Fragment {
        self.draft
    }
}

/// Whether `entry` holds `query`; letter case counts only when the query has capitals.
fn matches(entry: &str, query: &str) -> bool {
    if query.chars().any(char::is_uppercase) {
        entry.contains(query)
    } else {
        entry.contains(query) || entry.to_lowercase().contains(query)
    }
}
