//! The limits that a schema sets to numbers, texts and lists.

use serde_json::{Number, Value};

use super::path::Path;
use super::{Violation, note, same, shown};
use crate::mcp::schema::pattern::Patterns;
use crate::mcp::tidy::one_line;

/// Lists longer than this are not searched for doubles.
const MAX_UNIQUE: usize = 256;
/// Characters of a pattern in an error.
const MAX_PATTERN: usize = 80;

pub fn number(schema: &Value, number: &Number, path: &Path, found: &mut Vec<Violation>) {
    let Some(value) = number.as_f64() else { return };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let mut check = |key: &str, strict: bool, least: bool| {
        let Some(limit) = bound(key) else { return };
        let fits = match (least, strict) {
            (true, false) => value >= limit,
            (true, true) => value > limit,
            (false, false) => value <= limit,
            (false, true) => value < limit,
        };
        if !fits {
            let words = match (least, strict) {
                (true, false) => "at least",
                (true, true) => "more than",
                (false, false) => "at most",
                (false, true) => "less than",
            };
            let limit = schema.get(key).map(shown).unwrap_or_default();
            note(found, path, format!("must be {words} {limit}, not {number}"));
        }
    };
    // Draft 4 has a flag beside the limit, later drafts a limit of its own.
    let flag = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    check("minimum", flag("exclusiveMinimum"), true);
    check("maximum", flag("exclusiveMaximum"), false);
    check("exclusiveMinimum", true, true);
    check("exclusiveMaximum", true, false);
    if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0) {
        let times = value / step;
        // Binary fractions: 0.3 is a multiple of 0.1.
        if times.is_finite() && (times - times.round()).abs() > 1e-9 * times.abs().max(1.0) {
            note(found, path, format!("must be a multiple of {step}, not {number}"));
        }
    }
}

pub fn text(
    schema: &Value,
    text: &str,
    patterns: &mut Patterns,
    path: &Path,
    found: &mut Vec<Violation>,
) {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
    let (least, most) = (bound("minLength"), bound("maxLength"));
    if least.is_some() || most.is_some() {
        let length = text.chars().count() as u64;
        match (least, most) {
            (Some(1), _) if length == 0 => note(found, path, "must not be empty".to_owned()),
            (Some(least), _) if length < least => {
                note(found, path, format!("must have at least {least} characters, not {length}"));
            }
            (_, Some(most)) if length > most => {
                note(found, path, format!("must have at most {most} characters, not {length}"));
            }
            _ => {}
        }
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && patterns.is_match(pattern, text) == Some(false)
    {
        let pattern = one_line(pattern, MAX_PATTERN);
        let text = shown(&Value::String(one_line(text, MAX_PATTERN)));
        note(found, path, format!("must match the pattern {pattern}, unlike {text}"));
    }
}

pub fn list(schema: &Value, items: &[Value], path: &Path, found: &mut Vec<Violation>) {
    count(schema, ("minItems", "maxItems"), items.len(), path, found);
    if schema.get("uniqueItems") == Some(&Value::Bool(true)) && items.len() <= MAX_UNIQUE {
        let double = items
            .iter()
            .enumerate()
            .find(|(at, item)| items.iter().take(*at).any(|earlier| same(earlier, item)));
        if let Some((index, item)) = double {
            note(found, &Path::Index(path, index), format!("repeats {}", shown(item)));
        }
    }
}

/// The least and the greatest number of entries.
pub fn count(
    schema: &Value,
    (least, most): (&str, &str),
    count: usize,
    path: &Path,
    found: &mut Vec<Violation>,
) {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
    let entries = |number: u64| if number == 1 { "entry" } else { "entries" };
    let count = count as u64;
    if let Some(least) = bound(least).filter(|least| count < *least) {
        note(found, path, format!("must have at least {least} {}, not {count}", entries(least)));
    }
    if let Some(most) = bound(most).filter(|most| count > *most) {
        note(found, path, format!("must have at most {most} {}, not {count}", entries(most)));
    }
}
