//! What a result comes to, in a few words.

use crate::front::tui::cells::row::{self, lines_word, logical_lines};
use crate::front::tui::diff::count_changes;
use crate::protocol::{ContentPart, DisplayBlock, TodoStatus, ToolOutput, ToolReturnValue};

/// The families of tools that look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Shell,
    /// The content is for the model; a person gets a number.
    Read,
    /// Files or lines that matched.
    Search(&'static str),
    Edit,
    Write,
    Todo,
    /// Questions to the user.
    Ask,
    /// Work given to another agent.
    Agent,
    Other,
}

impl Kind {
    /// By the name the model called, in either dialect.
    pub fn of(name: &str) -> Self {
        match name {
            "Shell" | "Bash" => Self::Shell,
            "ReadFile" | "Read" | "ReadMediaFile" | "FetchURL" | "WebFetch" => Self::Read,
            "Glob" => Self::Search("file"),
            "Grep" => Self::Search("match"),
            "SearchWeb" | "WebSearch" => Self::Search("line"),
            "StrReplaceFile" | "Edit" => Self::Edit,
            "WriteFile" | "Write" => Self::Write,
            "AskUserQuestion" => Self::Ask,
            "Agent" | "Task" | "AgentSwarm" => Self::Agent,
            "SetTodoList" | "TodoList" | "TodoWrite" => Self::Todo,
            _ => Self::Other,
        }
    }
}

/// The chip of a success: `12 lines`, `+3 -1`, `7 files`, `2/5 done`.
pub fn chip(kind: Kind, value: &ToolReturnValue) -> Option<String> {
    if let Some(changed) = changed_lines(&value.display) {
        return Some(changed);
    }
    if kind == Kind::Read
        && let Some(shown) = media(&value.output)
    {
        return Some(shown.to_owned());
    }
    let text = value.output.text();
    let lines = logical_lines(&text).count();
    match kind {
        Kind::Search(noun) => {
            let n = logical_lines(&text).filter(|line| !line.trim().is_empty()).count();
            Some(match (n, noun) {
                (1, noun) => format!("1 {noun}"),
                (n, "match") => format!("{n} matches"),
                (n, noun) => format!("{n} {noun}s"),
            })
        }
        Kind::Todo => value.display.iter().find_map(|block| match block {
            DisplayBlock::Todo { items } => {
                let done = items.iter().filter(|item| item.status == TodoStatus::Done).count();
                Some(format!("{done}/{} done", items.len()))
            }
            _ => None,
        }),
        Kind::Ask => {
            let n = answers(&text).len();
            Some(if n == 1 { "1 answer".to_owned() } else { format!("{n} answers") })
        }
        // Its lines are for the model, not the command's.
        Kind::Shell if super::body::is_task(&value.display) => None,
        Kind::Shell if lines == 0 => Some("no output".to_owned()),
        Kind::Agent => None,
        _ if lines == 0 => None,
        Kind::Shell | Kind::Read | Kind::Edit | Kind::Write | Kind::Other => {
            Some(lines_word(lines))
        }
    }
}

/// What was shown to the model, if it is no text: the text beside it only names the file.
fn media(output: &ToolOutput) -> Option<&'static str> {
    let ToolOutput::Parts(parts) = output else { return None };
    parts.iter().find_map(|part| match part {
        ContentPart::ImageUrl { .. } => Some("1 picture"),
        ContentPart::VideoUrl { .. } => Some("1 film"),
        _ => None,
    })
}

/// The answers of a user in the output of a question tool: question and answer, in order.
pub fn answers(output: &str) -> Vec<(String, String)> {
    let value: serde_json::Value = serde_json::from_str(output).unwrap_or_default();
    let Some(answers) = value.get("answers").and_then(serde_json::Value::as_object) else {
        return Vec::new();
    };
    answers
        .iter()
        .map(|(question, answer)| {
            (question.clone(), answer.as_str().map_or_else(|| answer.to_string(), str::to_owned))
        })
        .collect()
}

/// Why a call failed, on one line: the exit code of a command, else what the tool says of itself.
pub fn failure_reason(value: &ToolReturnValue) -> String {
    let brief = value.display.iter().find_map(|block| match block {
        DisplayBlock::Brief { text } => logical_lines(text).find(|line| !line.trim().is_empty()),
        _ => None,
    });
    let reason = brief
        .or_else(|| logical_lines(&value.message).find(|line| !line.trim().is_empty()))
        .map_or_else(|| "no reason given".to_owned(), |line| row::foreign_line(line.trim()));
    match reason.rsplit_once("exit code: ") {
        Some((_, code)) if code.trim_end_matches('.').parse::<i64>().is_ok() => {
            format!("exit code {}", code.trim_end_matches('.'))
        }
        _ => reason,
    }
}

/// `+a -d` over all hunks; `None` when there are no hunks with content.
fn changed_lines(blocks: &[DisplayBlock]) -> Option<String> {
    if !blocks.iter().any(|block| matches!(block, DisplayBlock::Diff { is_summary: false, .. })) {
        return None;
    }
    Some(match count_changes(blocks) {
        (added, 0) => format!("+{added}"),
        (0, removed) => format!("-{removed}"),
        (added, removed) => format!("+{added} -{removed}"),
    })
}
