//! Arrows: `-->`, `---`, `-.->`, `==>`, `->`, `~~~`, of any length, with ends of all kinds and a label in
//! bars or within.

use super::cursor::Cursor;
use super::label;
use crate::customize::flow::FlowError;

/// Whether there is an arrow anywhere in a line.
pub(super) fn is_in(line: &str) -> bool {
    ["--", "->", "-.", "==", "~~~"].iter().any(|arrow| line.contains(arrow))
}

/// Reads an arrow and its label, which is empty when it has none. `None` for one that cannot be seen.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<String>, FlowError> {
    skip_id(cursor);
    // An end in the shape of a circle or a cross, at the beginning.
    let rest = cursor.rest();
    let stroke = |text: &str| ["--", "==", "-."].iter().any(|stroke| text.starts_with(stroke));
    if rest.strip_prefix(['o', 'x']).is_some_and(stroke) {
        cursor.next();
    }
    if cursor.rest().starts_with("<-") || cursor.rest().starts_with("<=") {
        let message = "an arrow back is not possible here: write it as one of its own";
        return Err(FlowError::new(cursor.line(), message));
    }
    let inner = if cursor.take("~~~") {
        while cursor.take("~") {}
        return Ok(None);
    } else if cursor.take("->") {
        String::new()
    } else if cursor.take("-.") {
        line(cursor, Stroke::Dotted)?
    } else if cursor.take("--") {
        line(cursor, Stroke::Solid)?
    } else if cursor.take("==") {
        line(cursor, Stroke::Thick)?
    } else {
        return Err(cursor.expected("an arrow"));
    };
    cursor.blanks();
    let label = if cursor.take("|") { bars(cursor)? } else { inner };
    Ok(Some(label.trim().to_owned()))
}

/// `name@` before an arrow names it.
fn skip_id(cursor: &mut Cursor<'_>) {
    let mut ahead = cursor.clone();
    if !ahead.id().is_empty() && ahead.take("@") {
        *cursor = ahead;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stroke {
    Solid,
    Dotted,
    Thick,
}

impl Stroke {
    /// Reads what may follow the two characters that it begins with, up to and with its head. `None`
    /// when a label follows.
    fn rest_of_line(self, cursor: &mut Cursor<'_>) -> Option<()> {
        let start = cursor.clone();
        let complete = match self {
            Self::Solid => cursor.take("-"),
            Self::Thick => cursor.take("="),
            Self::Dotted => {
                while cursor.take(".") {}
                cursor.take("-")
            }
        };
        let stroke = if self == Self::Thick { "=" } else { "-" };
        while cursor.take(stroke) {}
        if head(cursor) || complete {
            return Some(());
        }
        *cursor = start;
        None
    }

    /// Whether the line goes on here after a label, and reads it to its end.
    fn closes(self, cursor: &mut Cursor<'_>) -> bool {
        let mut ahead = cursor.clone();
        let begun = match self {
            Self::Solid => ahead.take("--"),
            Self::Thick => ahead.take("=="),
            Self::Dotted => ahead.take(".-") || ahead.take("-."),
        };
        if !begun {
            return false;
        }
        while ahead.next_if(|c| matches!(c, '-' | '=' | '.')) {}
        head(&mut ahead);
        *cursor = ahead;
        true
    }
}

/// Reads an arrow's head. A letter is one only when no word begins with it.
fn head(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    match ahead.next() {
        Some('>') => {}
        Some('o' | 'x') if !ahead.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') => {}
        _ => return false,
    }
    *cursor = ahead;
    true
}

/// The rest of an arrow whose beginning is read, with the label within it.
fn line(cursor: &mut Cursor<'_>, stroke: Stroke) -> Result<String, FlowError> {
    if stroke.rest_of_line(cursor).is_some() {
        return Ok(String::new());
    }
    let begin = cursor.line();
    if let Some(text) = label::quoted(cursor)? {
        cursor.blanks();
        return if stroke.closes(cursor) {
            Ok(text)
        } else {
            Err(cursor.expected("an arrow's end"))
        };
    }
    let mut text = String::new();
    loop {
        if stroke.closes(cursor) {
            return Ok(label::readable(&text));
        }
        match cursor.next().filter(|c| *c != '\n') {
            Some(c) => text.push(c),
            None => return Err(FlowError::new(begin, "an arrow has no end")),
        }
    }
}

/// A label between bars, whose first one is read.
fn bars(cursor: &mut Cursor<'_>) -> Result<String, FlowError> {
    let begin = cursor.line();
    let text = match label::quoted(cursor)? {
        Some(text) => {
            cursor.blanks();
            text
        }
        None => {
            let rest = cursor.statement();
            let end = rest.find('|').unwrap_or(rest.len());
            label::readable(cursor.advance(end))
        }
    };
    if cursor.take("|") {
        Ok(text)
    } else {
        Err(FlowError::new(begin, "the label of an arrow is not closed with a bar"))
    }
}
