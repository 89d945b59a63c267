//! Resources of servers: what a person may attach to a message as `@server:uri`.

mod attached;
pub mod mentions;

use std::collections::HashSet;

use serde_json::Value;

use super::tidy::one_line;

pub use attached::{attached_parts, unread};

/// Characters of a title.
const MAX_TITLE: usize = 120;
/// The longest address, in bytes.
pub const MAX_URI: usize = 2_048;

/// A resource as its server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub server: String,
    /// As the server wrote it. Nothing of it is trusted.
    pub uri: String,
    /// One clean line; may be empty.
    pub title: String,
}

impl Resource {
    /// Reads a list of resources. What cannot be read by its address is left out.
    pub fn listed(server: &str, entries: &[Value]) -> Vec<Self> {
        let mut seen = HashSet::new();
        let read = |entry: &Value| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str);
            let uri = text("uri").filter(|uri| !uri.is_empty() && uri.len() <= MAX_URI)?;
            let titles = ["title", "name", "description"].into_iter().filter_map(text);
            let mut titles = titles.map(|title| one_line(title, MAX_TITLE));
            Some(Self {
                server: server.to_owned(),
                uri: uri.to_owned(),
                title: titles.find(|title| !title.is_empty()).unwrap_or_default(),
            })
        };
        let resources = entries.iter().filter_map(read);
        resources.filter(|resource| seen.insert(resource.uri.clone())).collect()
    }

    /// What stands behind the `@` in a message.
    pub fn mention(&self) -> String {
        format!("{}:{}", self.server, self.uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strange_entries_are_left_out() {
        let listed = Resource::listed(
            "s",
            &[
                json!({"uri": "f:///a", "name": "a", "title": "The\u{1b}[2J a"}),
                json!({"uri": "f:///a"}),
                json!({"uri": ""}),
                json!({"uri": "x".repeat(MAX_URI + 1)}),
                json!({"name": "no address"}),
                json!(5),
                json!({"uri": "f:///b", "title": " ", "name": "b"}),
            ],
        );
        let told: Vec<_> = listed.iter().map(|it| (it.mention(), it.title.as_str())).collect();
        assert_eq!(told, [("s:f:///a".to_owned(), "The a"), ("s:f:///b".to_owned(), "b")]);
    }
}
