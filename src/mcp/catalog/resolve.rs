//! From the name that a model wrote to the one tool that it means, or to none.

use super::{Catalog, Tool};
use crate::mcp::names::{PREFIX, sanitized};
use crate::mcp::search::query::Query;
use crate::mcp::tidy::{one_line, prefix};

/// How many tools an error names.
const MAX_NAMED: usize = 5;
/// Bytes of a name that are looked at.
const MAX_WRITTEN: usize = 600;
/// Bytes of a name that are compared by distance.
const MAX_COMPARED: usize = 64;
/// Slips between two names that are alike, at most.
const MAX_DISTANCE: usize = 5;
/// How alike two names have to be, of 1.
const ALIKE: f64 = 0.6;

/// What a name stands for. Only [`Resolution::Found`] may be called.
#[derive(Debug, Clone)]
pub enum Resolution<'a> {
    /// This tool and no other.
    Found(Tool<'a>),
    /// Several tools; their qualified names in order.
    Ambiguous(Vec<&'a str>),
    /// No tool; the qualified names that are closest, closest first.
    Unknown(Vec<&'a str>),
}

impl Resolution<'_> {
    /// What to tell the model when no tool was found for the name it wrote.
    pub fn fault(&self, written: &str) -> Option<String> {
        let written = one_line(written, 100);
        match self {
            Self::Found(_) => None,
            Self::Ambiguous(candidates) => {
                let more = match candidates.len().saturating_sub(MAX_NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let named: Vec<&str> = candidates.iter().copied().take(MAX_NAMED).collect();
                Some(format!(
                    "`{written}` could be any of {}{more}. Nothing was called: call one of them by its full name.",
                    named.join(", ")
                ))
            }
            Self::Unknown(closest) if closest.is_empty() => {
                Some(format!("No MCP tool is called `{written}`. Look for it with mcp_search."))
            }
            Self::Unknown(closest) => Some(format!(
                "No MCP tool is called `{written}`. Did you mean {}? Otherwise look for it with mcp_search.",
                closest.join(", ")
            )),
        }
    }
}

impl Catalog {
    /// The tool that a name means: its qualified name, its bare name, or server and tool with `__`,
    /// `.`, `/` or `:` between them, as the server writes them or sanitised. The bare forms count
    /// only where one tool alone has them.
    pub fn resolve(&self, written: &str) -> Resolution<'_> {
        let written = prefix(written.trim(), MAX_WRITTEN);
        if let Some(tool) = self.get(written) {
            return Resolution::Found(tool);
        }
        let bare = written.strip_prefix(PREFIX).unwrap_or(written);
        // A name as it is written goes before one that has to be sanitised first.
        let exact: Vec<Tool> = self.tools().filter(|tool| is_called(tool, bare)).collect();
        let meant = if exact.is_empty() {
            let clean = sanitized(bare);
            self.tools().filter(|tool| !bare.is_empty() && is_nearly_called(tool, &clean)).collect()
        } else {
            exact
        };
        match meant.as_slice() {
            [] => Resolution::Unknown(self.closest(written)),
            [tool] => Resolution::Found(*tool),
            several => Resolution::Ambiguous(several.iter().map(|tool| tool.qualified).collect()),
        }
    }

    /// The server that a name begins with, in full or without `mcp__`, and what comes after it; no
    /// server and the name without `mcp__` when it begins with none. Of several the longest is meant.
    pub fn without_server<'a, 'w>(&'a self, written: &'w str) -> (Option<&'a str>, &'w str) {
        let found = self.servers().filter_map(|listing| {
            let name = listing.server();
            Some((name, after_server(written, name)?))
        });
        match found.min_by_key(|(_, rest)| rest.len()) {
            Some((server, rest)) => (Some(server), rest),
            None => (None, written.strip_prefix(PREFIX).unwrap_or(written)),
        }
    }

    /// The qualified names closest to a name that is none: by letters, and where no name is alike, by
    /// meaning.
    fn closest(&self, written: &str) -> Vec<&str> {
        let (server, rest) = self.without_server(written);
        let said = sanitized(rest).to_ascii_lowercase();
        let said = prefix(&said, MAX_COMPARED);
        let mut alike: Vec<(f64, bool, &str)> = self
            .tools()
            .filter_map(|tool| {
                let name = sanitized(prefix(tool.name, MAX_COMPARED)).to_ascii_lowercase();
                let other = server.is_some_and(|server| server != tool.server);
                let alike = likeness(&name, said).max(match server {
                    // What is left of a name has its server no more.
                    Some(_) => 0.0,
                    None => whole_likeness(tool.qualified, &name, said),
                });
                (alike >= ALIKE).then_some((alike, other, tool.qualified))
            })
            .collect();
        alike.sort_by(|one, other| {
            other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)).then(one.2.cmp(other.2))
        });
        alike.truncate(MAX_NAMED);
        if !alike.is_empty() {
            return alike.into_iter().map(|(_, _, name)| name).collect();
        }
        let query = Query::new(rest);
        let found = self.search(rest, None, MAX_NAMED).into_iter().map(|tool| tool.qualified);
        found.filter(|name| self.is_about(&query, name)).collect()
    }
}

