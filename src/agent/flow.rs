//! Runs a flowchart: each node is a prompt of its own in the same conversation, and at a fork the model
//! says which way to go. It all happens within one turn (agent-loop.md section 13).

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::turn;
use crate::customize::flow::{Flow, Kind, Node};
use crate::protocol::{ContentPart, Event, Failure, FailureKind, Outcome, StopReason, UserInput};

/// Nodes that a flow may go through.
const MAX_MOVES: u64 = 1_000;
/// How often the model is asked again when it chose none of the ways.
const MAX_ASKED_AGAIN: u32 = 3;
/// Characters of a node's label that are shown while it runs.
const SHOWN_LABEL: usize = 60;

/// A flow and how it is run.
pub(super) struct Run<'a> {
    pub core: &'a Arc<Core>,
    pub cancel: &'a CancellationToken,
    pub flow: &'a Flow,
    /// What stands before the label in every prompt.
    pub lead: Vec<ContentPart>,
    /// What the user wants of it, added to the first prompt.
    pub request: &'a str,
    /// Nodes to go through at most, after which it ends well, as it does when the model names none of
    /// the ways on; `None` for a flow that has to come to its end by itself.
    pub moves: Option<u64>,
    pub progress: Progress,
}

/// What is told of how far a flow has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// How many nodes it went through, and what the node says.
    Node,
    /// Only how often it went round.
    Round,
}

impl Progress {
    fn words(self, n: u64, node: &Node) -> String {
        match self {
            Self::Node => format!("flow: node {n} {}", shown(&node.label)),
            Self::Round => format!("ralph: round {n}"),
        }
    }
}

impl Run<'_> {
    /// Goes from BEGIN to END.
    pub async fn run(self) -> Outcome {
        let most = self.moves.unwrap_or(MAX_MOVES);
        let mut at = self.flow.begin();
        let mut moves = 0;
        loop {
            let Some(node) = self.flow.node(at) else {
                return failed("the flow leads nowhere".to_owned());
            };
            let way = match node.kind {
                Kind::End => return Outcome::Finished { stop: StopReason::NoToolCalls },
                Kind::Begin => node.edges.first().map(|edge| edge.to),
                Kind::Task | Kind::Decision if moves == most => {
                    return match self.moves {
                        Some(_) => Outcome::Finished { stop: StopReason::NoToolCalls },
                        None => failed(format!(
                            "the flow went through {MAX_MOVES} nodes without coming to its end"
                        )),
                    };
                }
                Kind::Task | Kind::Decision => {
                    moves += 1;
                    let words = self.progress.words(moves, node);
                    self.core.hub.event(Event::FlowStep { words });
                    match self.step(node, moves == 1).await {
                        Ok(way) => way,
                        Err(outcome) => return outcome,
                    }
                }
            };
            let Some(next) = way else {
                return failed(format!("no arrow leaves the node {} of the flow", node.id));
            };
            at = next;
        }
    }

    /// Does what a node says. Returns the node that comes next, or how the turn ends here.
    async fn step(&self, node: &Node, first: bool) -> Result<Option<usize>, Outcome> {
        let mut answer = self.ask(self.prompt(node, first)).await?;
        if node.kind != Kind::Decision {
            return Ok(node.edges.first().map(|edge| edge.to));
        }
        let mut asked_again = 0;
        loop {
            let chosen = choice(&answer);
            let edge = node.edges.iter().find(|edge| Some(edge.label.as_str()) == chosen);
            if let Some(edge) = edge {
                return Ok(Some(edge.to));
            }
            if asked_again == MAX_ASKED_AGAIN && self.moves.is_some() {
                let words = format!("no choice was named, asked {} times: enough", asked_again + 1);
                self.core.hub.event(Event::FlowStep { words });
                return Err(Outcome::Finished { stop: StopReason::NoToolCalls });
            }
            if asked_again == MAX_ASKED_AGAIN {
                return Err(failed(format!(
                    "the model chose none of the ways on from {}, asked {} times",
                    node.id,
                    asked_again + 1
                )));
            }
            asked_again += 1;
            let text = format!("Your reply named none of the choices.\n\n{}", choices(node));
            answer = self.ask(vec![ContentPart::text(text)]).await?;
        }
    }

    fn prompt(&self, node: &Node, first: bool) -> Vec<ContentPart> {
        let mut text = node.label.clone();
        if first && !self.request.is_empty() {
            text = format!("{text}\n\n## User request\n\n{}", self.request);
        }
        if node.kind == Kind::Decision {
            text = format!("{text}\n\n{}", choices(node));
        }
        let mut parts = self.lead.clone();
        if !text.trim().is_empty() {
            parts.push(ContentPart::text(if parts.is_empty() {
                text
            } else {
                format!("\n\n{text}")
            }));
        }
        parts
    }

    /// Runs the model on a prompt. Returns what it said last.
    async fn ask(&self, parts: Vec<ContentPart>) -> Result<String, Outcome> {
        let before = self.core.context.lock().await.answers();
        match turn::run_plain(self.core, UserInput::Parts(parts), self.cancel).await {
            Outcome::Finished { stop: StopReason::NoToolCalls } => {}
            outcome => return Err(outcome),
        }
        let context = self.core.context.lock().await;
        let answer = context.last_answer().filter(|_| context.answers() > before);
        Ok(answer.unwrap_or_default())
    }
}

fn failed(message: String) -> Outcome {
    Outcome::Failed(Failure { kind: FailureKind::Internal, message, hint: None })
}

/// The ways on from a decision, and how to name one.
fn choices(node: &Node) -> String {
    let list: Vec<String> = node.edges.iter().map(|edge| format!("- {}", edge.label)).collect();
    format!(
        "Choose one of these:\n\n{}\n\nEnd your reply with the choice as it stands there, in this form: \
         <choice>{}</choice>",
        list.join("\n"),
        node.edges.first().map_or("", |edge| edge.label.as_str())
    )
}

/// The last choice in a reply.
fn choice(reply: &str) -> Option<&str> {
    let (before, _) = reply.rsplit_once("</choice>")?;
    let (_, choice) = before.rsplit_once("<choice>")?;
    Some(choice.trim())
}

/// A label on one line, not too long.
fn shown(label: &str) -> String {
    let line = label.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_LABEL) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_choice_counts() {
        assert_eq!(choice("I'd say <choice>a</choice>, no: <choice> b </choice>."), Some("b"));
        assert_eq!(choice("<choice>a</choice> <choice>"), Some("a"));
        assert_eq!(choice("</choice><choice>"), None);
        assert_eq!(choice("a"), None);
    }

    #[test]
    fn labels_are_shown_on_one_line() {
        assert_eq!(shown("a\n  b"), "a b");
        assert_eq!(shown(&"漢".repeat(99)).chars().count(), SHOWN_LABEL + 1);
    }
}
