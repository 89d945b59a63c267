//! The last answer, cut out of a rendered capture.

use super::Version;
use super::capture::{Capture, Styled};
use super::words::{
    ends_in_full_prompt, ends_in_mark, is_box_edge, is_clock_footer, is_echo, is_footer,
    is_input_rule, is_mark, is_rule,
};

/// Rows of history that are captured, one attempt after the other, while the one before fails.
const ESCALATION: [usize; 5] = [200, 500, 1000, 5000, usize::MAX / 2];
/// Marks thinking, tool rows and what else is no answer.
const TRACE: u8 = 244;
/// Marks the echo of a message.
const ECHO: u8 = 222;
/// Ends a tool's rows.
const ANSWER: u8 = 253;

/// The lines of the last answer, each without blanks around it, without blank lines; none when the
/// reader finds no beginning or no end. `height` is that of the pane.
pub fn answer(version: Version, capture: &Capture, height: usize) -> Option<Vec<String>> {
    ESCALATION.iter().find_map(|&history| {
        let rows = capture.last(history, height);
        let lines = match version {
            Version::Seed | Version::V1 => rendered(version, rows),
            Version::V2 | Version::V3 => streamed(rows),
            Version::V4 => classified(rows),
        }?;
        let lines: Vec<String> = lines
            .iter()
            .map(|row| row.text.trim().to_owned())
            .filter(|row| !row.is_empty())
            .collect();
        (!lines.is_empty()).then_some(lines)
    })
}

/// A bullet in the colour of traces right behind the sequence that sets it.
fn is_trace(row: &Styled) -> bool {
    let set = "\x1b[38;5;244m";
    row.raw
        .match_indices(set)
        .any(|(at, _)| row.raw[at + set.len()..].trim_start().starts_with('•'))
}

fn is_edge(row: &Styled) -> bool {
    row.text.contains("╰─")
}

fn rendered(version: Version, rows: &[Styled]) -> Option<Vec<&Styled>> {
    let welcome = rows.iter().rposition(|row| row.text.contains("Welcome to Kimi Code CLI!"));
    let below = welcome.map_or(0, |at| at + 1);
    let edge = rows[below..].iter().rposition(is_edge).map(|at| below + at + 1);
    let echo = || rows.iter().rposition(|row| is_echo(&row.text)).map(|at| at + 1);
    let start = match version {
        // Later ones take the tail when nothing else is there.
        Version::V1 => edge.or_else(echo).unwrap_or(0),
        _ => edge?,
    };
    let ends = if version == Version::Seed { ends_in_full_prompt } else { ends_in_mark };
    let end = start + rows[start..].iter().position(|row| ends(&row.text))?;
    Some(rows[start..end].iter().filter(|row| !is_trace(row)).collect())
}

fn streamed(rows: &[Styled]) -> Option<Vec<&Styled>> {
    let edge = rows.iter().rposition(is_edge);
    let echo = rows.iter().rposition(|row| is_echo(&row.text));
    let start = edge.max(echo).map_or(0, |at| at + 1);
    let ends =
        |row: &Styled| ends_in_mark(&row.text) || is_input_rule(&row.text) || is_footer(&row.text);
    let end = start + rows[start..].iter().position(ends)?;
    let kept = rows[start..end].iter().filter(|row| !is_trace(row) && !is_clock_footer(&row.text));
    Some(kept.collect())
}

fn classified(rows: &[Styled]) -> Option<Vec<&Styled>> {
    let echo = rows.iter().rposition(|row| {
        let colored = row.mark.is_some_and(|mark| mark.color == Some(ECHO) || row.first == mark);
        is_echo(&row.text) && colored
    });
    // Where the echo is out of the capture, the tail has to do.
    let mut start = echo.map_or(0, |at| at + 1);
    let continues = |row: &Styled| row.first.color == Some(ECHO) && !is_box_edge(&row.text);
    while echo.is_some() && rows.get(start).is_some_and(continues) {
        start += 1;
    }
    let end = start + rows[start..].iter().position(ends_answer)?;
    let mut kept: Vec<&Styled> = Vec::new();
    let (mut thinking, mut in_tool) = (false, false);
    for row in &rows[start..end] {
        if is_tool_head(&row.text) {
            in_tool = true;
            kept.clear();
            continue;
        }
        if in_tool {
            in_tool = !(row.first.glyph == '•' && row.first.color == Some(ANSWER));
            if in_tool {
                continue;
            }
        }
        if row.text.trim().is_empty() || is_rule(&row.text) {
            continue;
        }
        if row.first.glyph == '•' {
            thinking = row.first.color == Some(TRACE);
        } else if thinking {
            thinking = row.first.italic || row.first.color == Some(TRACE);
        }
        if !thinking {
            kept.push(row);
        }
    }
    Some(kept)
}

fn ends_answer(row: &Styled) -> bool {
    let text = row.text.trim();
    let lone = text.chars().count() == 1 && text.starts_with(is_mark);
    let footer = is_footer(text) && row.first.color.is_some();
    let dialog = text.starts_with('▶') && row.first.color.is_some();
    is_box_edge(text) || is_input_rule(text) || lone || footer || dialog
}

/// `• Used Shell (…) · 3 lines`.
fn is_tool_head(text: &str) -> bool {
    let Some(rest) = text.trim_start().strip_prefix("• Used ") else { return false };
    let Some((call, count)) = rest.rsplit_once(" · ") else { return false };
    let digits = count.trim_start_matches(|c: char| c.is_ascii_digit());
    call.contains('(')
        && call.trim_end().ends_with(')')
        && digits.len() < count.len()
        && digits.trim().starts_with("line")
}
