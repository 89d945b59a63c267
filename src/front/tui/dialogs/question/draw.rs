//! How questions look.

use ratatui::text::{Line, Span};

use super::super::DialogFrame;
use super::{QuestionDialog, Sheet};
use crate::front::text::{line_width, truncate, width};
use crate::front::tui::cells::row;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::Question;

/// Draws the dialog. The first two rows of the question and one option are always there; what gives
/// way when rows are few: the hint, the descriptions of the options, the tabs, the rest of the
/// question; then the options scroll around the mark.
pub fn frame(dialog: &QuestionDialog, columns: u16, max_rows: u16, theme: &Theme) -> DialogFrame {
    let columns = usize::from(columns);
    let max_rows = usize::from(max_rows);
    let shown = dialog.request.questions.get(dialog.current).zip(dialog.sheets.get(dialog.current));
    let Some((question, sheet)) = shown else {
        let mut rows = tabs(dialog, columns, theme);
        rows.extend(review(dialog, columns, theme));
        rows.truncate(max_rows);
        return DialogFrame { rows, caret: None };
    };

    let text = ask(question, columns, theme);
    let tabs = tabs(dialog, columns, theme);
    let hint = vec![hint(dialog, sheet, columns, theme)];
    let choices = sheet.rows();
    let described: usize =
        question.options.iter().filter(|option| !option.description.trim().is_empty()).count()
            + usize::from(!question.other_description.trim().is_empty());

    let first = text.len().min(2).min(max_rows.saturating_sub(1));
    let mut left = max_rows.saturating_sub(first).saturating_sub(choices);
    let text = cut_to(text, first + left, columns);
    left -= text.len() - first;
    let mut claim = |rows: Vec<Line<'static>>| {
        let fits = rows.len() <= left;
        left -= if fits { rows.len() } else { 0 };
        if fits { rows } else { Vec::new() }
    };
    let tabs = claim(tabs);
    let with_descriptions = described > 0 && !claim(vec![Line::default(); described]).is_empty();
    let hint = claim(hint);

    let mut rows: Vec<_> = [tabs, text].into_iter().flatten().collect();
    let budget = max_rows.saturating_sub(rows.len() + hint.len());
    let (options, caret) = options(question, sheet, columns, with_descriptions, budget, theme);
    let before = rows.len();
    rows.extend(options);
    rows.extend(hint);
    rows.truncate(max_rows);
    let caret = caret.and_then(|(at, column)| {
        Some((u16::try_from(before + at).ok()?, u16::try_from(column).ok()?))
    });
    DialogFrame { rows, caret }
}