/// What comes after the name of this server in what a model wrote, with or without `mcp__` before it,
/// the server as it is configured or sanitised. `None` if it does not begin with that server.
pub fn after_server<'w>(written: &'w str, server: &str) -> Option<&'w str> {
    let bare = written.strip_prefix(PREFIX).unwrap_or(written);
    let is_full = bare.len() < written.len();
    let after = |name: &str| {
        let rest = bare.strip_prefix(name)?;
        if is_full && rest.is_empty() {
            return Some(rest);
        }
        let rest = ["__", ".", "/", ":"].iter().find_map(|it| rest.strip_prefix(*it))?;
        // A word of a sentence is no server because a point comes after it.
        (!rest.starts_with(char::is_whitespace)).then_some(rest)
    };
    after(server).or_else(|| after(&sanitized(server)))
}

/// How alike the whole of a name is to what was said, when its own part is: the long name of a server
/// would make all its tools alike.
fn whole_likeness(qualified: &str, name: &str, said: &str) -> f64 {
    let full = qualified.strip_prefix(PREFIX).unwrap_or(qualified).to_ascii_lowercase();
    let own = said.char_indices().rev().nth(name.chars().count().saturating_sub(1));
    let own = own.and_then(|(at, _)| said.get(at..)).unwrap_or(said);
    if likeness(name, own) < ALIKE { 0.0 } else { likeness(&full, said) }
}

/// How alike two names are, from 0 to 1.
fn likeness(one: &str, other: &str) -> f64 {
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    // No spelling makes up for so much difference in length.
    if (short as f64) < ALIKE * long as f64 {
        return 0.0;
    }
    if strsim::damerau_levenshtein(one, other) > MAX_DISTANCE {
        return 0.0;
    }
    strsim::normalized_damerau_levenshtein(one, other)
}

fn is_called(tool: &Tool, written: &str) -> bool {
    let after_server = |rest: &str| {
        ["__", ".", "/", ":"].iter().any(|between| rest.strip_prefix(between) == Some(tool.name))
    };
    written == tool.name || written.strip_prefix(tool.server).is_some_and(after_server)
}

fn is_nearly_called(tool: &Tool, clean: &str) -> bool {
    let name = sanitized(tool.name);
    clean == name || clean == sanitized(&format!("{}__{name}", tool.server))
}

#[cfg(test)]
mod tests {
    use super::super::testing::catalog;
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Catalog {
        catalog(&[
            ("gh", &[("create_issue", "Open an issue."), ("search", "Search code.")]),
            ("my docs", &[("search", "Search pages."), ("get page", "One page.")]),
            ("x", &[("gh.create", ""), ("delete_everything", "Removes all.")]),
            ("gh.x", &[("y", "")]),
            ("gh_x", &[("y", "")]),
        ])
    }

    fn found(catalog: &Catalog, written: &str) -> Option<String> {
        match catalog.resolve(written) {
            Resolution::Found(tool) => Some(format!("{}|{}", tool.server, tool.name)),
            _ => None,
        }
    }

    #[test]
    fn a_name_may_be_short_when_it_is_unique() {
        let catalog = sample();
        for written in [
            "mcp__gh__create_issue",
            "create_issue",
            " gh__create_issue ",
            "gh.create_issue",
            "gh/create_issue",
            "gh:create_issue",
            "mcp__gh_create_issue",
            "mcp__create_issue",
        ] {
            assert_eq!(found(&catalog, written).as_deref(), Some("gh|create_issue"), "{written}");
        }
        for written in ["my docs/get page", "get page", "get_page", "my_docs__get_page"] {
            assert_eq!(found(&catalog, written).as_deref(), Some("my docs|get page"), "{written}");
        }
        assert_eq!(found(&catalog, "gh.create").as_deref(), Some("x|gh.create"));
        assert_eq!(found(&catalog, "gh.x.y").as_deref(), Some("gh.x|y"));
        assert_eq!(found(&catalog, "gh_x__y").as_deref(), Some("gh_x|y"));
    }

