//! What `mcp_search` answers.

use crate::mcp::catalog::{Catalog, Tool};
use crate::mcp::names::sanitized;
use crate::mcp::schema::digest::{NO_ARGUMENTS, digest};
use crate::mcp::schema::shown::ShownSchemas;
use crate::mcp::tidy::{one_line, prefix};

use super::query::Query;

/// Servers named when nothing was found.
const MAX_SERVERS: usize = 15;
/// Tools named when a server is asked for without words.
const MAX_NAMES: usize = 60;
/// Bytes of a query that are read for names.
const MAX_READ: usize = 2_000;
/// Characters of what the model wrote, where it is repeated.
const MAX_REPEATED: usize = 80;

/// The answer to a query: the best tools with description and arguments, at most `limit`. The
/// arguments of a tool are left out when `shown` knows that the model has them. A server without
/// words gives the names of its tools.
pub fn answer(
    catalog: &Catalog,
    query: &str,
    server: Option<&str>,
    limit: usize,
    shown: &mut ShownSchemas,
) -> String {
    if catalog.is_empty() {
        return "No MCP server with tools is connected.".to_owned();
    }
    let server = match server.map(str::trim).filter(|server| !server.is_empty()) {
        None => None,
        Some(written) => match named(catalog, written) {
            Some(server) => Some(server),
            None => {
                let written = one_line(written, MAX_REPEATED);
                return format!("No MCP server is called \"{written}\". {}", servers(catalog));
            }
        },
    };
    let exact = exact(catalog, query, server, limit);
    if !exact.is_empty() {
        return entries(&exact, shown);
    }
    // The beginning of a name says which server is meant, not what its tool does.
    let (of, query) = catalog.without_server(query.trim());
    let server = server.or(of);
    if Query::new(query).is_empty() {
        return match server {
            Some(server) => names(catalog, server),
            None => format!("Say in a few words what the tool should do. {}", servers(catalog)),
        };
    }
    let found = catalog.search(query, server, limit);
    if found.is_empty() {
        let query = one_line(query, MAX_REPEATED);
        let place = server.map_or_else(String::new, |server| format!(" of {}", sanitized(server)));
        return format!(
            "No MCP tool{place} fits \"{query}\". Try other words for it. {}",
            servers(catalog)
        );
    }
    entries(&found, shown)
}

/// The tools whose full names are in the query.
fn exact<'a>(
    catalog: &'a Catalog,
    query: &str,
    server: Option<&str>,
    limit: usize,
) -> Vec<Tool<'a>> {
    let mut found: Vec<Tool> = Vec::new();
    let between = |ch: char| ch.is_whitespace() || "`'\",;()".contains(ch);
    let names = prefix(query, MAX_READ).split(between);
    let tools = names.filter_map(|name| catalog.get(name.trim_end_matches(['.', ':', '?', '!'])));
    for tool in tools.filter(|tool| server.is_none_or(|server| tool.server == server)) {
        if found.len() < limit && found.iter().all(|other| other.qualified != tool.qualified) {
            found.push(tool);
        }
    }
    found
}

fn entries(tools: &[Tool], shown: &mut ShownSchemas) -> String {
    let entries = tools.iter().enumerate().map(|(at, tool)| entry(at + 1, tool, shown));
    entries.collect::<Vec<_>>().join("\n")
}

/// One tool: its number, name and description, and its arguments on a second line.
fn entry(number: usize, tool: &Tool, shown: &mut ShownSchemas) -> String {
    let dash = if tool.description.is_empty() { "" } else { " — " };
    let digest = digest(tool.schema);
    let arguments = if digest == NO_ARGUMENTS {
        digest
    } else if shown.first_time(tool.qualified, &digest) {
        format!("args: {digest}")
    } else {
        "args: (schema shown earlier)".to_owned()
    };
    format!("{number}. {}{dash}{}\n   {arguments}", tool.qualified, tool.description)
}

/// The server that is meant: as it is called, or sanitised, in any case.
pub fn named<'a>(catalog: &'a Catalog, written: &str) -> Option<&'a str> {
    let mut all = catalog.servers().map(|listing| listing.server());
    all.clone().find(|server| *server == written).or_else(|| {
        let written = sanitized(written);
        let alike = |server: &&str| sanitized(server).eq_ignore_ascii_case(&written);
        let first = all.find(alike)?;
        all.all(|other| !alike(&other)).then_some(first)
    })
}

