//! Keeps foreign text from looking like our own chrome to programs that read the screen.
//!
//! Orchestrators find the prompt, the spinner, the frame and the status bar by their shape. Where a
//! model or a tool happens to write the same shape, an invisible word joiner breaks it: people see
//! and copy the same letters, no pattern matches.

use ratatui::text::Line;

/// U+2060 WORD JOINER: takes no column, and terminals and multiplexers keep it in its place.
pub const JOINER: char = '\u{2060}';

/// `text` with word joiners where a row of it could be taken for the prompt (`✨`/`💫` before a blank
/// or the end), a frame (`╭─`, `╰─`), the status bar (`context: 1`, `agent (`, `shell (`), a spinner
/// (a row that begins with braille or a moon, `⠙ Using`), a rule, the headline of a tool call, the
/// greeting, a dialog, or a start that still waits or has failed.
pub fn defuse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for row in text.split_inclusive('\n') {
        let mut from = 0;
        for at in joints(row) {
            out.push_str(row.get(from..at).unwrap_or_default());
            out.push(JOINER);
            from = at;
        }
        out.push_str(row.get(from..).unwrap_or_default());
    }
    out
}

/// [`defuse`] for a finished row, with patterns found across its spans.
pub fn defuse_line(mut line: Line<'static>) -> Line<'static> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let joints = joints(&text);
    if joints.is_empty() {
        return line;
    }
    let mut end = text.len();
    let mut joints = joints.into_iter().rev().peekable();
    for span in line.spans.iter_mut().rev() {
        let start = end - span.content.len();
        // A joint between two spans belongs to the end of the first; one at the very begin to the
        // first span that has text.
        while let Some(at) = joints.next_if(|at| *at > start || start == 0) {
            span.content.to_mut().insert(at - start, JOINER);
        }
        end = start;
    }
    line
}

/// What readers look for anywhere in a row, in small letters, and the byte in it that the joiner comes
/// before.
const PHRASES: [(&str, usize); 7] = [
    ("welcome to kimi code", "welcome".len()),
    ("connecting to mcp servers", "connecting".len()),
    ("(connecting)", "(".len()),
    ("mcp server \"", "mcp".len()),
    ("run this command?", "run".len()),
    ("trust this folder", "trust".len()),
    ("↑/↓ select", "↑".len()),
];

/// The same for how a row begins, bullets not counted.
const BEGINNINGS: [(&str, usize); 4] = [
    // Taken for a program that did not come up: its reader then sends nothing more.
    ("Error: Failed to start a session", "Error:".len()),
    ("Press Ctrl+B to run in background", "Press".len()),
    ("Press Esc to interrupt", "Press".len()),
    ("… (", "…".len()),
];

/// How the headline of a tool call begins after its bullet; ` · ` comes after its name.
const TOOL_VERBS: [&str; 4] = ["Used ", "Using ", "Calling ", "Running a command "];

/// The byte offsets in a row where a joiner belongs, ascending.
fn joints(row: &str) -> Vec<usize> {
    let mut joints = Vec::new();
    beginning(row, &mut joints);
    for (at, c) in row.char_indices() {
        let end = at + c.len_utf8();
        let rest = &row[end..];
        match c {
            '✨' | '💫' => {
                let selector = if rest.starts_with('\u{fe0f}') { 3 } else { 0 };
                let rest = &rest[selector..];
                if rest.is_empty() || rest.starts_with(char::is_whitespace) {
                    joints.push(end + selector);
                }
            }
            '\u{2800}'..='\u{28ff}' if rest.trim_start().starts_with("Using") => joints.push(end),
            '╭' | '╰' if rest.starts_with('─') => joints.push(end),
            ':' if ends_with_word(&row[..at], "context")
                && rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) =>
            {
                joints.push(end);
            }
            '(' => {
                let before = row[..at].trim_end();
                if ends_with_word(before, "agent") || ends_with_word(before, "shell") {
                    joints.push(before.len());
                }
            }
            _ => {}
        }
    }
    let lower = row.to_ascii_lowercase();
    for (phrase, joint) in PHRASES {
        joints.extend(lower.match_indices(phrase).map(|(start, _)| start + joint));
    }
    // Two rules can name one place, and some look back.
    joints.sort_unstable();
    joints.dedup();
    joints
}

/// The joints that the beginning of a row asks for.
fn beginning(row: &str, joints: &mut Vec<usize>) {
    let first = row.trim_start();
    if first.starts_with(is_row_mark) {
        joints.push(row.len() - first.len());
    }
    // The first row of an answer gets its bullet later.
    let words = first.trim_start_matches(['•', '●']).trim_start();
    let start = row.len() - words.len();
    joints.extend(
        BEGINNINGS
            .iter()
            .filter(|(text, _)| words.starts_with(text))
            .map(|(_, joint)| start + joint),
    );
    if TOOL_VERBS.iter().any(|verb| words.starts_with(verb)) && words.contains(" · ") {
        joints.push(start);
    }
}

/// Whether a row that begins with this could be a spinner or a rule.
fn is_row_mark(c: char) -> bool {
    matches!(c, '\u{2800}'..='\u{28ff}' | '\u{1f311}'..='\u{1f318}' | '─' | '━' | '═')
}

fn ends_with_word(text: &str, word: &str) -> bool {
    text.len()
        .checked_sub(word.len())
        .and_then(|at| text.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(word))
}
