//! What is wrong with the JSON schema of a tool that somebody brings. A model server refuses the whole
//! request for one bad schema, so that it must not get that far.

use serde_json::Value;

/// Schemas within each other.
const MAX_DEPTH: usize = 64;
/// What `type` may say.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
/// Keywords whose value is a schema.
const SCHEMAS: [&str; 9] = [
    "additionalProperties",
    "contains",
    "else",
    "if",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is schemas by name.
const NAMED: [&str; 5] =
    ["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];
/// Keywords whose value is a whole number from 0 on.
const COUNTS: [&str; 8] = [
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
];

/// Whether `schema` can be the schema of a tool's arguments. The error is one line that says where it
/// is wrong.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    if !schema.is_object() {
        return Err("parameters is not a JSON schema: it must be an object".to_owned());
    }
    visit(schema, "parameters", 0)
}

fn visit(schema: &Value, at: &str, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "parameters is not a usable schema: more than {MAX_DEPTH} levels deep"
        ));
    }
    let fields = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(fields) => fields,
        _ => return wrong(at, "must be an object or a boolean"),
    };
    for (key, value) in fields {
        let at = || format!("{at}.{}", key.chars().take(60).collect::<String>());
        match key.as_str() {
            "type" => kind(value, &at())?,
            "required" => {
                let names = value.as_array().map(|names| names.iter().all(Value::is_string));
                if names != Some(true) {
                    return wrong(&at(), "must be a list of names");
                }
            }
            "enum" if !value.is_array() => return wrong(&at(), "must be a list"),
            "pattern" | "$ref" | "description" | "title" if !value.is_string() => {
                return wrong(&at(), "must be a string");
            }
            "items" => match value.as_array() {
                Some(list) => each(list, &at(), depth)?,
                None => visit(value, &at(), depth + 1)?,
            },
            key if SCHEMAS.contains(&key) => visit(value, &at(), depth + 1)?,
            key if COUNTS.contains(&key) && !value.as_f64().is_some_and(is_count) => {
                return wrong(&at(), "must be a whole number from 0 on");
            }
            key if LISTS.contains(&key) => match value.as_array() {
                Some(list) if !list.is_empty() => each(list, &at(), depth)?,
                _ => return wrong(&at(), "must be a list of schemas"),
            },
            key if NAMED.contains(&key) => match value.as_object() {
                Some(named) => {
                    let at = at();
                    for (name, schema) in named {
                        let name: String = name.chars().take(60).collect();
                        visit(schema, &format!("{at}.{name}"), depth + 1)?;
                    }
                }
                None => return wrong(&at(), "must be an object of schemas"),
            },
            _ => {}
        }
    }
    Ok(())
}

fn each(list: &[Value], at: &str, depth: usize) -> Result<(), String> {
    list.iter()
        .enumerate()
        .try_for_each(|(n, schema)| visit(schema, &format!("{at}[{n}]"), depth + 1))
}

fn kind(value: &Value, at: &str) -> Result<(), String> {
    let known = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    let fits = match value.as_array() {
        Some(list) => !list.is_empty() && list.iter().all(known),
        None => known(value),
    };
    if fits { Ok(()) } else { wrong(at, &format!("must be one of {}", TYPES.join(", "))) }
}

fn is_count(number: f64) -> bool {
    number >= 0.0 && number.fract() == 0.0
}

fn wrong(at: &str, what: &str) -> Result<(), String> {
    Err(format!("parameters is not a JSON schema: {at} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn good_schemas_pass() {
        for schema in [
            json!({}),
            json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
            json!({"type": ["object", "null"], "additionalProperties": false, "$defs": {"a": true}}),
            json!({"properties": {"type": {"enum": ["a"]}, "required": {"type": "array", "items": {"minLength": 1}}}}),
            json!({"anyOf": [{"const": 1}, {"not": {"type": "integer", "minimum": 3}}], "x-own": 7}),
        ] {
            assert_eq!(check(&schema), Ok(()), "{schema}");
        }
    }

    #[test]
    fn bad_ones_say_where() {
        let mut endless = json!({});
        for _ in 0..100 {
            endless = json!({"not": endless});
        }
        for (schema, part) in [
            (json!([]), "it must be an object"),
            (json!("x"), "it must be an object"),
            (json!({"type": 5}), "parameters.type must be one of array"),
            (json!({"type": []}), "parameters.type"),
            (json!({"type": "text"}), "parameters.type"),
            (json!({"properties": []}), "parameters.properties must be an object of schemas"),
            (json!({"properties": {"a": {"type": "strng"}}}), "parameters.properties.a.type"),
            (json!({"properties": {"a": 1}}), "parameters.properties.a must be"),
            (json!({"required": "a"}), "parameters.required"),
            (json!({"required": [1]}), "parameters.required"),
            (json!({"anyOf": []}), "parameters.anyOf"),
            (json!({"allOf": [{}, {"enum": 1}]}), "parameters.allOf[1].enum"),
            (json!({"items": [{"minItems": -1}]}), "parameters.items[0].minItems"),
            (json!({"maxLength": 1.5}), "parameters.maxLength"),
            (endless, "levels deep"),
        ] {
            let error = check(&schema).unwrap_err();
            assert!(error.contains(part), "{schema}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