    #[test]
    fn an_ambiguous_name_names_its_candidates() {
        let catalog = sample();
        let resolution = catalog.resolve("search");
        let Resolution::Ambiguous(candidates) = &resolution else { panic!("{resolution:?}") };
        assert_eq!(*candidates, ["mcp__gh__search", "mcp__my_docs__search"]);
        assert_eq!(
            resolution.fault("search").unwrap(),
            "`search` could be any of mcp__gh__search, mcp__my_docs__search. Nothing was called: \
             call one of them by its full name."
        );
        assert!(matches!(catalog.resolve("y"), Resolution::Ambiguous(_)));
        assert!(matches!(catalog.resolve("gh-x__y"), Resolution::Unknown(_)));
    }

    #[test]
    fn an_unknown_name_gets_the_closest() {
        let catalog = sample();
        for (written, expected) in [
            ("creat_isue", "mcp__gh__create_issue"),
            ("createIssue", "mcp__gh__create_issue"),
            ("mcp__gh__create_isues", "mcp__gh__create_issue"),
            ("open_an_issue", "mcp__gh__create_issue"),
            ("wipe_all", "mcp__x__delete_everything"),
        ] {
            let resolution = catalog.resolve(written);
            let Resolution::Unknown(closest) = &resolution else { panic!("{written}") };
            assert_eq!(closest.first(), Some(&expected), "{written}");
            assert!(resolution.fault(written).unwrap().contains("Did you mean mcp__"));
        }
        let nothing = catalog.resolve("qqqq");
        assert_eq!(
            nothing.fault("qq\u{1b}qq").unwrap(),
            "No MCP tool is called `qqqq`. Look for it with mcp_search."
        );
        assert!(matches!(catalog.resolve(""), Resolution::Unknown(_)));
    }

    #[test]
    fn what_is_unrelated_is_not_named() {
        let tools: &[(&str, &str)] =
            &[("create_issue", "Open an issue."), ("search", "Search code."), ("list", "")];
        let catalog = catalog(&[("a_server_with_a_long_name", tools)]);
        for (written, expected) in [
            ("mcp__a_server_with_a_long_name__fly_to_moon", vec![]),
            ("mcp__a_server_with_a_long_name__create_database", vec![]),
            ("mcp__a_server_with_a_long_name__create_isue", vec!["create_issue"]),
            ("mcp__a_server_with_a_lomg_name__create_isue", vec!["create_issue"]),
        ] {
            let Resolution::Unknown(closest) = catalog.resolve(written) else {
                panic!("{written}")
            };
            let bare = |name: &&str| name.rsplit("__").next().unwrap_or_default().to_owned();
            assert_eq!(closest.iter().map(bare).collect::<Vec<_>>(), expected, "{written}");
        }
    }

    proptest! {
        #[test]
        fn only_what_one_tool_is_called_is_found(
            tools in proptest::collection::vec(("[ab._]{1,3}", "[abc._/ ]{1,4}"), 1..9),
            written in "(mcp__)?[abc._/ ]{0,9}",
        ) {
            let entries: Vec<(String, [(&str, &str); 1])> =
                tools.iter().map(|(server, tool)| (server.clone(), [(tool.as_str(), "")])).collect();
            let servers: Vec<(&str, &[(&str, &str)])> =
                entries.iter().map(|(server, tools)| (server.as_str(), tools.as_slice())).collect();
            let catalog = catalog(&servers);
            let trimmed = written.trim();
            let bare = trimmed.strip_prefix(PREFIX).unwrap_or(trimmed);
            let exact = catalog.tools().filter(|tool| is_called(tool, bare)).count();
            let near = catalog.tools().filter(|tool| is_nearly_called(tool, &sanitized(bare))).count();
            let full = catalog.get(trimmed).is_some();
            match catalog.resolve(&written) {
                Resolution::Found(tool) => {
                    prop_assert!(full || exact == 1 || (exact == 0 && near == 1), "{tool:?}");
                    prop_assert!(!full || tool.qualified == trimmed);
                }
                Resolution::Ambiguous(candidates) => {
                    prop_assert!(!full && candidates.len() > 1);
                    prop_assert!(candidates.iter().all(|name| catalog.get(name).is_some()));
                }
                Resolution::Unknown(_) => prop_assert!(!full && exact == 0 && near == 0 || bare.is_empty()),
            }
        }

        #[test]
        fn any_name_gets_an_answer(written in any::<String>()) {
            let catalog = sample();
            let resolution = catalog.resolve(&written);
            if let Some(fault) = resolution.fault(&written) {
                prop_assert!(fault.len() < 2_000);
                prop_assert!(!fault.chars().any(char::is_control));
            }
        }
    }
}
