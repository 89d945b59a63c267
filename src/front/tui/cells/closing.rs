//! The rows that end a turn.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::format::elapsed;
use super::row;
use unicode_segmentation::UnicodeSegmentation;

use crate::front::text::{truncate, width, wrap_line};
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::Outcome;

/// Columns of the reason of a failure that are shown.
const MAX_REASON: usize = 300;

/// How a turn ended, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    Done,
    Interrupted,
    /// Somebody has to say that it goes on: a budget is spent, or the model goes in circles.
    Paused {
        reason: String,
        hint: &'static str,
    },
    /// What failed and why, and the one thing to do next.
    Failed {
        reason: String,
        hint: Option<String>,
    },
}

impl From<&Outcome> for Closing {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Finished { .. } => match outcome.given_up() {
                Some(why) => Self::Paused {
                    reason: format!("{why}."),
                    hint: "Send a message that says what to do instead.",
                },
                None => Self::Done,
            },
            Outcome::Cancelled => Self::Interrupted,
            Outcome::MaxStepsReached { steps } => Self::Failed {
                reason: format!("the limit of {steps} steps was reached"),
                hint: Some("Send another message to continue where it left off.".to_owned()),
            },
            Outcome::BudgetSpent(spent) => Self::Paused {
                reason: format!("{spent}."),
                hint: "Send another message to go on with as much again.",
            },
            Outcome::Failed(failure) => {
                Self::Failed { reason: failure.message.clone(), hint: failure.hint.clone() }
            }
        }
    }
}

/// ` • Done in 4.2s`: the last bullet of a turn, by which readers know that it is over. A failure has
/// the bullet of an answer.
pub fn closing_row(
    closing: &Closing,
    duration: Duration,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let trace = row::trace(theme);
    let time = elapsed(duration);
    let at_once = duration < Duration::from_millis(100);
    let mut spans = match closing {
        Closing::Done if at_once => vec![Span::styled("• Done", trace)],
        Closing::Done => vec![Span::styled(format!("• Done in {time}"), trace)],
        Closing::Interrupted => vec![Span::styled(format!("• Interrupted after {time}"), trace)],
        Closing::Paused { reason, .. } => vec![
            Span::styled("• ", theme.style(Tone::AnswerAfterTools)),
            Span::styled(format!("Paused after {time}: {reason}"), trace),
        ],
        // Who takes the answer from the screen takes this too: a cut answer must not look whole.
        Closing::Failed { reason, .. } => vec![
            Span::styled("• ", theme.style(Tone::AnswerAfterTools)),
            Span::styled(format!("Failed after {time}: "), trace),
            Span::styled(told(reason), theme.style(Tone::Error)),
        ],
    };
    let mut rows = indented(Line::from(std::mem::take(&mut spans)), columns);
    let hint = match closing {
        Closing::Failed { hint, .. } => hint.as_deref(),
        Closing::Paused { hint, .. } => Some(*hint),
        Closing::Done | Closing::Interrupted => None,
    };
    if let Some(hint) = hint {
        rows.extend(row::paragraph(
            &format!("  → {}", row::foreign_line(hint)),
            trace,
            columns.into(),
            4,
        ));
    }
    rows
}

/// The reason of a failure on one line of bounded length. A page of HTML, as servers between here and
/// the model send, says nothing to a person and is left out.
fn told(reason: &str) -> String {
    let lower = reason.to_ascii_lowercase();
    let page = ["<!doctype", "<html", "<head", "<body"];
    let end = page.iter().filter_map(|tag| lower.find(tag)).min();
    let words = reason.get(..end.unwrap_or(reason.len())).unwrap_or(reason);
    let mut text = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if end.is_some() {
        text = format!("{} (an HTML page)", text.trim_end_matches([':', ' ']));
    }
    truncate(row::foreign_line(&text).trim(), MAX_REASON)
}

/// Names the file that holds an answer longer than a reader of the screen can capture.
///
/// It looks like a row of the answer, so that readers keep it. Where the path leaves no room for the
/// count of rows it comes without; one too long even then goes on in the next row without a break of
/// its own.
pub fn pointer_row(path: &str, rows: usize, columns: u16) -> Vec<Line<'static>> {
    let path = row::foreign_line(path);
    let room = usize::from(columns).saturating_sub(2).max(1);
    let mut text = format!("[the whole answer, {rows} rows: {path}]");
    if width(&text) > room {
        text = format!("[the whole answer: {path}]");
    }
    let mut lines = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let at = column_end(rest, room);
        lines.push(Line::from(format!("  {}", &rest[..at])));
        rest = &rest[at..];
    }
    lines
}

/// The byte at which `columns` columns of `text` end; at least one cluster.
fn column_end(text: &str, columns: usize) -> usize {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += width(cluster);
        if used > columns && at > 0 {
            return at;
        }
    }
    text.len()
}

fn indented(line: Line<'_>, columns: u16) -> Vec<Line<'static>> {
    let room = usize::from(columns).saturating_sub(1).max(1);
    wrap_line(&line, room, 2.min(room / 2)).into_iter().map(|line| row::row(line.spans)).collect()
}
