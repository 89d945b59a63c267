//! The listings of real servers, see `tests/fixtures/mcp/README.md`.

use std::sync::Arc;

use serde_json::Value;

use super::catalog::Catalog;
use super::listing::{ServerListing, ToolEntry};

const LISTINGS: &str = include_str!("../../tests/fixtures/mcp/listings.json");

/// The servers and what they list.
pub fn servers() -> Vec<(String, Vec<ToolEntry>)> {
    let servers: Vec<Value> = serde_json::from_str(LISTINGS).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |tool: &Value| ToolEntry {
        name: text(&tool["name"]),
        description: text(&tool["description"]),
        schema: tool["inputSchema"].clone(),
        read_only: tool["readOnly"] == true,
    };
    servers
        .iter()
        .map(|server| {
            let tools = server["tools"].as_array().unwrap();
            (text(&server["server"]), tools.iter().map(entry).collect())
        })
        .collect()
}

/// A catalog of all of them.
pub fn catalog() -> Catalog {
    let listing = |(server, tools)| Arc::new(ServerListing::new(server, "", tools, 300));
    Catalog::new(servers().into_iter().map(listing))
}
