//! The fields of an object held against its schema.

use serde_json::{Map, Value};

use super::path::Path;
use super::{Check, MAX_VIOLATIONS, Violation, limits, note, shown};
use crate::mcp::tidy::{one_line, prefix};

/// Names of known fields in an error.
const MAX_NAMED: usize = 12;
/// Characters of a field's name in an error, and bytes of one that are compared.
const MAX_NAME: usize = 64;
/// How alike a wrong name has to be to the one that was meant, of 1.
const ALIKE: f64 = 0.6;

impl<'a> Check<'a> {
    pub(super) fn fields(
        &mut self,
        schema: &'a Value,
        fields: &Map<String, Value>,
        path: &Path,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        let known = schema.get("properties").and_then(Value::as_object);
        let mut required = Vec::new();
        strings(schema.get("required"), |name| required.push(name));
        for (given, needed) in
            schema.get("dependentRequired").and_then(Value::as_object).into_iter().flatten()
        {
            if fields.contains_key(given) {
                strings(Some(needed), |name| required.push(name));
            }
        }
        for name in required {
            if !fields.contains_key(name) {
                note(found, &Path::Key(path, name), "is required".to_owned());
            }
        }
        limits::count(schema, ("minProperties", "maxProperties"), fields.len(), path, found);
        for (name, value) in fields {
            if self.gave_up || found.len() >= MAX_VIOLATIONS {
                return;
            }
            self.field(schema, known, (name, value), path, depth, found);
        }
    }

    fn field(
        &mut self,
        schema: &'a Value,
        known: Option<&'a Map<String, Value>>,
        (name, value): (&str, &Value),
        path: &Path,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        let inner = Path::Key(path, name);
        let mut covered = false;
        if let Some(property) = known.and_then(|known| known.get(name)) {
            covered = true;
            self.at_depth(property, value, &inner, depth + 1, found);
        }
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        for (pattern, property) in patterns.into_iter().flatten() {
            match self.patterns.is_match(pattern, name) {
                Some(true) => {
                    covered = true;
                    self.at_depth(property, value, &inner, depth + 1, found);
                }
                Some(false) => {}
                None => covered = true,
            }
        }
        if let Some(names) = schema.get("propertyNames")
            && !self.fits(names, &Value::String(name.to_owned()), depth)
        {
            note(found, path, format!("may not have a field called {}", quoted(name)));
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) if !covered => {
                note(found, &inner, unknown(name, known));
            }
            Some(more) if !covered => self.at_depth(more, value, &inner, depth + 1, found),
            _ => {}
        }
    }
}

fn strings<'a>(list: Option<&'a Value>, mut found: impl FnMut(&'a str)) {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).for_each(&mut found);
}

/// What to say of a field that the schema does not know.
fn unknown(name: &str, known: Option<&Map<String, Value>>) -> String {
    let known: Vec<&str> =
        known.into_iter().flatten().map(|(name, _)| name.as_str()).take(4 * MAX_NAMED).collect();
    let likeness = |other: &str| {
        let (one, other) = (prefix(name, MAX_NAME).to_lowercase(), prefix(other, MAX_NAME));
        strsim::normalized_damerau_levenshtein(&one, &other.to_lowercase())
    };
    let closest = known
        .iter()
        .map(|other| (likeness(other), *other))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    if let Some((_, closest)) = closest {
        return format!("is not known; did you mean {}?", quoted(closest));
    }
    if known.is_empty() {
        return "is not known; nothing is expected here".to_owned();
    }
    let mut named: Vec<String> = known.iter().take(MAX_NAMED).map(|name| quoted(name)).collect();
    if known.len() > MAX_NAMED {
        named.push("…".to_owned());
    }
    format!("is not known; known are {}", named.join(", "))
}

fn quoted(name: &str) -> String {
    shown(&Value::String(one_line(name, MAX_NAME)))
}
