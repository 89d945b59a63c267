//! Flowcharts that a skill can be: the graph, its rules, and the two notations it is read from.
//!
//! | file | subject |
//! |---|---|
//! | `fence` | finds the chart in a Markdown text |
//! | `graph` | collects nodes and edges, checks the rules |
//! | `mermaid` | reads Mermaid flowcharts |
//! | `d2` | reads a subset of D2 |

mod d2;
mod fence;
mod graph;
mod mermaid;

pub use graph::{Edge, Flow, Kind, Node};

use fence::Language;

/// Why a chart cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct FlowError {
    /// Counted from 1, in the text that was read.
    pub line: usize,
    /// Half a sentence.
    pub message: String,
}

impl FlowError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        let message: String = message.into();
        // A label may have line feeds in it.
        Self { line, message: message.replace(char::is_control, " ") }
    }
}

/// Reads the first chart in a Markdown text. `None` when there is none.
pub fn in_markdown(text: &str) -> Option<Result<Flow, FlowError>> {
    let block = fence::first(text)?;
    let read = match block.language {
        Language::Mermaid => mermaid::read(block.text),
        Language::D2 => d2::read(block.text),
    };
    Some(read.map_err(|error| FlowError { line: error.line + block.line, ..error }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_whole_text() {
        let text = "---\nname: x\n---\n\n```mermaid\nflowchart TD\n  A[BEGIN] --> B[x\n```\n";
        let error = in_markdown(text).unwrap().unwrap_err();
        assert_eq!(error.line, 7, "{error}");
        assert!(in_markdown("```rust\nA --> B\n```\n").is_none());
    }

    #[test]
    fn both_notations_make_the_same_graph() {
        let mermaid = "```mermaid\nflowchart TD\nB([BEGIN]) --> w[Write it]\nw --> r{Good?}\n\
                       r -- yes --> E([END])\nr -- no --> w\n```";
        let d2 = "~~~ {d2}\nB: BEGIN\nB -> w\nw: Write it\nw -> r\nr: Good?\nr -> E: yes\nE: END\n\
                  r -> w: no\n~~~";
        let (mermaid, d2) = (in_markdown(mermaid).unwrap(), in_markdown(d2).unwrap());
        assert_eq!(mermaid.unwrap().outline(), d2.unwrap().outline());
    }
}
