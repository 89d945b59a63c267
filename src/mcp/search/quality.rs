//! How often the search finds the right tool among those of real servers.

use crate::mcp::names::MAX_NAME;
use crate::mcp::schema::digest::{NO_ARGUMENTS, digest};
use crate::mcp::schema::validate::violations;
use crate::mcp::search::index_text::{MAX_BYTES, MAX_LINES, index_text};
use crate::mcp::testing;
use serde_json::json;

/// Requests in a person's words, each with the tools that answer it. The search was tuned with the
/// first file; the second was kept aside.
const TUNED: &str = include_str!("../../../tests/fixtures/mcp/queries.txt");
const HELD_OUT: &str = include_str!("../../../tests/fixtures/mcp/queries_held_out.txt");
/// Written later, by somebody who had seen no ranking: what people say who do not know the tools.
const PLAIN: &str = include_str!("../../../tests/fixtures/mcp/queries_plain.txt");
/// The same, and nobody has looked at which of them fail: a failure says how many.
const SEALED: &str = include_str!("../../../tests/fixtures/mcp/queries_sealed.txt");

/// How many queries find a right tool among the first five, of how many, and those that do not.
fn score(queries: &str) -> (usize, usize, Vec<&str>) {
    let catalog = testing::catalog();
    let mut missed = Vec::new();
    for line in queries.lines() {
        let (query, expected) = line.split_once(" | ").unwrap();
        let found = catalog.search(query, None, 5);
        let right = |name: &str| {
            let (server, tool) = name.split_once('/').unwrap();
            let known = catalog.tools().any(|one| one.server == server && one.name == tool);
            assert!(known, "{line}: no tool {name}");
            found.iter().any(|found| found.server == server && found.name == tool)
        };
        if !expected.split(' ').any(right) {
            missed.push(query);
        }
    }
    let all = queries.lines().count();
    (all - missed.len(), all, missed)
}

#[test]
fn queries_that_nobody_tuned_for_find_the_right_tool_too() {
    let (plain, plain_all, missed) = score(PLAIN);
    let (sealed, sealed_all, _) = score(SEALED);
    let said = format!("{plain}/{plain_all}, sealed {sealed}/{sealed_all}; missed: {missed:#?}");
    assert!(plain as f64 / plain_all as f64 >= 0.9, "{said}");
    assert!(sealed as f64 / sealed_all as f64 >= 0.85, "{said}");
}

#[test]
fn the_right_tool_is_among_the_first_five() {
    let (tuned, tuned_all, mut missed) = score(TUNED);
    let (held_out, held_out_all, missed_too) = score(HELD_OUT);
    missed.extend(missed_too);
    let share = |found: usize, all: usize| found as f64 / all as f64;
    let said =
        format!("{tuned}/{tuned_all}, held out {held_out}/{held_out_all}; missed: {missed:#?}");
    assert!(tuned_all + held_out_all >= 200, "{said}");
    assert!(share(tuned + held_out, tuned_all + held_out_all) >= 0.95, "{said}");
    assert!(share(held_out, held_out_all) >= 0.9, "{said}");
}

#[test]
fn real_tools_are_all_well_named_and_described() {
    let catalog = testing::catalog();
    assert_eq!(
        catalog.tools().count(),
        testing::servers().iter().map(|(_, tools)| tools.len()).sum::<usize>()
    );
    for tool in catalog.tools() {
        assert!(tool.qualified.len() <= MAX_NAME, "{}", tool.qualified);
        let line = digest(tool.schema);
        assert!(line == NO_ARGUMENTS || line.starts_with('{') && !line.contains('\n'), "{line}");
        let required = tool.schema["required"].as_array();
        for name in required.into_iter().flatten().filter_map(|name| name.as_str()) {
            // What is required is never among what was cut.
            assert!(line.contains(&format!("{}: ", json!(name))), "{}: {line}", tool.qualified);
            let missing = violations(tool.schema, &json!({}));
            let said =
                missing.iter().any(|fault| fault.to_string() == format!("`{name}` is required"));
            assert!(said || missing.len() == 8, "{}: {missing:?}", tool.qualified);
        }
    }
    let text = index_text(&catalog).unwrap();
    assert!(text.len() <= MAX_BYTES && text.lines().count() <= MAX_LINES);
}
