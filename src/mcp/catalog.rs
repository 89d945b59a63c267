//! All tools of all connected servers, under unique names.

mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::listing::{ListedTool, ServerListing};
use super::names;
use super::search::index::Index;
use super::search::query::Query;

pub use resolve::{Resolution, after_server};

/// A snapshot of the tools of all servers. It is made anew when a server comes, goes or changes its
/// list: the reading of a listing is what costs, and that is done once in [`ServerListing::new`].
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// By name.
    servers: Vec<Arc<ServerListing>>,
    /// By qualified name; the index numbers its documents alike, so that ties fall to the name.
    tools: Vec<Place>,
    index: Index,
}

#[derive(Debug, Clone)]
struct Place {
    qualified: String,
    server: u32,
    tool: u32,
}

/// One tool of a catalog.
#[derive(Debug, Clone, Copy)]
pub struct Tool<'a> {
    /// The unique name: `mcp__<server>__<tool>`.
    pub qualified: &'a str,
    /// The server's name in the configuration.
    pub server: &'a str,
    /// What the server calls the tool; what a call to it has to say.
    pub name: &'a str,
    /// One clean line, cut.
    pub description: &'a str,
    /// The JSON schema of the arguments.
    pub schema: &'a Arc<Value>,
    /// Whether the server says that calling it changes nothing.
    pub read_only: bool,
}

impl Catalog {
    /// The tools of these servers. Of two servers with the same name the last counts. The order does
    /// not matter otherwise.
    pub fn new(servers: impl IntoIterator<Item = Arc<ServerListing>>) -> Self {
        let by_name: BTreeMap<String, Arc<ServerListing>> =
            servers.into_iter().map(|listing| (listing.server.clone(), listing)).collect();
        let servers: Vec<Arc<ServerListing>> = by_name.into_values().collect();
        let real: Vec<(&str, &str)> = servers
            .iter()
            .flat_map(|listing| {
                listing.tools.iter().map(|tool| (listing.server.as_str(), tool.name.as_str()))
            })
            .collect();
        let at = (0..).zip(&servers).flat_map(|(server, listing)| {
            (0..).zip(&listing.tools).map(move |(tool, _)| (server, tool))
        });
        let mut tools: Vec<Place> = names::unique(&real)
            .into_iter()
            .zip(at)
            .map(|(qualified, (server, tool))| Place { qualified, server, tool })
            .collect();
        tools.sort_unstable_by(|one, other| one.qualified.cmp(&other.qualified));
        let documents = tools.iter().filter_map(|place| Some(&listed(&servers, place)?.1.document));
        let index = Index::new(documents);
        Self { servers, tools, index }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// The servers with what they say of themselves and their tools, by name.
    pub fn servers(&self) -> impl ExactSizeIterator<Item = &ServerListing> + Clone {
        self.servers.iter().map(|listing| &**listing)
    }

    /// The tools by qualified name.
    pub fn tools(&self) -> impl Iterator<Item = Tool<'_>> {
        self.tools.iter().filter_map(|place| self.view(place))
    }

    /// The tool with exactly this qualified name.
    pub fn get(&self, qualified: &str) -> Option<Tool<'_>> {
        let at =
            self.tools.binary_search_by(|place| place.qualified.as_str().cmp(qualified)).ok()?;
        self.view(self.tools.get(at)?)
    }

    /// The tools that fit the words best, best first; of one server only, when it is named.
    pub fn search(&self, query: &str, server: Option<&str>, limit: usize) -> Vec<Tool<'_>> {
        let wanted = |number: u32| {
            let Some(server) = server else { return true };
            let of = self.tools.get(number as usize).and_then(|place| self.view(place));
            of.is_some_and(|tool| tool.server == server)
        };
        let found = self.index.search(&Query::new(query), limit, wanted);
        found.into_iter().filter_map(|number| self.view(self.tools.get(number as usize)?)).collect()
    }

    /// Whether most of the words say something of this tool.
    fn is_about(&self, query: &Query, qualified: &str) -> bool {
        let at = self.tools.binary_search_by(|place| place.qualified.as_str().cmp(qualified));
        at.ok()
            .and_then(|at| u32::try_from(at).ok())
            .is_some_and(|number| 2.0 * self.index.covered(query, number) > 1.0)
    }

    fn view<'a>(&'a self, place: &'a Place) -> Option<Tool<'a>> {
        let (listing, tool) = listed(&self.servers, place)?;
        Some(Tool {
            qualified: &place.qualified,
            server: &listing.server,
            name: &tool.name,
            description: &tool.description,
            schema: &tool.schema,
            read_only: tool.read_only,
        })
    }
}

fn listed<'a>(
    servers: &'a [Arc<ServerListing>],
    place: &Place,
) -> Option<(&'a ServerListing, &'a ListedTool)> {
    let listing = servers.get(place.server as usize)?;
    Some((&**listing, listing.tools.get(place.tool as usize)?))
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::mcp::listing::ToolEntry;

    /// A catalog of servers with tools that have a name and a description.
    pub fn catalog(servers: &[(&str, &[(&str, &str)])]) -> Catalog {
        Catalog::new(servers.iter().map(|(server, tools)| {
            let tools = tools.iter().map(|(name, description)| ToolEntry {
                name: (*name).to_owned(),
                description: (*description).to_owned(),
                schema: Value::Null,
                read_only: false,
            });
            Arc::new(ServerListing::new(*server, "", tools, 300))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::catalog;
    use super::*;

    #[test]
    fn tools_are_found_by_name_and_by_words() {
        let catalog = catalog(&[
            ("gh", &[("create_issue", "Open an issue."), ("list_issues", "All issues.")]),
            ("fs", &[("read_file", "The text of a file.")]),
        ]);
        assert_eq!(catalog.tools().count(), 3);
        assert_eq!(catalog.get("mcp__fs__read_file").unwrap().name, "read_file");
        assert!(catalog.get("read_file").is_none());
        assert_eq!(catalog.search("load file", None, 5)[0].qualified, "mcp__fs__read_file");
        assert!(catalog.search("load file", Some("gh"), 5).iter().all(|tool| tool.server == "gh"));
        assert_eq!(catalog.search("issue", None, 1).len(), 1);
    }

    #[test]
    fn the_order_of_the_servers_does_not_matter() {
        let (a, b): (&[_], &[_]) = (&[("x y", "one"), ("x_y", "two")], &[("x_y", "one")]);
        let one = catalog(&[("a", a), ("b", b)]);
        let other = catalog(&[("b", b), ("a", a)]);
        let found = |catalog: &Catalog| -> Vec<String> {
            catalog.search("one", None, 9).iter().map(|tool| tool.qualified.to_owned()).collect()
        };
        assert_eq!(found(&one), found(&other));
        assert_eq!(found(&one).len(), 2);
    }

    #[test]
    fn a_server_that_comes_again_replaces_the_first() {
        let catalog = catalog(&[("a", &[("old", "")]), ("a", &[("new", "")])]);
        assert_eq!(catalog.tools().map(|tool| tool.name).collect::<Vec<_>>(), ["new"]);
    }
}
