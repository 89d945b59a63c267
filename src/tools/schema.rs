//! JSON schemas of tool arguments: writing them, and holding a call's arguments against them.
//!
//! Only the subset that the built-in tools use is known: `type`, `anyOf`, `enum`, `properties`,
//! `required`, `items`, `default` and the size limits. Checking is as forgiving as kimi-cli's:
//! numeric strings and integral floats become integers, unknown keys are dropped, absent keys get
//! their default.

use serde_json::{Map, Number, Value, json};

/// The schema of an object with these properties, in this order.
pub fn object(properties: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A string.
pub fn string(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

/// An integer of at least `minimum`.
pub fn integer(description: &str, default: i64, minimum: i64) -> Value {
    json!({"type": "integer", "description": description, "default": default, "minimum": minimum})
}

/// A flag with a default.
pub fn boolean(description: &str, default: bool) -> Value {
    json!({"type": "boolean", "description": description, "default": default})
}

/// The same or null, with null as the default.
pub fn optional(mut schema: Value) -> Value {
    let description = schema.as_object_mut().and_then(|fields| fields.shift_remove("description"));
    let mut whole = json!({"anyOf": [schema, {"type": "null"}], "default": null});
    if let Some(description) = description {
        whole["description"] = description;
    }
    whole
}

/// Holds arguments against a schema: coerced, completed with defaults, unknown keys dropped. The
/// error names every argument that is wrong.
pub fn check(schema: &Value, value: Value) -> Result<Value, String> {
    let mut errors = Vec::new();
    let checked = visit(schema, value, "", true, &mut errors);
    if errors.is_empty() { Ok(checked) } else { Err(errors.join("; ")) }
}

fn visit(schema: &Value, value: Value, at: &str, coerce: bool, errors: &mut Vec<String>) -> Value {
    if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
        return visit_any(options, value, at, coerce, errors);
    }
    let value = match schema.get("type").and_then(Value::as_str) {
        Some("object") => return visit_object(schema, value, at, coerce, errors),
        Some("array") => return visit_array(schema, value, at, coerce, errors),
        Some("integer") => match as_integer(&value, coerce) {
            Some(number) => {
                limit(schema, "minimum", at, errors, |least| number < least, "at least");
                limit(schema, "maximum", at, errors, |most| number > most, "at most");
                Value::Number(Number::from(number))
            }
            None => return wrong(at, "an integer", value, errors),
        },
        Some("boolean") => match as_boolean(&value, coerce) {
            Some(flag) => Value::Bool(flag),
            None => return wrong(at, "true or false", value, errors),
        },
        Some("string") if !value.is_string() => return wrong(at, "a string", value, errors),
        Some("null") if !value.is_null() => return wrong(at, "null", value, errors),
        _ => value,
    };
    if let Some(text) = value.as_str() {
        let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
        if (text.chars().take(least as usize).count() as u64) < least {
            errors.push(format!("{} must not be empty", name(at)));
        }
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(&value)
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        errors.push(format!("{} must be one of {}", name(at), allowed.join(", ")));
    }
    value
}

fn visit_any(
    options: &[Value],
    value: Value,
    at: &str,
    coerce: bool,
    errors: &mut Vec<String>,
) -> Value {
    // As it stands first, so that a string that looks like a number stays one where it may.
    for coerce in [false, coerce] {
        for option in options {
            let mut found = Vec::new();
            let checked = visit(option, value.clone(), at, coerce, &mut found);
            if found.is_empty() {
                return checked;
            }
        }
    }
    let alike = options.iter().find(|option| match option.get("type").and_then(Value::as_str) {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        _ => false,
    });
    let only = || {
        let mut rest = options.iter().filter(|option| option["type"] != "null");
        rest.next().filter(|_| rest.next().is_none())
    };
    match alike.or_else(only) {
        Some(option) => visit(option, value, at, coerce, errors),
        None => {
            let kinds: Vec<&str> =
                options.iter().filter_map(|option| option["type"].as_str()).collect();
            wrong(at, &format!("one of: {}", kinds.join(", ")), value, errors)
        }
    }
}

fn visit_object(
    schema: &Value,
    value: Value,
    at: &str,
    coerce: bool,
    errors: &mut Vec<String>,
) -> Value {
    let mut given = match decoded(value, coerce) {
        Value::Object(given) => given,
        other => return wrong(at, "an object", other, errors),
    };
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Value::Object(given);
    };
    let required = schema.get("required").and_then(Value::as_array);
    let mut checked = Map::new();
    for (key, property) in properties {
        let inner = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match given.shift_remove(key) {
            Some(value) => {
                checked.insert(key.clone(), visit(property, value, &inner, coerce, errors));
            }
            None if required.is_some_and(|names| names.iter().any(|name| name == key)) => {
                errors.push(format!("{} is required", name(&inner)));
            }
            None => {
                if let Some(default) = property.get("default") {
                    checked.insert(key.clone(), default.clone());
                }
            }
        }
    }
    Value::Object(checked)
}

