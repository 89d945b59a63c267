//! Which schemas a model has seen in the context that it has now.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The schemas shown in one agent's context. Every agent has its own, since none sees what another
/// was shown.
#[derive(Debug, Clone, Default)]
pub struct ShownSchemas {
    /// By qualified name, the hash of what was shown: a server may change a schema later.
    shown: HashMap<String, u64>,
}

impl ShownSchemas {
    /// Notes that the digest of a tool's schema is shown now. `true` when it has not been before.
    pub fn first_time(&mut self, qualified: &str, digest: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        digest.hash(&mut hasher);
        let hash = hasher.finish();
        self.shown.insert(qualified.to_owned(), hash) != Some(hash)
    }

    /// Forgets everything: after a compaction, a clear, an undo or a revert the context no longer has
    /// what was shown.
    pub fn reset(&mut self) {
        self.shown.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_new_once_until_it_changes_or_the_context_does() {
        let mut shown = ShownSchemas::default();
        assert!(shown.first_time("a", "{}"));
        assert!(!shown.first_time("a", "{}"));
        assert!(shown.first_time("b", "{}"));
        assert!(shown.first_time("a", "{\"x\": any}"));
        assert!(!shown.first_time("a", "{\"x\": any}"));
        shown.reset();
        assert!(shown.first_time("a", "{\"x\": any}"));
    }
}
