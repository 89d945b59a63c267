//! The graph of a flow: built node by node, checked as a whole.

use std::collections::{HashMap, HashSet};

use super::FlowError;

/// More nodes or edges than this is not a flow that somebody wrote.
const MAX_NODES: usize = 1_000;
const MAX_EDGES: usize = 5_000;

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Begin,
    End,
    /// Its label is what is to be done.
    Task,
    /// Its label is a question; the labels of its edges are the answers.
    Decision,
}

/// A step of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    pub label: String,
    pub kind: Kind,
    /// In the order of the text.
    pub edges: Vec<Edge>,
    line: usize,
}

/// A way from a node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The index of the node it leads to.
    pub to: usize,
    /// Empty for none.
    pub label: String,
}

/// A checked flow: one beginning, one end that can be reached, and a way to choose at every fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    nodes: Vec<Node>,
    begin: usize,
}

impl Flow {
    /// A loop that does `work` and then asks `question` again and again: `again` goes back to the
    /// question, `stop` ends it.
    pub fn repeated(work: &str, question: &str, again: &str, stop: &str) -> Self {
        let node = |id: &str, label: &str, kind, edges: &[(usize, &str)]| Node {
            id: id.to_owned(),
            label: label.to_owned(),
            kind,
            edges: edges
                .iter()
                .map(|(to, label)| Edge { to: *to, label: (*label).to_owned() })
                .collect(),
            line: 0,
        };
        let nodes = vec![
            node("BEGIN", "BEGIN", Kind::Begin, &[(1, "")]),
            node("R1", work, Kind::Task, &[(2, "")]),
            node("R2", question, Kind::Decision, &[(2, again), (3, stop)]),
            node("END", "END", Kind::End, &[]),
        ];
        Self { nodes, begin: 0 }
    }

    /// Where it begins; an index for [`Flow::node`].
    pub fn begin(&self) -> usize {
        self.begin
    }

    /// The node with that index, as it stands in an [`Edge`].
    pub fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// How many tasks and decisions there are.
    pub fn steps(&self) -> usize {
        let works = |node: &&Node| matches!(node.kind, Kind::Task | Kind::Decision);
        self.nodes.iter().filter(works).count()
    }

    /// The nodes with their ways on, one per line, sorted.
    #[cfg(test)]
    pub(super) fn outline(&self) -> String {
        let mut lines: Vec<String> = self
            .nodes
            .iter()
            .map(|node| {
                let ways = node.edges.iter().map(|edge| {
                    let to = &self.nodes[edge.to].id;
                    if edge.label.is_empty() { to.clone() } else { format!("{to}({})", edge.label) }
                });
                let ways: Vec<String> = ways.collect();
                format!("{} {:?} {:?} -> {}", node.id, node.kind, node.label, ways.join(" "))
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }
}

/// A flow that is being read.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Draft>,
    by_id: HashMap<String, usize>,
    edges: usize,
}

#[derive(Debug)]
struct Draft {
    id: String,
    /// What the text says the label is, if it does.
    label: Option<String>,
    edges: Vec<Edge>,
    line: usize,
}

impl Graph {
    /// Notes a node, and its label where the text gives one. Returns its index.
    pub fn node(&mut self, id: &str, label: Option<&str>, line: usize) -> Result<usize, FlowError> {
        let index = match self.by_id.get(id) {
            Some(index) => *index,
            None => {
                if self.nodes.len() == MAX_NODES {
                    let message = format!("the chart has more than {MAX_NODES} nodes");
                    return Err(FlowError::new(line, message));
                }
                let index = self.nodes.len();
                self.by_id.insert(id.to_owned(), index);
                self.nodes.push(Draft { id: id.to_owned(), label: None, edges: Vec::new(), line });
                index
            }
        };
        if let (Some(label), Some(draft)) = (label, self.nodes.get_mut(index)) {
            match &draft.label {
                Some(known) if known != label => {
                    let message =
                        format!("the node {id} is \"{label}\" here and \"{known}\" before");
                    return Err(FlowError::new(line, message));
                }
                Some(_) => {}
                None => (draft.label, draft.line) = (Some(label.to_owned()), line),
            }
        }
        Ok(index)
    }

    /// Notes a way between two nodes.
    pub fn edge(
        &mut self,
        from: usize,
        to: usize,
        label: &str,
        line: usize,
    ) -> Result<(), FlowError> {
        self.edges += 1;
        if self.edges > MAX_EDGES {
            let message = format!("the chart has more than {MAX_EDGES} arrows");
            return Err(FlowError::new(line, message));
        }
        if let Some(draft) = self.nodes.get_mut(from) {
            draft.edges.push(Edge { to, label: label.to_owned() });
        }
        Ok(())
    }

