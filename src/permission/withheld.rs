//! What rules keep from a tool that finds out only while it works what it comes to: files of a search,
//! and the addresses that a page leads on to.

use std::path::Path;

use super::rule::{Files, Place, Rule};

/// The files and pages that rules keep from being read.
#[derive(Debug, Clone, Default)]
pub struct Withheld {
    denied: Vec<Files>,
    asked: Vec<Files>,
    denied_pages: Vec<Rule>,
    asked_pages: Vec<Rule>,
}

impl Withheld {
    /// Those of these rules.
    pub(crate) fn of(deny: &[Rule], ask: &[Rule], place: Place) -> Self {
        let files = |rules: &[Rule]| {
            // A rule about everything has been asked before the call.
            let files = rules.iter().filter_map(|rule| rule.files("ReadFile", place));
            files.filter(Files::are_named).collect()
        };
        let pages = |rules: &[Rule]| rules.iter().filter(|it| it.names_pages()).cloned().collect();
        Self {
            denied: files(deny),
            asked: files(ask),
            denied_pages: pages(deny),
            asked_pages: pages(ask),
        }
    }

    /// The same for a search below `root`, links resolved. Where a person was asked about all of it,
    /// they have said yes.
    pub fn below(mut self, root: &Path) -> Self {
        self.asked.retain(|files| !files.hold(root) && !files.hold_all_below(root));
        self
    }

    /// Whether a file, links resolved, is left out.
    pub fn holds(&self, real: &Path) -> bool {
        self.denied.iter().chain(&self.asked).any(|files| files.hold(real))
    }
}

impl Withheld {
    /// The same for what the page at `url` leads to. Where a person was asked about that, they have
    /// said yes to the like of it.
    pub fn from_page(mut self, url: &str) -> Self {
        self.asked_pages.retain(|rule| !rule.covers_text("FetchURL", url));
        self
    }

    /// The rule that keeps this page from being read without a call of its own.
    pub fn keeps_page(&self, url: &str) -> Option<&Rule> {
        let mut rules = self.denied_pages.iter().chain(&self.asked_pages);
        rules.find(|rule| rule.covers_text("FetchURL", url))
    }
}

/// What is said of results that were left out; `None` when there are none.
pub fn left_out(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 result left out by a permission rule.".to_owned()),
        count => Some(format!("{count} results left out by a permission rule.")),
    }
}
