//! Keeps foreign text from looking like our own chrome to programs that read the screen.
//!
//! Orchestrators find the prompt, the spinner, the frame and the status bar by their shape. Where a
//! model or a tool happens to write the same shape, an invisible word joiner breaks it: people see
//! and copy the same letters, no pattern matches.

use ratatui::text::Line;

/// U+2060 WORD JOINER: takes no column, and terminals and multiplexers keep it in its place.
const JOINER: char = '\u{2060}';

/// `text` with word joiners where a row of it could be taken for the prompt (`✨`/`💫` before a blank
/// or the end), a frame (`╭─`, `╰─`), the status bar (`context: 1`, `agent (`, `shell (`), a spinner
/// (a row that begins with braille or a moon), a rule, a tool's head (`• Used Shell (ls) · 2 lines`) or
/// the first row of a session.
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

/// The byte offsets in a row where a joiner belongs, ascending.
fn joints(row: &str) -> Vec<usize> {
    let mut joints = Vec::new();
    let first = row.len() - row.trim_start().len();
    if row[first..].starts_with(is_row_mark) {
        joints.push(first);
    }
    joints.extend(tool_head(row, first));
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
            '╭' | '╰' if rest.starts_with('─') => joints.push(end),
            ':' if ends_with_word(&row[..at], "context")
                && rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) =>
            {
                joints.push(end);
            }
            '!' if ends_with_word(&row[..at], "Welcome to Kimi Code CLI") => joints.push(at),
            '(' => {
                let before = row[..at].trim_end();
                if ends_with_word(before, "agent") || ends_with_word(before, "shell") {
                    joints.push(before.len());
                }
            }
            _ => {}
        }
    }
    // Two rules can name one place; `(` looks back, over blanks only, so the order holds but for it.
    joints.sort_unstable();
    joints.dedup();
    joints
}

/// Whether a row that begins with this could be a spinner or a rule.
fn is_row_mark(c: char) -> bool {
    matches!(c, '\u{2800}'..='\u{28ff}' | '\u{1f311}'..='\u{1f318}' | '─' | '━')
}

/// Where `Used` ends in a row that looks like a tool's head. Its bullet may be one that is drawn in
/// front of the row later.
fn tool_head(row: &str, first: usize) -> Option<usize> {
    let text = row.get(first..)?;
    let head = text.strip_prefix('•').unwrap_or(text).trim_start();
    let call = head.strip_prefix("Used")?;
    let shaped =
        call.starts_with(char::is_whitespace) && call.contains('(') && call.contains(" · ");
    shaped.then_some(row.len() - call.len())
}

fn ends_with_word(text: &str, word: &str) -> bool {
    text.len()
        .checked_sub(word.len())
        .and_then(|at| text.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(word))
}