/// "The servers are a (2 tools), b (1 tool)."
fn servers(catalog: &Catalog) -> String {
    let listings = catalog.servers().filter(|listing| !listing.is_empty());
    let mut named: Vec<String> = listings
        .clone()
        .take(MAX_SERVERS)
        .map(|listing| {
            let plural = if listing.len() == 1 { "" } else { "s" };
            format!("{} ({} tool{plural})", sanitized(listing.server()), listing.len())
        })
        .collect();
    let more = listings.count().saturating_sub(MAX_SERVERS);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    format!("Connected are {}.", named.join(", "))
}

fn names(catalog: &Catalog, server: &str) -> String {
    let of_server = catalog.tools().filter(|tool| tool.server == server);
    let names: Vec<&str> = of_server.map(|tool| tool.qualified).collect();
    let more = match names.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!("\nand {more} more"),
    };
    let named: Vec<&str> = names.iter().copied().take(MAX_NAMES).collect();
    format!(
        "Tools of {}; search with words to see their arguments:\n{}{more}",
        sanitized(server),
        named.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::listing::{ServerListing, ToolEntry};
    use serde_json::json;
    use std::sync::Arc;

    fn sample() -> Catalog {
        let tool = |name: &str, description: &str, schema| ToolEntry {
            name: name.to_owned(),
            description: description.to_owned(),
            schema,
            read_only: false,
        };
        let issue = json!({"properties": {"title": {"type": "string"}, "body": {"type": "string"}},
            "required": ["title"]});
        Catalog::new([
            Arc::new(ServerListing::new(
                "gh",
                "",
                [tool("create_issue", "Open an issue.", issue), tool("whoami", "", json!({}))],
                300,
            )),
            Arc::new(ServerListing::new("My Docs", "", [tool("find", "Pages.", json!({}))], 300)),
        ])
    }

    #[test]
    fn a_tool_comes_with_its_arguments_once() {
        let (catalog, mut shown) = (sample(), ShownSchemas::default());
        let mut ask = |query| answer(&catalog, query, None, 1, &mut shown);
        assert_eq!(
            ask("create issue"),
            "1. mcp__gh__create_issue — Open an issue.\n   args: {\"title\": string*, \"body\": string}"
        );
        assert_eq!(
            ask("create issue"),
            "1. mcp__gh__create_issue — Open an issue.\n   args: (schema shown earlier)"
        );
        for _ in 0..2 {
            assert_eq!(ask("whoami"), "1. mcp__gh__whoami\n   (no arguments)");
        }
        shown.reset();
        assert!(answer(&catalog, "create issue", None, 1, &mut shown).contains("string*"));
    }

    #[test]
    fn a_full_name_finds_its_tool_alone() {
        let (catalog, mut shown) = (sample(), ShownSchemas::default());
        let mut ask = |query, server| answer(&catalog, query, server, 5, &mut shown);
        for query in ["mcp__gh__whoami", " `mcp__gh__whoami` ", "call mcp__gh__whoami."] {
            assert_eq!(ask(query, None), "1. mcp__gh__whoami\n   (no arguments)", "{query}");
        }
        let both = ask("mcp__gh__whoami, mcp__My_Docs__find", None);
        assert!(both.starts_with("1. mcp__gh__whoami") && both.contains("\n2. mcp__My_Docs__find"));
        // The server in a name that is none fits nothing by itself.
        let near = ask("mcp__gh__create_isue", None);
        assert!(near.contains("mcp__gh__create_issue") && !near.contains("whoami"), "{near}");
        assert!(ask("mcp__gh__zebra", None).starts_with("No MCP tool of gh fits \"zebra\""));
        assert!(ask("mcp__gh__", None).ends_with("\nmcp__gh__create_issue\nmcp__gh__whoami"));
    }

    #[test]
    fn nothing_found_says_what_there_is() {
        let (catalog, mut shown) = (sample(), ShownSchemas::default());
        let mut ask = |query, server| answer(&catalog, query, server, 5, &mut shown);
        let connected = "Connected are My_Docs (1 tool), gh (2 tools).";
        assert_eq!(
            ask("zebra\n", None),
            format!("No MCP tool fits \"zebra\". Try other words for it. {connected}")
        );
        assert_eq!(
            ask("", None),
            format!("Say in a few words what the tool should do. {connected}")
        );
        assert_eq!(
            ask("issue", Some("nix")),
            format!("No MCP server is called \"nix\". {connected}")
        );
        assert!(ask("issue", Some("my_docs")).starts_with("No MCP tool of My_Docs fits"));
        assert!(ask("issue", Some("GH")).starts_with("1. mcp__gh__create_issue"));
        assert!(ask("", Some("gh")).ends_with("\nmcp__gh__create_issue\nmcp__gh__whoami"));
        assert_eq!(
            answer(&Catalog::default(), "x", None, 5, &mut shown),
            "No MCP server with tools is connected."
        );
    }
}
