//! How an approval looks.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::DialogFrame;
use super::{ApprovalDialog, Choice, Drawn, command};
use crate::front::text::{truncate, truncate_middle, width};
use crate::front::tui::cells::row;
use crate::front::tui::diff::render_hunks;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::{ApprovalRequest, DisplayBlock};

/// Rows of preview on a screen with room: longer ones are for the pager.
const PREVIEW_ROWS: usize = 16;

/// Rows of content that come before everything but one row of options: the path of a change and a
/// line of it, or the begin of a command.
fn first_rows(dialog: &ApprovalDialog, columns: usize) -> usize {
    if has_diff(dialog) {
        return 3;
    }
    row::head_rows(&dialog.text, Style::new(), columns.saturating_sub(3).max(1), 2).0.len()
}

/// Draws the dialog. Nobody should say yes to what is not in sight: when rows are few, the first rows
/// of content and the title come first and the options share one row; then the banner, options with
/// a row each, the directory, the description and the hint, and at last the rest of the content.
pub fn frame(dialog: &ApprovalDialog, columns: u16, max_rows: u16, theme: &Theme) -> DialogFrame {
    let columns = usize::from(columns);
    let max_rows = usize::from(max_rows);
    let (mut options, mut caret) = options(dialog, columns, theme);
    let mut left = max_rows.saturating_sub(1);
    let content = first_rows(dialog, columns).min(left.max(2) - 1).min(left);
    left -= content;
    let claim = |left: &mut usize, rows: Vec<Line<'static>>| {
        if rows.len() <= *left {
            *left -= rows.len();
            rows
        } else {
            Vec::new()
        }
    };
    let title = claim(&mut left, title(dialog, columns, theme));
    let banner = claim(&mut left, banner(dialog, columns, theme));
    let mut chosen = Choice::Redirect.index();
    if claim(&mut left, vec![Line::default(); options.len() - 1]).is_empty() {
        chosen = 0;
        if dialog.editing() {
            options.drain(..Choice::Redirect.index());
        } else {
            options = vec![short_options(dialog, columns, theme)];
            caret = None;
        }
    }
    let cwd = claim(&mut left, cwd(dialog, columns, theme));
    let description = description(dialog, columns, theme);
    let description = begin(description, left, columns, theme);
    let description = claim(&mut left, description);
    let hint = claim(&mut left, vec![hint(dialog, columns, theme)]);
    let preview = match content {
        0 => Vec::new(),
        content => preview(dialog, columns, (content + left).min(PREVIEW_ROWS), theme),
    };

    let mut rows: Vec<_> =
        [title, banner, preview, cwd, description].into_iter().flatten().collect();
    let caret = caret.and_then(|column| {
        Some((u16::try_from(rows.len() + chosen).ok()?, u16::try_from(column).ok()?))
    });
    rows.extend(options);
    rows.extend(hint);
    rows.truncate(max_rows);
    let caret = caret.filter(|(row, _)| usize::from(*row) < rows.len());
    DialogFrame { rows, caret }
}

/// All options on one row, in words as long as fit.
fn short_options(dialog: &ApprovalDialog, columns: usize, theme: &Theme) -> Line<'static> {
    let room = columns.saturating_sub(1);
    let text = [
        (["1 once", "2 session", "3 reject", "4 reject+why"], " · "),
        (["1 once", "2 session", "3 reject", "4 reject+why"], " "),
        (["1 once", "2 sess", "3 rej", "4 why"], " "),
        (["1", "2", "3", "4"], " "),
    ]
    .map(|(words, between)| {
        let mark = |choice: Choice| if choice == dialog.choice { "▶" } else { "" };
        let words: Vec<String> = Choice::ALL
            .iter()
            .zip(words)
            .map(|(choice, word)| format!("{}{word}", mark(*choice)))
            .collect();
        words.join(between)
    })
    .into_iter()
    .find(|text| width(text) <= room)
    .unwrap_or_default();
    row::row([Span::styled(text, theme.style(Tone::Selected))])
}

/// Everything there is to read: who asks, why, the whole command or change.
pub fn full(dialog: &ApprovalDialog, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
    let width = usize::from(columns).saturating_sub(1);
    let mut rows = title(dialog, width, theme);
    rows.extend(banner(dialog, width, theme));
    rows.extend(cwd(dialog, width, theme));
    rows.extend(description(dialog, width, theme));
    rows.push(Line::default());
    rows.extend(preview(dialog, width, usize::MAX, theme));
    rows
}

