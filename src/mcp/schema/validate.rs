//! Arguments held against a tool's JSON schema, with errors that say where and what was expected.
//!
//! Known are the keywords that tools use, of drafts 4 to 2020-12; `format` and annotations say
//! nothing. Where a rule cannot be told (a remote reference, a pattern of another dialect, a schema
//! that never ends), the arguments pass: the server has the last word. Nothing is coerced: a "3" for
//! a 3 is reported, because only the server knows whether it minds. `oneOf` is read as `anyOf`:
//! schemas in the wild list forms that overlap, and a call that every form allows must not fail here.

mod limits;
mod object;
mod path;

use std::fmt;

use serde_json::Value;

use super::pattern::Patterns;
use super::referenced;
use crate::mcp::tidy::one_line;
use path::Path;

/// Schemas visited in one check. A schema that needs more is built to be endless.
const MAX_STEPS: usize = 200_000;
/// Schemas within each other.
const MAX_DEPTH: usize = 96;
/// Violations that are reported.
const MAX_VIOLATIONS: usize = 8;
/// Characters of a value in an error.
const MAX_SHOWN: usize = 40;
/// Values of an enumeration in an error.
const MAX_CHOICES: usize = 20;

/// One thing that is wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where: `labels[1].name`; empty for the arguments as a whole.
    pub path: String,
    /// What is wrong there: "must be a string, not 3".
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "the arguments {}", self.problem)
        } else {
            write!(f, "`{}` {}", self.path, self.problem)
        }
    }
}

/// What is wrong with the arguments; empty when they fit. At most eight violations, in the order of
/// the schema.
pub fn violations(schema: &Value, arguments: &Value) -> Vec<Violation> {
    let mut check = Check { root: schema, steps: 0, gave_up: false, patterns: Patterns::default() };
    let mut found = Vec::new();
    if arguments.is_object() {
        check.value(schema, arguments, &Path::Root, &mut found);
    } else {
        note(&mut found, &Path::Root, format!("must be an object, not {}", shown(arguments)));
    }
    if check.gave_up { Vec::new() } else { found }
}

struct Check<'a> {
    root: &'a Value,
    steps: usize,
    /// The schema is too large or too deep to be told; what was found may be wrong.
    gave_up: bool,
    patterns: Patterns,
}

impl<'a> Check<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, path: &Path, found: &mut Vec<Violation>) {
        self.at_depth(schema, value, path, 0, found);
    }

    fn at_depth(
        &mut self,
        schema: &'a Value,
        value: &Value,
        path: &Path,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        self.steps += 1;
        self.gave_up |= self.steps > MAX_STEPS || depth > MAX_DEPTH;
        if self.gave_up || found.len() >= MAX_VIOLATIONS {
            return;
        }
        if *schema == Value::Bool(false) {
            return note(found, path, "is not allowed".to_owned());
        }
        if !schema.is_object() {
            return;
        }
        if let Some(target) = referenced(self.root, schema) {
            self.at_depth(target, value, path, depth + 1, found);
        }
        // What has the wrong type breaks every other rule too; one error is enough.
        if !type_fits(schema, value) {
            let absent = if value.is_null() { "; leave it out instead" } else { "" };
            let problem = format!("must be {}, not {}{absent}", types(schema), shown(value));
            return note(found, path, problem);
        }
        choice(schema, value, path, found);
        match value {
            Value::Number(number) => limits::number(schema, number, path, found),
            Value::String(text) => limits::text(schema, text, &mut self.patterns, path, found),
            Value::Array(items) => self.items(schema, items, path, depth, found),
            Value::Object(fields) => self.fields(schema, fields, path, depth, found),
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(schema, value, path, depth, found);
    }

    fn items(
        &mut self,
        schema: &'a Value,
        items: &[Value],
        path: &Path,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        limits::list(schema, items, path, found);
        let tuple = schema.get("prefixItems").or_else(|| schema.get("items"));
        let first: &[Value] = tuple.and_then(Value::as_array).map_or(&[], Vec::as_slice);
        let rest = match schema.get("items") {
            Some(Value::Array(_)) => schema.get("additionalItems"),
            one => one,
        };
        for (index, item) in items.iter().enumerate() {
            if self.gave_up || found.len() >= MAX_VIOLATIONS {
                return;
            }
            if let Some(schema) = first.get(index).or(rest) {
                self.at_depth(schema, item, &Path::Index(path, index), depth + 1, found);
            }
        }
        if let Some(wanted) = schema.get("contains")
            && !items.iter().any(|item| self.fits(wanted, item, depth))
        {
            note(found, path, "has no item of the required form".to_owned());
        }
    }

    /// The keywords that combine schemas.
    fn combined(
        &mut self,
        schema: &'a Value,
        value: &Value,
        path: &Path,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.at_depth(part, value, path, depth + 1, found);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(forms) = schema.get(key).and_then(Value::as_array) {
                self.any(forms, value, path, depth, found);
            }
        }
        if let Some(unwanted) = schema.get("not")
            && self.fits(unwanted, value, depth)
        {
            note(found, path, "has a form that is not allowed".to_owned());
        }
        if let Some(condition) = schema.get("if") {
            let branch = if self.fits(condition, value, depth) { "then" } else { "else" };
            if let Some(branch) = schema.get(branch) {
                self.at_depth(branch, value, path, depth + 1, found);
            }
        }
    }

    /// One of several forms. When none fits, the errors are those of the form that comes closest.
    fn any(
        &mut self,
        forms: &'a [Value],
        value: &Value,
        path: &Path,
        depth: usize,
        found: &mut Vec<Violation>,
    ) {
        let here = path.to_string();
        let mut closest: Option<Vec<Violation>> = None;
        for form in forms {
            let mut faults = Vec::new();
            self.at_depth(form, value, path, depth + 1, &mut faults);
            if self.gave_up || faults.is_empty() {
                return;
            }
            // A fault of the value itself is that of another form; one deeper inside is a slip.
            let own = |faults: &[Violation]| {
                (faults.iter().filter(|fault| fault.path == here).count(), faults.len())
            };
            if closest.as_ref().is_none_or(|closest| own(&faults) < own(closest)) {
                closest = Some(faults);
            }
        }
        let Some(closest) = closest else { return };
        if closest.iter().all(|fault| fault.path != here) || forms.len() == 1 {
            return found.extend(closest);
        }
        let mut kinds: Vec<String> = Vec::new();
        for form in forms.iter().take(MAX_CHOICES) {
            let form = referenced(self.root, form).unwrap_or(form);
            let kind = if form.get("type").is_some() { types(form) } else { String::new() };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        // All forms are of one type, or some have none: their own errors say more.
        if kinds.len() < 2 || kinds.iter().any(String::is_empty) || type_fits_any(forms, value) {
            return found.extend(closest);
        }
        let problem = format!("must be {}, not {}", kinds.join(" or "), shown(value));
        note(found, path, problem);
    }

    fn fits(&mut self, schema: &'a Value, value: &Value, depth: usize) -> bool {
        let mut found = Vec::new();
        self.at_depth(schema, value, &Path::Root, depth + 1, &mut found);
        found.is_empty()
    }
}

