//! Mermaid flowcharts, as far as a flow needs them: nodes of all shapes, chains, `&`, labels.
//!
//! What only concerns the looks is passed over. So is a line that is no statement, unless there is an
//! arrow in it: leaving out an arrow would make another flow of it.

mod arrow;
mod cursor;
mod label;

use cursor::Cursor;

use super::FlowError;
use super::graph::{Flow, Graph};

/// Statements that begin with one of these words concern the looks.
const LOOKS: &[&str] = &[
    "flowchart",
    "graph",
    "classDef",
    "class",
    "style",
    "linkStyle",
    "click",
    "href",
    "subgraph",
    "direction",
    "accTitle",
    "accDescr",
    "title",
];

/// Reads a chart. Lines are counted from 1.
pub(super) fn read(text: &str) -> Result<Flow, FlowError> {
    let mut cursor = Cursor::new(text);
    let mut graph = Graph::default();
    skip_settings(&mut cursor);
    loop {
        cursor.blanks_and_ends();
        if cursor.at_end() {
            break;
        }
        if cursor.rest().starts_with("%%") || is_about_looks(cursor.rest()) {
            cursor.skip_statement();
            continue;
        }
        let start = cursor.clone();
        match statement(&mut cursor) {
            Ok(chain) => chain.commit(&mut graph)?,
            Err(error) => {
                if arrow::is_in(start.statement()) {
                    return Err(error);
                }
                cursor = start;
                cursor.skip_statement();
            }
        }
    }
    graph.finish(cursor.line())
}

/// The settings that may stand before a chart, between lines of `---`.
fn skip_settings(cursor: &mut Cursor<'_>) {
    let body = cursor.rest().trim_start();
    let Some(inside) = body.strip_prefix("---\n").or_else(|| body.strip_prefix("---\r\n")) else {
        return;
    };
    let mut length = cursor.rest().len() - inside.len();
    for line in inside.split_inclusive('\n') {
        length += line.len();
        if line.trim_end() == "---" {
            cursor.advance(length);
            return;
        }
    }
}

fn is_about_looks(statement: &str) -> bool {
    let end = statement
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(statement.len());
    let (word, rest) = statement.split_at(end);
    let alone = rest.is_empty() || rest.starts_with(['\n', '\r', ';']);
    if word == "end" {
        return alone || rest.trim_start_matches([' ', '\t']).starts_with(['\n', '\r', ';']);
    }
    // The last three are told by their colon.
    LOOKS.contains(&word) && (alone || rest.starts_with([' ', '\t', ':', '{']))
}

/// A statement: groups of nodes, an arrow between each and the next.
#[derive(Debug, Default)]
struct Chain {
    groups: Vec<Vec<NodeRef>>,
    /// The labels of the arrows; `None` for one that cannot be seen and leads nowhere.
    arrows: Vec<Option<String>>,
    line: usize,
}

/// A node where it stands, with its label if it has one there.
#[derive(Debug)]
struct NodeRef {
    id: String,
    label: Option<String>,
    line: usize,
}

impl Chain {
    fn commit(self, graph: &mut Graph) -> Result<(), FlowError> {
        let mut before: Vec<usize> = Vec::new();
        for (place, group) in self.groups.iter().enumerate() {
            let mut nodes = Vec::with_capacity(group.len());
            for node in group {
                nodes.push(graph.node(&node.id, node.label.as_deref(), node.line)?);
            }
            if let Some(Some(label)) = place.checked_sub(1).and_then(|i| self.arrows.get(i)) {
                for from in &before {
                    for to in &nodes {
                        graph.edge(*from, *to, label, self.line)?;
                    }
                }
            }
            before = nodes;
        }
        Ok(())
    }
}

fn statement(cursor: &mut Cursor<'_>) -> Result<Chain, FlowError> {
    let mut chain = Chain { line: cursor.line(), ..Chain::default() };
    loop {
        chain.groups.push(group(cursor)?);
        cursor.blanks();
        if cursor.ends_statement() {
            return Ok(chain);
        }
        chain.arrows.push(arrow::read(cursor)?);
        cursor.blanks();
    }
}

/// Nodes joined by `&`.
fn group(cursor: &mut Cursor<'_>) -> Result<Vec<NodeRef>, FlowError> {
    let mut nodes = vec![node(cursor)?];
    loop {
        cursor.blanks();
        if !cursor.take("&") {
            return Ok(nodes);
        }
        cursor.blanks();
        nodes.push(node(cursor)?);
    }
}

fn node(cursor: &mut Cursor<'_>) -> Result<NodeRef, FlowError> {
    let line = cursor.line();
    let id = cursor.id();
    if id.is_empty() {
        return Err(cursor.expected("a node"));
    }
    let label = label::read(cursor)?;
    if cursor.take(":::") {
        while cursor.next_if(|c| c.is_alphanumeric() || c == '_' || c == '-') {}
    }
    Ok(NodeRef { id: id.to_owned(), label, line })
}

#[cfg(test)]
mod tests;