/// What is asked, in one line: `Run this command?`.
pub fn question(dialog: &ApprovalDialog) -> String {
    let request = &dialog.request;
    match request.action.as_str() {
        "run command" | "run shell command" => "Run this command?".to_owned(),
        "run background command" => "Run this command in the background?".to_owned(),
        "stop background task" => "Stop this background task?".to_owned(),
        "edit file" => format!("{}?", dialog.change.words()),
        "edit file outside of working directory" => {
            format!("{} outside the working directory?", dialog.change.words())
        }
        action => match action.split_once(':') {
            Some(("mcp", tool)) => format!("Call the MCP tool {}?", row::shown_line(tool)),
            Some(("plugin", tool)) => format!("Call the plugin tool {}?", row::shown_line(tool)),
            _ => format!(
                "Allow {} to {}?",
                row::shown_line(&request.sender),
                row::shown_line(action)
            ),
        },
    }
}

fn title(dialog: &ApprovalDialog, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let request = &dialog.request;
    let mut text = format!("▶ {}", question(dialog));
    if let Some(agent) = request.subagent_type.as_deref().or(request.agent_id.as_deref()) {
        text.push_str(&format!(" · asked by agent {}", row::shown_line(agent)));
    } else if request.source_kind.as_deref() == Some("background_agent") {
        text.push_str(" · asked by a background agent");
    }
    if let Some((n, of)) = dialog.position {
        text.push_str(&format!(" ({n} of {of})"));
    }
    let text = truncate(&text, columns.saturating_sub(1));
    vec![row::row([Span::styled(text, theme.style(Tone::Attention))])]
}

fn banner(dialog: &ApprovalDialog, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    if dialog.dangers.is_empty() {
        return Vec::new();
    }
    let text = format!("! Careful: {}", dialog.dangers.join("; "));
    let room = columns.saturating_sub(3).max(1);
    let (rows, _) = row::head_rows(&text, theme.style(Tone::Error), room, 2);
    rows.into_iter().map(indented).collect()
}

fn cwd(dialog: &ApprovalDialog, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    if command(&dialog.request).is_none() {
        return Vec::new();
    }
    let path = row::shown_line(&dialog.work_dir.to_string_lossy());
    let path = truncate_middle(&path, columns.saturating_sub(6));
    vec![indented(Span::styled(format!("in {path}"), theme.style(Tone::Dim)).into())]
}

/// The request's own words. They repeat the command when there is one, and are left out then.
fn description(dialog: &ApprovalDialog, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let request = &dialog.request;
    let mut texts = Vec::new();
    if command(request).is_none() && has_preview(request) {
        texts.push(&request.description);
    }
    texts.extend(&request.source_description);
    let room = columns.saturating_sub(3).max(1);
    let style = theme.style(Tone::Dim);
    let mut rows: Vec<_> = texts
        .into_iter()
        .map(|text| truncate_middle(&row::shown_line(text), room))
        .filter(|text| !text.trim().is_empty())
        .map(|text| Span::styled(text, style).into())
        .collect();
    // Of why it asks no word may be missing: the part that asks may be nowhere else on the screen.
    let why = request.why().into_iter().flat_map(str::lines).map(row::shown_line);
    rows.extend(why.flat_map(|why| row::wrap_text(&why, style, room)));
    rows.into_iter().map(indented).collect()
}

/// The rows, or as many as there is room for and a remark that there are more.
fn begin(
    mut rows: Vec<Line<'static>>,
    room: usize,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    if rows.len() > room && room > 1 {
        let more = row::more_lines(rows.len() - (room - 1));
        let more = truncate(&format!("{more}, ctrl-e to expand"), columns.saturating_sub(3));
        rows.truncate(room - 1);
        rows.push(indented(Span::styled(more, theme.style(Tone::Dim)).into()));
    }
    rows
}

/// Whether something other than the description is there to show.
fn has_preview(request: &ApprovalRequest) -> bool {
    request.display.iter().any(|block| {
        matches!(
            block,
            DisplayBlock::Shell { .. } | DisplayBlock::Diff { .. } | DisplayBlock::Brief { .. }
        )
    })
}

/// What is asked about, in at most `max_rows` rows, the last of which says what is missing.
fn preview(
    dialog: &ApprovalDialog,
    columns: usize,
    max_rows: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(3).max(1);
    let (rows, hidden) = if has_diff(dialog) {
        (change(dialog, room, max_rows, theme), 0)
    } else {
        fitting(&dialog.text, theme.style(Tone::Text), room, max_rows)
    };
    let mut rows: Vec<_> = rows.into_iter().map(indented).collect();
    rows.truncate(max_rows);
    if hidden > 0 {
        let more = format!("{}, ctrl-e to expand", row::more_lines(hidden));
        let more = Span::styled(truncate(&more, room), theme.style(Tone::Dim));
        rows.push(indented(more.into()));
    }
    rows
}

