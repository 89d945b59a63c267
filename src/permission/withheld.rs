//! What a search must leave out of its results.

use std::path::Path;

use super::rule::{Files, Place, Rule};

/// The files that rules keep from being read.
#[derive(Debug, Clone, Default)]
pub struct Withheld {
    denied: Vec<Files>,
    asked: Vec<Files>,
}

impl Withheld {
    /// Those of these rules.
    pub(super) fn of(deny: &[Rule], ask: &[Rule], place: Place) -> Self {
        let files = |rules: &[Rule]| {
            // A rule about everything has been asked before the call.
            let files = rules.iter().filter_map(|rule| rule.files("ReadFile", place));
            files.filter(Files::are_named).collect()
        };
        Self { denied: files(deny), asked: files(ask) }
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

/// What is said of results that were left out; `None` when there are none.
pub fn left_out(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 result left out by a permission rule.".to_owned()),
        count => Some(format!("{count} results left out by a permission rule.")),
    }
}
