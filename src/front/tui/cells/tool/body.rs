//! The preview under a tool's headline.

use std::path::Path;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Ending;
use super::chip::{Kind, answers};
use super::live::LiveOutput;
use crate::front::tui::cells::row;
use crate::front::tui::diff::render_hunks_in;
use crate::front::tui::text::truncate;
use crate::front::tui::theme::Theme;
use crate::protocol::{DisplayBlock, ToolReturnValue};

/// Rows of a command's output; its end says how it went.
const SHELL_ROWS: usize = 8;
/// Rows of a diff.
const DIFF_ROWS: usize = 10;
/// Rows of anything else.
const OTHER_ROWS: usize = 3;

/// The preview, without the bar that stands before each of its rows.
pub fn body_rows(
    kind: Kind,
    ending: Ending,
    value: &ToolReturnValue,
    live: &LiveOutput,
    work_dir: Option<&Path>,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(3).max(1);
    let style = row::trace(theme);
    match ending {
        Ending::Rejected => Vec::new(),
        Ending::Interrupted => {
            let (rows, hidden) = live.tail_rows(style, room, SHELL_ROWS);
            with_earlier(rows, hidden, style, room)
        }
        Ending::Failed if kind != Kind::Shell => {
            let output = value.output.text();
            let text = if output.trim().is_empty() { &value.message } else { &output };
            head(text, style, room)
        }
        Ending::Done if has_diff(&value.display) => {
            // The headline has the path and the chip the counts already.
            render_hunks_in(work_dir, &value.display, room, Some(DIFF_ROWS + 1), theme)
                .into_iter()
                .skip(1)
                .map(|line| row::clipped(line, room))
                .collect()
        }
        Ending::Done | Ending::Failed => match kind {
            Kind::Shell => {
                let text = row::foreign(&value.output.text());
                let (rows, hidden) = row::tail_rows(&text, style, room, SHELL_ROWS);
                with_earlier(rows, hidden, style, room)
            }
            Kind::Read | Kind::Todo => Vec::new(),
            Kind::Ask => {
                let said = answers(&value.output.text());
                let said = said.iter().map(|(question, answer)| format!("{question} {answer}"));
                head(&said.collect::<Vec<_>>().join("\n"), style, room)
            }
            Kind::Search(_) | Kind::Edit | Kind::Write | Kind::Other => {
                let output = value.output.text();
                if output.trim().is_empty() {
                    facts(&value.display, style, room)
                } else {
                    head(&output, style, room)
                }
            }
        },
    }
}

fn has_diff(blocks: &[DisplayBlock]) -> bool {
    blocks.iter().any(|block| matches!(block, DisplayBlock::Diff { .. }))
}

fn head(text: &str, style: Style, room: usize) -> Vec<Line<'static>> {
    let text = row::foreign(text);
    let (mut rows, hidden) = row::head_rows(&text, style, room, OTHER_ROWS);
    if hidden > 0 {
        let more = row::more_lines(hidden);
        rows.push(Span::styled(truncate(&more, room), style).into());
    }
    rows
}

/// What the blocks of a result without output say in words.
fn facts(blocks: &[DisplayBlock], style: Style, room: usize) -> Vec<Line<'static>> {
    let said: Vec<String> = blocks
        .iter()
        .filter_map(|block| match block {
            DisplayBlock::Brief { text } => Some(text.clone()),
            DisplayBlock::BackgroundTask { task_id, kind, status, description } => {
                Some(row::foreign_line(&format!(
                    "Background {kind} {task_id} is {status}: {description}"
                )))
            }
            _ => None,
        })
        .collect();
    head(&said.join("\n"), style, room)
}

fn with_earlier(
    rows: Vec<Line<'static>>,
    hidden: usize,
    style: Style,
    room: usize,
) -> Vec<Line<'static>> {
    if hidden == 0 {
        return rows;
    }
    let plural = if hidden == 1 { "" } else { "s" };
    let earlier = truncate(&format!("… {hidden} earlier line{plural}"), room);
    let earlier = Span::styled(earlier, style);
    std::iter::once(earlier.into()).chain(rows).collect()
}