fn visit_array(
    schema: &Value,
    value: Value,
    at: &str,
    coerce: bool,
    errors: &mut Vec<String>,
) -> Value {
    let items = match decoded(value, coerce) {
        Value::Array(items) => items,
        other => return wrong(at, "a list", other, errors),
    };
    let count = items.len() as i64;
    limit(schema, "minItems", at, errors, |least| count < least, "a list with at least");
    limit(schema, "maxItems", at, errors, |most| count > most, "a list with at most");
    let Some(item) = schema.get("items") else { return Value::Array(items) };
    let checked = items
        .into_iter()
        .enumerate()
        .map(|(index, value)| visit(item, value, &format!("{at}[{index}]"), coerce, errors));
    Value::Array(checked.collect())
}

/// Models sometimes send a list or object as its JSON text.
fn decoded(value: Value, coerce: bool) -> Value {
    match value {
        Value::String(text) if coerce => match serde_json::from_str(&text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => inner,
            _ => Value::String(text),
        },
        other => other,
    }
}

fn as_integer(value: &Value, coerce: bool) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(integral)),
        Value::String(text) if coerce => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(integral))
        }
        _ => None,
    }
}

fn integral(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn as_boolean(value: &Value, coerce: bool) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) if coerce => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) if coerce => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn limit(
    schema: &Value,
    key: &str,
    at: &str,
    errors: &mut Vec<String>,
    broken: impl Fn(i64) -> bool,
    words: &str,
) {
    if let Some(bound) = schema.get(key).and_then(Value::as_i64)
        && broken(bound)
    {
        errors.push(format!("{} must be {words} {bound}", name(at)));
    }
}

fn wrong(at: &str, expected: &str, value: Value, errors: &mut Vec<String>) -> Value {
    let kind = match &value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    errors.push(format!("{} must be {expected}, not {kind}", name(at)));
    value
}

fn name(at: &str) -> String {
    if at.is_empty() { "the arguments".to_owned() } else { format!("`{at}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        object(
            &[
                ("path", string("A path.")),
                ("count", json!({"type": "integer", "default": 3, "minimum": 1, "maximum": 9})),
                ("glob", optional(string("A glob."))),
                ("flag", boolean("A flag.", false)),
                ("mode", json!({"type": "string", "enum": ["a", "b"], "default": "a"})),
            ],
            &["path"],
        )
    }

    #[test]
    fn optional_is_any_of_with_null() {
        assert_eq!(
            optional(string("A glob.")).to_string(),
            r#"{"anyOf":[{"type":"string"},{"type":"null"}],"default":null,"description":"A glob."}"#
        );
        assert!(object(&[], &[]).get("required").is_none());
    }

    #[test]
    fn defaults_are_filled_in_and_strangers_dropped() {
        assert_eq!(
            check(&sample(), json!({"path": "x", "stranger": 1})).unwrap(),
            json!({"path": "x", "count": 3, "glob": null, "flag": false, "mode": "a"})
        );
    }

    #[test]
    fn numbers_and_flags_are_coerced() {
        let checked =
            check(&sample(), json!({"path": "x", "count": "5", "flag": "True", "glob": "7"}))
                .unwrap();
        assert_eq!(checked["count"], 5);
        assert_eq!(checked["flag"], true);
        assert_eq!(checked["glob"], "7");
        assert_eq!(check(&sample(), json!({"path": "x", "count": 5.0})).unwrap()["count"], 5);
    }

    #[test]
    fn every_fault_is_named() {
        let error = check(&sample(), json!({"count": 5.5, "mode": "c"})).unwrap_err();
        assert_eq!(
            error,
            "`path` is required; `count` must be an integer, not a number; `mode` must be one of \"a\", \"b\""
        );
        assert_eq!(
            check(&sample(), json!({"path": 3, "count": 10})).unwrap_err(),
            "`path` must be a string, not a number; `count` must be at most 9"
        );
        assert_eq!(
            check(&sample(), json!([])).unwrap_err(),
            "the arguments must be an object, not a list"
        );
    }

    #[test]
    fn a_list_may_come_as_its_text() {
        let schema = object(
            &[("items", json!({"type": "array", "items": {"type": "integer"}, "minItems": 1}))],
            &["items"],
        );
        assert_eq!(check(&schema, json!({"items": "[1, \"2\"]"})).unwrap()["items"], json!([1, 2]));
        assert_eq!(
            check(&schema, json!({"items": []})).unwrap_err(),
            "`items` must be a list with at least 1"
        );
        assert_eq!(
            check(&schema, json!({"items": [1, "x"]})).unwrap_err(),
            "`items[1]` must be an integer, not a string"
        );
    }
}