fn note(found: &mut Vec<Violation>, path: &Path, problem: String) {
    if found.len() < MAX_VIOLATIONS {
        found.push(Violation { path: path.to_string(), problem });
    }
}

/// `enum` and `const`.
fn choice(schema: &Value, value: &Value, path: &Path, found: &mut Vec<Violation>) {
    let one = schema.get("const").map(std::slice::from_ref);
    let allowed = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).or(one);
    let Some(allowed) = allowed.filter(|allowed| !allowed.iter().any(|one| same(one, value)))
    else {
        return;
    };
    // OpenAPI's way to allow null does not name it in the enumeration.
    if value.is_null() && is_nullable(schema) {
        return;
    }
    let mut named: Vec<String> = allowed.iter().take(MAX_CHOICES).map(shown).collect();
    if allowed.len() > MAX_CHOICES {
        named.push("…".to_owned());
    }
    let one_of = if allowed.len() == 1 { "" } else { "one of " };
    note(found, path, format!("must be {one_of}{}, not {}", named.join(", "), shown(value)));
}

/// Equality of JSON: 1 is 1.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => one == other,
    }
}

fn type_fits_any(forms: &[Value], value: &Value) -> bool {
    forms.iter().any(|form| form.get("type").is_some() && type_fits(form, value))
}

/// Whether the value has the schema's type, or one of its types. Types nobody knows admit all.
fn type_fits(schema: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => {
            value.as_f64().is_some_and(|number| number.fract() == 0.0)
                || value.is_i64()
                || value.is_u64()
        }
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    match schema.get("type") {
        Some(Value::String(kind)) => is(kind) || value.is_null() && is_nullable(schema),
        Some(Value::Array(kinds)) => {
            kinds.is_empty() || kinds.iter().any(|kind| kind.as_str().is_none_or(is))
        }
        _ => true,
    }
}

fn is_nullable(schema: &Value) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
}

/// The schema's types in words: "a string or null".
fn types(schema: &Value) -> String {
    let named = |kind: &str| match kind {
        "string" => "a string",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        _ => "null",
    };
    match schema.get("type") {
        Some(Value::String(kind)) => named(kind).to_owned(),
        Some(Value::Array(kinds)) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).map(named).collect();
            kinds.join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

/// A value in an error: as it was written, cut; of a list or an object only the kind.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => Value::String(one_line(text, MAX_SHOWN)).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
