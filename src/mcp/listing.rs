//! What one server offers, read once when its listing arrives.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::search::document::Document;
use super::tidy::one_line;

/// Characters of what a server says of itself.
const MAX_ABOUT: usize = 200;
/// Tools of one server. Nobody has so many; a server that floods must not fill the memory.
const MAX_TOOLS: usize = 10_000;
/// The longest name of a tool, in bytes.
const MAX_NAME: usize = 512;
/// The largest schema of a tool, in bytes of JSON, roughly.
const MAX_SCHEMA: usize = 512 << 10;
/// How many of the tools left out are named.
const MAX_SKIPPED: usize = 20;

/// A tool as its server lists it. Nothing of it is trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolEntry {
    pub name: String,
    pub description: String,
    /// The JSON schema of the arguments.
    pub schema: Value,
    /// Whether the server says that calling it changes nothing (`readOnlyHint`).
    pub read_only: bool,
}

/// The tools of one server, ready for a catalog. Cheap to keep, so that a change of one server's
/// list does not cost the reading of all others.
#[derive(Debug, Clone)]
pub struct ServerListing {
    pub(super) server: String,
    pub(super) about: String,
    pub(super) tools: Vec<ListedTool>,
    skipped: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct ListedTool {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) schema: Arc<Value>,
    pub(super) read_only: bool,
    pub(super) document: Document,
}

impl ServerListing {
    /// Reads a listing. `about` is what is known of the server in words: its description in the
    /// configuration or its own instructions, or nothing. Of a description `description_chars`
    /// characters are kept.
    pub fn new(
        server: impl Into<String>,
        about: &str,
        tools: impl IntoIterator<Item = ToolEntry>,
        description_chars: usize,
    ) -> Self {
        let server = server.into();
        let mut listing = Self {
            about: one_line(about, MAX_ABOUT),
            server,
            tools: Vec::new(),
            skipped: Vec::new(),
        };
        let mut names = HashSet::new();
        for tool in tools {
            let fault = if listing.tools.len() == MAX_TOOLS {
                Some("the server lists too many")
            } else if tool.name.is_empty() {
                Some("it has no name")
            } else if tool.name.len() > MAX_NAME {
                Some("its name is too long")
            } else if size(&tool.schema, MAX_SCHEMA).is_none() {
                Some("its schema is too large")
            } else if names.contains(&tool.name) {
                Some("it is listed twice")
            } else {
                None
            };
            if let Some(fault) = fault {
                if listing.skipped.len() < MAX_SKIPPED {
                    let name = match one_line(&tool.name, 64) {
                        name if name.is_empty() => "a tool".to_owned(),
                        name => name,
                    };
                    listing.skipped.push(format!("{name}: {fault}"));
                }
                continue;
            }
            names.insert(tool.name.clone());
            listing.tools.push(ListedTool {
                description: one_line(&tool.description, description_chars),
                document: Document::new(
                    &listing.server,
                    &tool.name,
                    &tool.description,
                    &tool.schema,
                ),
                schema: Arc::new(tool.schema),
                read_only: tool.read_only,
                name: tool.name,
            });
        }
        listing
    }

    /// The server's name in the configuration.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What is known of it in words: a clean line, perhaps empty.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// How many tools it has.
    pub fn len(&self) -> usize {
        self.tools.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// The tools: what the server calls them, and a clean line about each.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tools.iter().map(|tool| (tool.name.as_str(), tool.description.as_str()))
    }

    /// The first tools that were left out, each with the reason.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }
}

/// About how many bytes of JSON a value is; nothing when it is more than `limit`.
fn size(value: &Value, limit: usize) -> Option<usize> {
    let inner = |rest: usize, (key, value): (usize, &Value)| {
        let rest = rest.checked_sub(key)?;
        rest.checked_sub(size(value, rest)?)
    };
    let rest = limit.checked_sub(4)?;
    let rest = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(rest),
        Value::String(text) => rest.checked_sub(text.len()),
        Value::Array(items) => items.iter().map(|item| (1, item)).try_fold(rest, inner),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.len() + 4, value)).try_fold(rest, inner)
        }
    };
    rest.map(|rest| limit - rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str, description: &str, schema: Value) -> ToolEntry {
        ToolEntry {
            name: name.to_owned(),
            description: description.to_owned(),
            schema,
            read_only: false,
        }
    }

    #[test]
    fn bad_tools_are_left_out_and_named() {
        let listing = ServerListing::new(
            "s",
            "",
            [
                tool("good", "", json!({})),
                tool("", "", json!({})),
                tool("good", "again", json!({})),
                tool(&"n".repeat(600), "", json!({})),
                tool("big", "", json!({"x": "y".repeat(MAX_SCHEMA)})),
            ],
            300,
        );
        assert_eq!(listing.len(), 1);
        assert_eq!(listing.skipped().len(), 4);
        assert_eq!(listing.skipped()[1], "good: it is listed twice");
        assert!(listing.skipped()[2].ends_with("nn…: its name is too long"));
    }

    #[test]
    fn a_flood_is_bounded() {
        let flood = (0..MAX_TOOLS + 500).map(|n| tool(&format!("t{n}"), "", Value::Null));
        let listing = ServerListing::new("s", "", flood, 300);
        assert_eq!((listing.len(), listing.skipped().len()), (MAX_TOOLS, MAX_SKIPPED));
    }

    #[test]
    fn texts_are_cleaned_and_cut() {
        let huge = format!("a\u{1b}[2J\n{}", "b".repeat(1 << 20));
        let listing = ServerListing::new("s", &huge, [tool("t", &huge, Value::Null)], 300);
        assert_eq!(listing.about.chars().count(), MAX_ABOUT);
        assert_eq!(listing.tools[0].description.chars().count(), 300);
        assert!(listing.tools[0].description.starts_with("a bb"));
    }

    #[test]
    fn sizes_are_about_right() {
        let value = json!({"type": "object", "properties": {"a": {"type": "string"}}, "l": [1, 2]});
        let (about, real) = (size(&value, 1_000).unwrap(), value.to_string().len());
        assert!(about.abs_diff(real) < real / 2, "{about} {real}");
        assert_eq!(size(&value, 40), None);
    }
}
