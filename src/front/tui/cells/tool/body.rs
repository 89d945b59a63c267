//! The preview under a tool's headline.

use std::path::Path;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Ending;
use super::ansi::ansi_lines;
use super::chip::{Kind, answers, failure_reason};
use super::live::LiveOutput;
use crate::front::text::{defuse_line, truncate, wrap_line};
use crate::front::tui::cells::row;
use crate::front::tui::diff::render_hunks;
use crate::front::tui::theme::Theme;
use crate::protocol::{DisplayBlock, ToolReturnValue};

/// Rows of a command's output; its end says how it went.
const SHELL_ROWS: usize = 8;
/// Bytes of a command's output that are looked at: more than those rows hold.
const MAX_PRINTED: usize = 32 * 1024;
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
        Ending::Rejected | Ending::NotRun => Vec::new(),
        Ending::Interrupted => {
            let (rows, hidden) = live.tail_rows(style, room, SHELL_ROWS);
            with_earlier(rows, hidden, style, room)
        }
        Ending::Failed if kind != Kind::Shell || value.output.text().trim().is_empty() => {
            let output = value.output.text();
            let text = if output.trim().is_empty() { &value.message } else { &output };
            // The closing edge says the reason.
            let reason = failure_reason(value);
            let said = row::foreign_line(text.trim());
            if said == reason || reason.starts_with("exit code ") && said.ends_with('.') {
                return Vec::new();
            }
            head(text, style, room)
        }
        Ending::Done if has_diff(&value.display) => {
            // The headline has the path and the chip the counts already.
            render_hunks(work_dir, &value.display, room, Some(DIFF_ROWS + 1), theme)
                .into_iter()
                .skip(1)
                .map(|line| row::clipped(line, room))
                .collect()
        }
        Ending::Done | Ending::Failed => match kind {
            // The rest of the text is for the model.
            Kind::Shell if is_task(&value.display) => facts(&value.display, style, room),
            Kind::Shell => {
                let (rows, hidden) = printed(&value.output.text(), room, theme);
                with_earlier(rows, hidden, style, room)
            }
            Kind::Read | Kind::Todo => Vec::new(),
            Kind::Ask => {
                let said = answers(&value.output.text());
                let said = said.iter().map(|(question, answer)| format!("{question} {answer}"));
                head(&said.collect::<Vec<_>>().join("\n"), style, room)
            }
            // Who wrote the report stands before it, for the model.
            Kind::Agent => {
                let output = value.output.text();
                match output.split_once("[summary]\n") {
                    // Of many reports none is the one.
                    Some((_, report)) if output.starts_with("agent_id:") => {
                        head(report, style, room)
                    }
                    _ => facts(&value.display, style, room),
                }
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

/// Whether the call has started a background task, or become one.
pub fn is_task(blocks: &[DisplayBlock]) -> bool {
    blocks.iter().any(|block| matches!(block, DisplayBlock::BackgroundTask { .. }))
}

fn has_diff(blocks: &[DisplayBlock]) -> bool {
    blocks.iter().any(|block| matches!(block, DisplayBlock::Diff { .. }))
}

/// The last rows that a process printed, in its colours, and how many lines came before them.
fn printed(text: &str, room: usize, theme: &Theme) -> (Vec<Line<'static>>, usize) {
    let total = row::logical_lines(text).count();
    // Colours that began earlier are not known any more, like whatever else does not fit.
    let mut start = text.len().saturating_sub(MAX_PRINTED);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let lines = ansi_lines(text.get(start..).unwrap_or_default(), row::trace(theme));
    let mut rows: Vec<Line<'static>> = Vec::new();
    let mut shown = 0;
    for mut line in lines.into_iter().rev() {
        for span in &mut line.spans {
            span.style = theme.adapt_over(row::trace(theme), span.style);
        }
        let mut wrapped: Vec<_> = wrap_line(&line, room, 0).into_iter().map(defuse_line).collect();
        let left = SHELL_ROWS - rows.len();
        if wrapped.len() > left {
            // Half a line would be counted wrongly, but for one that is longer than the view.
            if rows.is_empty() {
                wrapped.drain(..wrapped.len() - left);
                rows = wrapped;
            }
            break;
        }
        shown += 1;
        wrapped.append(&mut rows);
        rows = wrapped;
        if rows.len() == SHELL_ROWS {
            break;
        }
    }
    (rows, total.saturating_sub(shown))
}

fn head(text: &str, style: Style, room: usize) -> Vec<Line<'static>> {
    let text = row::shown(text);
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
            DisplayBlock::BackgroundTask { task_id, kind, status, description } => Some(
                row::shown_line(&format!("Background {kind} {task_id} is {status}: {description}")),
            ),
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
