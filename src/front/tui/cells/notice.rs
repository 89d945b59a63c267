//! News that is neither answer nor tool: one or a few rows each.
//!
//! No notice begins with a bullet, because a bullet before the first turn reads as a finished turn,
//! and none begins with `Error:`, because that reads as a dead program.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::format::{count, elapsed_whole};
use super::row;
use crate::front::text::{defuse_line, truncate};
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::{TodoItem, TodoStatus};

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Info,
    Success,
    Warning,
    Error,
}

impl Severity {
    /// From the protocol's word; an unknown one is information.
    pub fn of(word: &str) -> Self {
        match word {
            "success" => Self::Success,
            "warning" => Self::Warning,
            "error" => Self::Error,
            _ => Self::Info,
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Info => "›",
            Self::Success => "✓",
            Self::Warning => "! Warning ·",
            Self::Error => "✗ Problem ·",
        }
    }

    fn style(self, theme: &Theme) -> Style {
        theme.style(match self {
            Self::Info => Tone::Info,
            Self::Success => Tone::Success,
            Self::Warning => Tone::Warning,
            Self::Error => Tone::Error,
        })
    }
}

/// Rows of detail of a notice, and of a [`report`].
pub const NOTICE: usize = 2;
const REPORT: usize = 20;

/// What somebody has asked to see: a title and, below, as much as leaves the rest of the screen be.
pub fn report(title: &str, body: &str, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
    notice_of(Severity::Info, title, (body, REPORT), columns, theme)
}

/// A notice: its title and, below, its detail in at most so many rows.
pub fn notice_of(
    severity: Severity,
    title: &str,
    (body, most): (&str, usize),
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let columns = usize::from(columns);
    let text = format!("{} {}", severity.mark(), row::foreign_line(title));
    let mut rows = row::paragraph(&text, severity.style(theme), columns, 2);
    let room = columns.saturating_sub(3).max(1);
    let (body, hidden) = row::head_rows(row::foreign(body).trim(), row::trace(theme), room, most);
    rows.extend(body.into_iter().map(|line| defuse_line(row::prefixed("   ".into(), line))));
    if hidden > 0 {
        rows.push(row::row([Span::styled("  …", row::trace(theme))]));
    }
    rows
}

/// A failed attempt that will be repeated: `↻ Retrying after rate limit · attempt 2/10 · 4s`.
pub fn retry_row(
    error_type: &str,
    status: Option<u16>,
    attempt: u32,
    max_attempts: u32,
    wait: Duration,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let reason = match (status, error_type) {
        (Some(429), _) => "rate limit".to_owned(),
        (Some(status @ 500..=599), _) => format!("server error {status}"),
        (Some(status), _) => format!("HTTP {status}"),
        (None, kind) => {
            let kind_lower = kind.to_ascii_lowercase();
            if kind_lower.contains("timeout") {
                "timeout".to_owned()
            } else if kind_lower.contains("connect") {
                "connection issue".to_owned()
            } else if kind_lower.contains("empty") {
                "empty response".to_owned()
            } else {
                truncate(&row::foreign_line(kind), 60)
            }
        }
    };
    let text = format!(
        "↻ Retrying after {reason} · attempt {attempt}/{max_attempts} · {}",
        elapsed_whole(wait)
    );
    row::paragraph(&text, theme.style(Tone::Warning), columns.into(), 2)
}

/// The conversation was made shorter.
pub fn compaction_row(
    before: Option<u64>,
    after: Option<u64>,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let text = match (before, after) {
        (Some(before), Some(after)) if before == after => {
            "↓ The conversation could not be made shorter".to_owned()
        }
        // Where the provider counts otherwise than we do, the two are of different kinds.
        (Some(before), Some(after)) if after < before => {
            format!("↓ Compacted the conversation: {} → {} tokens", count(before), count(after))
        }
        _ => "↓ Compacted the conversation".to_owned(),
    };
    row::paragraph(&text, row::trace(theme), columns.into(), 2)
}

/// What changed in the todo list, on one row.
pub fn todo_change_row(items: &[TodoItem], columns: u16, theme: &Theme) -> Line<'static> {
    let done = items.iter().filter(|item| item.status == TodoStatus::Done).count();
    let active = items.iter().find(|item| item.status == TodoStatus::InProgress);
    let text = match active {
        _ if items.is_empty() => "○ Todo list cleared".to_owned(),
        Some(item) => {
            format!("● Todo {done}/{} done · now: {}", items.len(), row::foreign_line(&item.title))
        }
        None if done == items.len() => format!("✓ Todo {done}/{done} done"),
        None => format!("○ Todo {done}/{} done", items.len()),
    };
    let room = usize::from(columns).saturating_sub(1);
    row::row([Span::styled(truncate(&text, room), row::trace(theme))])
}

/// A message given to the running turn. No prompt mark: the turn's echo stays the last one.
pub fn steer_echo(text: &str, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
    let columns = usize::from(columns);
    let room = columns.saturating_sub(3).max(1);
    let style = theme.style(Tone::User);
    let (body, hidden) = row::head_rows(row::shown(text).trim_end(), style, room, 40);
    let mut rows: Vec<_> = body
        .into_iter()
        .enumerate()
        .map(|(n, line)| {
            let mark = if n == 0 { "» " } else { "  " };
            row::row(row::prefixed(Span::styled(mark, style), line).spans)
        })
        .collect();
    if hidden > 0 {
        let more = truncate(&row::more_lines(hidden), room);
        rows.push(row::row([Span::styled(format!("  {more}"), style)]));
    }
    rows
}

/// Stands between what was read back from disk and what happens now.
pub fn resume_separator(
    session: &str,
    title: Option<&str>,
    turns: usize,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let id: String = row::foreign_line(session).chars().take(8).collect();
    let turns = if turns == 1 { "1 turn".to_owned() } else { format!("{turns} turns") };
    let mut text = format!("↺ Resumed session {id} · {turns} above");
    if let Some(title) = title {
        text.push_str(&format!(" · {}", row::foreign_line(title)));
    }
    row::paragraph(&text, row::trace(theme), columns.into(), 2)
}
