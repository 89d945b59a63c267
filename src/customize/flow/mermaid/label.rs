//! The label of a node, in the brackets that give it its shape.

use super::cursor::Cursor;
use crate::customize::flow::FlowError;

/// Brackets, the longest first.
const SHAPES: &[(&str, &[&str])] = &[
    ("(((", &[")))"]),
    ("((", &["))"]),
    ("([", &["])"]),
    ("(", &[")"]),
    ("[[", &["]]"]),
    ("[(", &[")]"]),
    ("[/", &["/]", "\\]"]),
    ("[\\", &["\\]", "/]"]),
    ("[", &["]"]),
    ("{{", &["}}"]),
    ("{", &["}"]),
    (">", &["]"]),
];

/// Reads the label, if there is one here. `""` is none.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<String>, FlowError> {
    if cursor.rest().starts_with("@{") {
        return attributes(cursor);
    }
    let start = cursor.clone();
    cursor.blanks();
    let Some((open, closers)) = SHAPES.iter().find(|(open, _)| cursor.take(open)) else {
        *cursor = start;
        return Ok(None);
    };
    let text = match quoted(cursor)? {
        Some(text) => {
            skip_space(cursor);
            if !closers.iter().any(|close| cursor.take(close)) {
                return Err(cursor.expected(closers[0]));
            }
            text
        }
        None => plain(cursor, &start, open, closers)?,
    };
    let text = text.trim();
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// A label without quotes, up to its closing brackets. Brackets of the same kind may stand in it in
/// pairs.
fn plain(
    cursor: &mut Cursor<'_>,
    start: &Cursor<'_>,
    open: &str,
    closers: &[&str],
) -> Result<String, FlowError> {
    let inner = match open {
        "(" => Some(('(', ')')),
        "[" => Some(('[', ']')),
        "{" => Some(('{', '}')),
        _ => None,
    };
    let mut depth = 0_usize;
    let mut text = String::new();
    loop {
        if depth == 0 && closers.iter().any(|close| cursor.take(close)) {
            return Ok(readable(&text));
        }
        match cursor.peek() {
            None | Some('\n') => {
                return Err(FlowError::new(
                    start.line(),
                    format!("the label that begins with {open} is not closed"),
                ));
            }
            Some(c) => {
                match inner {
                    Some((left, _)) if c == left => depth += 1,
                    Some((_, right)) if c == right => depth -= 1,
                    _ => {}
                }
                text.push(c);
                cursor.next();
            }
        }
    }
}

/// A text in double quotes, which may go over several lines; a backslash takes what follows as it is.
pub(super) fn quoted(cursor: &mut Cursor<'_>) -> Result<Option<String>, FlowError> {
    let mut ahead = cursor.clone();
    skip_space(&mut ahead);
    if !ahead.take("\"") {
        return Ok(None);
    }
    let line = ahead.line();
    let mut text = String::new();
    loop {
        match ahead.next() {
            None => return Err(FlowError::new(line, "a quote is not closed")),
            Some('"') => break,
            Some('\\') => match ahead.next() {
                Some('n') => text.push('\n'),
                Some(c @ ('"' | '\\')) => text.push(c),
                Some(c) => text.extend(['\\', c]),
                None => {}
            },
            Some(c) => text.push(c),
        }
    }
    *cursor = ahead;
    // Markdown inside of quotes has backticks around it.
    let trimmed = text.trim();
    let markdown = trimmed.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
    Ok(Some(readable(markdown.unwrap_or(&text))))
}

fn skip_space(cursor: &mut Cursor<'_>) {
    while cursor.next_if(char::is_whitespace) {}
}

/// `@{ shape: diamond, label: "Good?" }`: the way of writing all newer shapes.
fn attributes(cursor: &mut Cursor<'_>) -> Result<Option<String>, FlowError> {
    let line = cursor.line();
    cursor.take("@{");
    let mut label = None;
    loop {
        while cursor.next_if(|c| c == ',' || c.is_whitespace()) {}
        if cursor.take("}") {
            return Ok(label);
        }
        let key = cursor.id();
        skip_space(cursor);
        if key.is_empty() || !cursor.take(":") {
            let message = "the attributes that begin with @{ cannot be read";
            return Err(FlowError::new(line, message));
        }
        let value = match quoted(cursor)? {
            Some(value) => value,
            None => {
                let rest = cursor.rest();
                let end = rest.find([',', '}', '\n']).unwrap_or(rest.len());
                cursor.advance(end).trim().to_owned()
            }
        };
        if key == "label" {
            label = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
}

/// Line breaks and characters that are written as codes.
pub(super) fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '#', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match code(rest) {
            Some((c, length)) => {
                out.push(c);
                rest = &rest[length..];
            }
            None => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character at the beginning of `text` that is written as a code, and the code's length.
fn code(text: &str) -> Option<(char, usize)> {
    for tag in ["<br>", "<br/>", "<br />"] {
        if text.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag)) {
            return Some(('\n', tag.len()));
        }
    }
    let end = text.bytes().take(12).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let c = match (text.as_bytes().first()?, name.trim_start_matches('#')) {
        (b'#' | b'&', "quot") => '"',
        (b'#' | b'&', "amp") => '&',
        (b'#' | b'&', "lt") => '<',
        (b'#' | b'&', "gt") => '>',
        (b'#' | b'&', "nbsp") => ' ',
        (b'#', digits) => char::from_u32(digits.parse().ok()?)?,
        (b'&', digits) if name.starts_with('#') => char::from_u32(digits.parse().ok()?)?,
        _ => return None,
    };
    Some((c, end + 1))
}