/// The rows, or the first `max_rows` of them with a mark that there are more.
fn cut_to(mut rows: Vec<Line<'static>>, max_rows: usize, columns: usize) -> Vec<Line<'static>> {
    if rows.len() > max_rows {
        rows.truncate(max_rows);
        if let Some(last) = rows.pop() {
            let room = columns.saturating_sub(2);
            let whole = line_width(&last) <= room;
            let mut last = row::clipped(last, room);
            if whole {
                last.spans.push(Span::raw(" …"));
            }
            rows.push(last);
        }
    }
    rows
}

/// The questions with their long texts and all descriptions.
pub fn full(dialog: &QuestionDialog, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
    let columns = usize::from(columns).saturating_sub(1);
    let (attention, dim) = (theme.style(Tone::Attention), theme.style(Tone::Dim));
    let mut rows = Vec::new();
    for question in &dialog.request.questions {
        if !rows.is_empty() {
            rows.push(Line::default());
        }
        rows.extend(row::paragraph(&row::shown(&question.question), attention, columns, 2));
        rows.extend(row::paragraph(
            &row::shown(&question.body),
            theme.style(Tone::Text),
            columns,
            0,
        ));
        for option in &question.options {
            let label = format!("• {}", row::shown_line(&option.label));
            rows.extend(row::paragraph(&label, theme.style(Tone::Strong), columns, 2));
            rows.extend(row::paragraph(&row::shown(&option.description), dim, columns, 2));
        }
    }
    rows
}

/// A row of marks: `●` shown, `✓` answered, `○` open. Only with more than one question.
fn tabs(dialog: &QuestionDialog, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    if dialog.sheets.len() < 2 {
        return Vec::new();
    }
    let mut spans = Vec::new();
    let mut left = columns.saturating_sub(1);
    let mut tab = |text: String, tone| {
        let text = truncate(&text, left);
        left = left.saturating_sub(width(&text) + 2);
        spans.push(Span::styled(text, theme.style(tone)));
        spans.push(Span::raw(if left > 0 { "  " } else { "" }));
    };
    for (at, (question, sheet)) in dialog.request.questions.iter().zip(&dialog.sheets).enumerate() {
        let (mark, tone) = match (at == dialog.current, sheet.answered) {
            (true, _) => ("●", Tone::Selected),
            (false, true) => ("✓", Tone::Success),
            (false, false) => ("○", Tone::Dim),
        };
        let name = row::shown_line(question.header.trim());
        let name = if name.is_empty() { format!("Q{}", at + 1) } else { truncate(&name, 16) };
        tab(format!("({mark}) {name}"), tone);
    }
    let tone = if dialog.reviewing() { Tone::Selected } else { Tone::Dim };
    tab("Send".to_owned(), tone);
    vec![row::row(spans)]
}

fn ask(question: &Question, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(3).max(1);
    let text = row::shown(question.question.trim());
    let (rows, hidden) = row::head_rows(&text, theme.style(Tone::Attention), room, 4);
    let mut rows: Vec<_> = rows
        .into_iter()
        .enumerate()
        .map(|(n, line)| {
            let mark = if n == 0 { "▶ " } else { "  " };
            row::row(row::prefixed(Span::styled(mark, theme.style(Tone::Attention)), line).spans)
        })
        .collect();
    if hidden > 0 || !question.body.trim().is_empty() {
        let more = truncate("… ctrl-e to read all of it", room);
        rows.push(row::row([Span::raw("  "), Span::styled(more, theme.style(Tone::Dim))]));
    }
    rows
}

/// Option rows within `budget`, around the mark; and the place of the caret in them.
fn options(
    question: &Question,
    sheet: &Sheet,
    columns: usize,
    described: bool,
    budget: usize,
    theme: &Theme,
) -> (Vec<Line<'static>>, Option<(usize, usize)>) {
    let per_row = if described { 2 } else { 1 };
    let fits = sheet.rows().saturating_mul(per_row) <= budget.max(1);
    let (first, last) = if fits || sheet.rows() <= budget {
        (0, sheet.rows())
    } else {
        let window = budget.max(1);
        let first = sheet.cursor.saturating_sub(window / 2).min(sheet.rows() - window);
        (first, first + window)
    };
    let mut rows = Vec::new();
    let mut caret = None;
    for at in first..last {
        let (line, column) = option_row(question, sheet, at, columns, theme);
        if let Some(column) = column {
            caret = Some((rows.len(), column));
        }
        rows.push(line);
        let description = match question.options.get(at) {
            Some(option) => &option.description,
            None => &question.other_description,
        };
        if described && !description.trim().is_empty() {
            let text = truncate(&row::shown_line(description.trim()), columns.saturating_sub(7));
            rows.push(row::row([Span::raw("     "), Span::styled(text, theme.style(Tone::Dim))]));
        }
    }
    (rows, caret)
}

/// What the choice of one's own words is called.
pub fn other_label(question: &Question) -> String {
    match question.other_label.trim() {
        "" => "Other".to_owned(),
        label => row::shown_line(label),
    }
}

fn option_row(
    question: &Question,
    sheet: &Sheet,
    at: usize,
    columns: usize,
    theme: &Theme,
) -> (Line<'static>, Option<usize>) {
    let chosen = at == sheet.cursor;
    let other = at >= sheet.ticked.len();
    let ticked =
        if other { sheet.other_ticked } else { sheet.ticked.get(at).copied().unwrap_or(false) };
    let tick = match (sheet.multi, ticked) {
        (true, true) => "[✓] ",
        (true, false) => "[ ] ",
        (false, _) => "",
    };
    let mark = if chosen { "▶ " } else { "  " };
    let label = match question.options.get(at) {
        Some(option) => row::shown_line(option.label.trim()),
        None => other_label(question),
    };
    let room = columns.saturating_sub(1);
    let mut text = format!("{mark}{tick}{}. {label}", at + 1);
    let mut caret = None;
    if other && (chosen || !sheet.other.is_blank()) {
        text = truncate(&text, room.saturating_sub(8).max(1));
        text.push_str(": ");
        let lead = width(&text);
        let (typed, column) = sheet.other.view(room.saturating_sub(lead));
        text.push_str(&typed);
        caret = chosen.then(|| (1 + lead + column).min(columns.saturating_sub(1)));
    } else if !sheet.multi && sheet.answered && ticked {
        text.push_str(" ✓");
    }
    let tone = if chosen { Tone::Selected } else { Tone::Text };
    (row::row([Span::styled(truncate(&text, room), theme.style(tone))]), caret)
}

fn review(dialog: &QuestionDialog, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(1);
    let mut rows = Vec::new();
    let mut open = 0;
    for (question, sheet) in dialog.request.questions.iter().zip(&dialog.sheets) {
        let asked = truncate(&row::shown_line(question.question.trim()), room.saturating_sub(2));
        rows.push(row::row([Span::raw("  "), Span::raw(asked)]));
        let (text, tone) = if sheet.has_answer() {
            (format!("→ {}", row::shown_line(&sheet.answer(question))), Tone::Success)
        } else {
            open += 1;
            ("→ not answered".to_owned(), Tone::Warning)
        };
        let text = truncate(&text, room.saturating_sub(4));
        rows.push(row::row([Span::raw("    "), Span::styled(text, theme.style(tone))]));
    }
    let (warning, hint) = match open {
        0 => (None, "↵ send · ←/→ go back · esc skip all"),
        1 => (Some("! 1 question is still open"), "↵ send anyway · ←/→ go back · esc skip all"),
        _ => (Some("! Questions are still open"), "↵ send anyway · ←/→ go back · esc skip all"),
    };
    if let Some(warning) = warning {
        rows.push(row::row([Span::styled(truncate(warning, room), theme.style(Tone::Warning))]));
    }
    rows.push(row::row([Span::styled(truncate(hint, room), theme.style(Tone::Dim))]));
    rows
}

fn hint(dialog: &QuestionDialog, sheet: &Sheet, columns: usize, theme: &Theme) -> Line<'static> {
    let room = columns.saturating_sub(1);
    let (long, short) = match (sheet.on_other(), sheet.multi, dialog.sheets.len() > 1) {
        (true, ..) => {
            ("type your answer · ↵ confirm · ↑/↓ other choice · esc skip", "↵ confirm · esc skip")
        }
        (false, true, true) => (
            "space toggles · ↵ confirm · ←/→ switch question · esc skip all",
            "space · ↵ · ←/→ · esc skip",
        ),
        (false, true, false) => ("space toggles · ↵ confirm · esc skip", "space · ↵ · esc skip"),
        (false, false, true) => (
            "↑/↓ select · 1-9 choose · ↵ confirm · ←/→ switch question · esc skip all",
            "↑/↓ · ↵ · ←/→ · esc skip",
        ),
        (false, false, false) => {
            ("↑/↓ select · 1-9 choose · ↵ confirm · esc skip", "↑/↓ · ↵ · esc skip")
        }
    };
    let text = if width(long) <= room { long } else { short };
    row::row([Span::styled(truncate(text, room), theme.style(Tone::Dim))])
}
