//! Where the tour stands, read from the conversation alone.

use serde_json::Value;

use crate::llm::{Message, Role};
use crate::protocol::{ContentPart, ToolCall};

/// The word that runs the tour again.
const AGAIN: &str = "tour";
/// The choice that leaves the files out; the label in the script.
pub(super) const ANSWERS_ONLY: &str = "Answers";

/// What is said next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Not in the tour.
    Later,
    Look,
    Read {
        readme: String,
        count: usize,
    },
    /// `count` is None when looking failed.
    Plan {
        count: Option<usize>,
        read: bool,
    },
    Ask,
    Write {
        choice: String,
    },
    Edit,
    Wrap,
    Closing(Outcome),
}

/// How the part with the files went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Everything,
    AnswersOnly,
    Dismissed,
    Rejected,
    Failed,
    NoScratch,
}

/// The calls since the user last spoke, with their results.
pub(super) struct Progress<'a> {
    in_tour: bool,
    calls: Vec<(&'a ToolCall, Option<&'a Message>)>,
}

/// What a user's message says, without what the program put beside it.
fn said(message: &Message) -> Option<String> {
    if message.role != Role::User {
        return None;
    }
    let own = |text: &&str| {
        let text = text.trim_start();
        !text.starts_with("<system") && !text.starts_with("<notification")
    };
    let texts: Vec<_> =
        message.content.iter().filter_map(ContentPart::as_text).filter(own).collect();
    let media = message.content.iter().any(|part| part.as_text().is_none());
    (media || !texts.is_empty()).then(|| texts.join("\n"))
}

impl<'a> Progress<'a> {
    pub(super) fn of(messages: &'a [Message]) -> Self {
        let mut spoken =
            messages.iter().enumerate().filter_map(|(at, message)| Some((at, said(message)?)));
        let first = spoken.next();
        let Some((at, text)) = spoken.next_back().or_else(|| first.clone()) else {
            return Self { in_tour: true, calls: Vec::new() };
        };
        let asked =
            text.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case(AGAIN));
        let in_tour = asked || first.is_some_and(|(first, _)| first == at);
        let turn = messages.get(at + 1..).unwrap_or_default();
        let result = |call: &ToolCall| {
            turn.iter().find(|message| message.tool_call_id.as_deref() == Some(&call.id))
        };
        let calls = turn.iter().flat_map(|message| &message.tool_calls);
        Self { in_tour, calls: calls.map(|call| (call, result(call))).collect() }
    }

    /// The results of the calls of a tool, in order. A call without a result counts as failed.
    fn results(&self, tool: &str) -> Vec<Reply> {
        self.calls
            .iter()
            .filter(|(call, _)| call.function.name == tool)
            .map(|(_, result)| result.map_or_else(Reply::missing, Reply::of))
            .collect()
    }

    /// Where to go on, with these tools on offer.
    pub(super) fn place(&self, offered: &[&str], scratch: bool) -> Place {
        if !self.in_tour {
            return Place::Later;
        }
        let can = |tool| offered.contains(&tool);
        let first = |tool| self.results(tool).into_iter().next();
        let looked = first("Glob");
        if looked.is_none() && can("Glob") {
            return Place::Look;
        }
        let entries = looked.filter(|reply| !reply.is_error).map(|reply| reply.entries());
        let count = entries.as_ref().map(Vec::len);
        let read = first("ReadFile");
        let todos = self.results("SetTodoList").len();
        if read.is_none()
            && todos == 0
            && can("ReadFile")
            && let Some(readme) = entries.as_deref().and_then(readme)
        {
            return Place::Read { readme, count: count.unwrap_or(0) };
        }
        if todos == 0 && can("SetTodoList") {
            return Place::Plan { count, read: read.is_some() };
        }
        let asked = first("AskUserQuestion");
        if asked.is_none() && can("AskUserQuestion") {
            return Place::Ask;
        }
        let choice = asked.map(|reply| reply.choice());
        let outcome = match choice {
            Some(None) => Outcome::Dismissed,
            Some(Some(choice)) if choice == ANSWERS_ONLY => Outcome::AnswersOnly,
            _ if !scratch || !can("WriteFile") => Outcome::NoScratch,
            choice => {
                let written = first("WriteFile");
                if written.is_none() {
                    let choice = choice.flatten().unwrap_or_else(|| "All of it".to_owned());
                    return Place::Write { choice };
                }
                let edited = first("StrReplaceFile");
                let replies = || written.iter().chain(&edited);
                if replies().any(|reply| reply.is_rejected) {
                    Outcome::Rejected
                } else if replies().any(|reply| reply.is_error) {
                    Outcome::Failed
                } else if edited.is_none() && can("StrReplaceFile") {
                    return Place::Edit;
                } else {
                    Outcome::Everything
                }
            }
        };
        if todos == 1 && outcome == Outcome::Everything {
            return Place::Wrap;
        }
        Place::Closing(outcome)
    }
}

/// A tool's result as the model sees it.
#[derive(Debug, Clone, Default)]
struct Reply {
    is_error: bool,
    is_rejected: bool,
    output: String,
}

impl Reply {
    fn missing() -> Self {
        Self { is_error: true, ..Self::default() }
    }

    fn of(message: &Message) -> Self {
        let mut reply = Self::default();
        let mut output = Vec::new();
        for text in message.content.iter().filter_map(ContentPart::as_text) {
            if text.starts_with("<system>ERROR:") {
                reply.is_error = true;
                reply.is_rejected = text.contains("rejected");
            } else if !text.starts_with("<system>") {
                output.push(text);
            }
        }
        reply.output = output.join("\n");
        reply
    }

    fn entries(&self) -> Vec<String> {
        self.output
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The label that was chosen, or the text that was typed; None for a dismissed question.
    fn choice(&self) -> Option<String> {
        let output: Value = serde_json::from_str(self.output.trim()).ok()?;
        let answer = output.get("answers")?.as_object()?.values().next()?.as_str()?;
        let answer = crate::llm::oneline::one_line(answer, 80);
        Some(answer).filter(|answer| !answer.is_empty())
    }
}

fn readme(entries: &[String]) -> Option<String> {
    let is_readme = |name: &str| {
        let name = name.to_ascii_lowercase();
        matches!(name.as_str(), "readme" | "readme.md" | "readme.txt" | "readme.rst")
    };
    entries.iter().find(|name| is_readme(name)).cloned()
}