    /// Checks the whole. `last` is the line that problems of the whole are told at.
    pub fn finish(self, last: usize) -> Result<Flow, FlowError> {
        let mut nodes: Vec<Node> = self.nodes.into_iter().map(Draft::finish).collect();
        let begin = only(&nodes, Kind::Begin, "BEGIN", last)?;
        let end = only(&nodes, Kind::End, "END", last)?;
        let reached = reachable(&nodes, begin);
        if !reached.contains(&end) {
            return Err(FlowError::new(nodes[end].line, "END cannot be reached from BEGIN"));
        }
        for (index, node) in nodes.iter_mut().enumerate() {
            if node.edges.len() < 2 || node.kind == Kind::End || !reached.contains(&index) {
                continue;
            }
            if node.kind == Kind::Begin {
                return Err(FlowError::new(node.line, "more than one arrow leaves BEGIN"));
            }
            let mut labels = HashSet::new();
            for edge in &node.edges {
                if edge.label.is_empty() {
                    let message =
                        format!("several arrows leave {}, so that each needs a label", node.id);
                    return Err(FlowError::new(node.line, message));
                }
                if !labels.insert(edge.label.as_str()) {
                    let message =
                        format!("two arrows from {} have the label \"{}\"", node.id, edge.label);
                    return Err(FlowError::new(node.line, message));
                }
            }
            node.kind = Kind::Decision;
        }
        Ok(Flow { nodes, begin })
    }
}

impl Draft {
    fn finish(self) -> Node {
        let label = self.label.unwrap_or_else(|| self.id.clone());
        let kind = match label.trim().to_lowercase().as_str() {
            "begin" => Kind::Begin,
            "end" => Kind::End,
            _ => Kind::Task,
        };
        Node { id: self.id, label, kind, edges: self.edges, line: self.line }
    }
}

/// The one node of that kind.
fn only(nodes: &[Node], kind: Kind, name: &str, last: usize) -> Result<usize, FlowError> {
    let mut of_kind = nodes.iter().enumerate().filter(|(_, node)| node.kind == kind);
    match (of_kind.next(), of_kind.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => Err(FlowError::new(last, format!("there is no {name} node"))),
        (Some((_, first)), Some((_, second))) => {
            let message = format!("{} is a second {name} beside {}", second.id, first.id);
            Err(FlowError::new(second.line, message))
        }
    }
}

/// The nodes that a run can come to. What leaves END leads nowhere.
fn reachable(nodes: &[Node], from: usize) -> HashSet<usize> {
    let mut reached = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(node) = open.pop().and_then(|index| nodes.get(index)) {
        if node.kind == Kind::End {
            continue;
        }
        open.extend(node.edges.iter().map(|edge| edge.to).filter(|to| reached.insert(*to)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph of edges `from to label`; `_` is no label.
    fn flow(edges: &str) -> Result<Flow, FlowError> {
        let mut graph = Graph::default();
        for (index, line) in edges.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let label = if words[2] == "_" { "" } else { words[2] };
            let from = graph.node(words[0], None, index + 1)?;
            let to = graph.node(words[1], None, index + 1)?;
            graph.edge(from, to, label, index + 1)?;
        }
        graph.finish(edges.lines().count())
    }

    #[test]
    fn rules_are_held() {
        for (edges, error) in [
            ("a END _", "line 1: there is no BEGIN node"),
            ("begin a _", "line 1: there is no END node"),
            ("BEGIN END _\nBegin END _", "line 2: Begin is a second BEGIN beside BEGIN"),
            ("BEGIN a _\nb END _", "line 2: END cannot be reached from BEGIN"),
            ("BEGIN a x\nBEGIN END y", "line 1: more than one arrow leaves BEGIN"),
            (
                "BEGIN a _\na b x\na END _",
                "line 1: several arrows leave a, so that each needs a label",
            ),
            ("BEGIN a _\na b x\na END x", "line 1: two arrows from a have the label \"x\""),
        ] {
            assert_eq!(flow(edges).unwrap_err().to_string(), error);
        }
        // What cannot be reached does not matter, and what leaves END neither.
        assert!(flow("BEGIN END _\na b _\na c _\nEND a _\nEND b _").is_ok());
        assert!(flow("BEGIN END _\nx b _\nx c _").is_ok());
        let looped = flow("BEGIN a _\na a again\na END done").unwrap();
        assert_eq!(looped.node(1).unwrap().kind, Kind::Decision);
        assert_eq!(looped.steps(), 1);
    }

    #[test]
    fn a_node_has_one_label() {
        let mut graph = Graph::default();
        graph.node("a", Some("x"), 1).unwrap();
        graph.node("a", None, 2).unwrap();
        graph.node("a", Some("x"), 3).unwrap();
        let error = graph.node("a", Some("y"), 4).unwrap_err();
        assert_eq!(error.to_string(), "line 4: the node a is \"y\" here and \"x\" before");
    }

    #[test]
    fn size_is_bounded() {
        let mut graph = Graph::default();
        let grown = (0..10_000).try_for_each(|n| graph.node(&n.to_string(), None, n).map(drop));
        assert!(grown.unwrap_err().message.contains("more than 1000 nodes"));
        let joined = (0..10_000).try_for_each(|_| graph.edge(0, 1, "", 1));
        assert!(joined.unwrap_err().message.contains("more than 5000 arrows"));
    }
}