fn has_diff(dialog: &ApprovalDialog) -> bool {
    dialog.request.display.iter().any(|block| matches!(block, DisplayBlock::Diff { .. }))
}

/// The rows of the change. Comparing two texts is dear and the spinner turns often: an unchanged
/// picture is not worked out again.
fn change(
    dialog: &ApprovalDialog,
    columns: usize,
    max_rows: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    if let Some(drawn) = &*dialog.drawn.borrow()
        && (drawn.columns, drawn.max_rows) == (columns, max_rows)
        && drawn.theme == *theme
    {
        return drawn.rows.clone();
    }
    let limit = (max_rows != usize::MAX).then_some(max_rows);
    let rows = render_hunks(Some(&dialog.work_dir), &dialog.request.display, columns, limit, theme)
        .into_iter()
        .map(|line| row::clipped(line, columns))
        .collect::<Vec<_>>();
    if limit.is_some() {
        let theme = theme.clone();
        let drawn = Drawn { columns, max_rows, theme, rows: rows.clone() };
        dialog.drawn.replace(Some(drawn));
    }
    rows
}

/// All of a text, or as many rows as leave one for the remark that there is more.
fn fitting(
    text: &str,
    style: Style,
    columns: usize,
    max_rows: usize,
) -> (Vec<Line<'static>>, usize) {
    if max_rows == usize::MAX {
        return (row::wrap_text(text, style, columns), 0);
    }
    let (rows, hidden) = row::head_rows(text, style, columns, max_rows);
    if hidden == 0 {
        return (rows, 0);
    }
    if max_rows == 1 {
        // Better its begin than that there is more.
        let first = text.lines().next().unwrap_or_default();
        let first = truncate(&format!("{first} …"), columns);
        return (vec![Span::styled(first, style).into()], 0);
    }
    row::head_rows(text, style, columns, max_rows.saturating_sub(1))
}

/// The choices in words, in the order of their numbers.
pub fn labels(dialog: &ApprovalDialog) -> [String; 4] {
    let request = &dialog.request;
    let scope = row::shown_line(request.session_scope().unwrap_or(&request.action));
    [
        "Approve once".to_owned(),
        format!("Approve for this session ({scope})"),
        "Reject".to_owned(),
        "Reject, tell the model what to do instead".to_owned(),
    ]
}

/// The option rows, and the caret's column in the last one when its text is being edited.
fn options(
    dialog: &ApprovalDialog,
    columns: usize,
    theme: &Theme,
) -> (Vec<Line<'static>>, Option<usize>) {
    let mut caret = None;
    let rows = (1..).zip(Choice::ALL).zip(labels(dialog)).map(|((n, choice), label)| {
        let label = format!("{n}. {label}");
        let chosen = choice == dialog.choice;
        let mark = if chosen { "▶ " } else { "  " };
        let room = columns.saturating_sub(3);
        let mut label = truncate(&label, room);
        if choice == Choice::Redirect && (chosen || !dialog.feedback.is_blank()) {
            let lead = "4. Reject: ";
            let (text, at) = dialog.feedback.view(room.saturating_sub(lead.len()));
            if chosen {
                caret = Some((3 + lead.len() + at).min(columns.saturating_sub(1)));
            }
            label = truncate(&format!("{lead}{text}"), room);
        }
        let tone = if chosen { Tone::Selected } else { Tone::Text };
        row::row([Span::styled(format!("{mark}{label}"), theme.style(tone))])
    });
    (rows.collect(), caret)
}

fn hint(dialog: &ApprovalDialog, columns: usize, theme: &Theme) -> Line<'static> {
    let long = if dialog.editing() {
        "type what to do instead · ↵ send · ↑/↓ other choice · esc reject"
    } else {
        "↑/↓ select · 1/2/3/4 choose · ↵ confirm · ctrl-e whole content · esc reject"
    };
    let short = if dialog.editing() {
        "↵ send · esc reject"
    } else {
        "↑/↓ · 1-4 · ↵ · esc reject"
    };
    let room = columns.saturating_sub(1);
    let text = if width(long) <= room { long } else { short };
    row::row([Span::styled(truncate(text, room), theme.style(Tone::Dim))])
}

fn indented(line: Line<'static>) -> Line<'static> {
    row::prefixed(Span::raw("   "), line)
}
