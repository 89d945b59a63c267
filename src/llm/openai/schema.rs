//! Tool schemas in the form that Kimi's API accepts: every property says its type.

use serde_json::{Map, Value};

/// Schemas nest this deep at most; below, they stay as they are.
const DEEPEST: usize = 32;

/// Words whose presence makes a `type` unnecessary.
const COMBINATORS: [&str; 6] = ["$ref", "anyOf", "oneOf", "allOf", "not", "if"];

/// The schema with a `type` in every nested property that lacks one.
pub(super) fn with_types(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(fields) = &mut schema {
        fill_children(fields, 0);
    }
    schema
}

fn fill(schema: &mut Value, depth: usize) {
    let Value::Object(fields) = schema else { return };
    if depth > DEEPEST {
        return;
    }
    let combined = COMBINATORS.iter().any(|word| fields.contains_key(*word));
    if !fields.contains_key("type") && !combined {
        let kind = infer(fields);
        fields.insert("type".to_owned(), Value::from(kind));
    }
    fill_children(fields, depth);
}

fn fill_children(fields: &mut Map<String, Value>, depth: usize) {
    for (key, value) in fields.iter_mut() {
        match (key.as_str(), value) {
            ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(all)) => {
                all.values_mut().for_each(|schema| fill(schema, depth + 1));
            }
            ("items" | "additionalProperties" | "contains", value @ Value::Object(_)) => {
                fill(value, depth + 1);
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(all)) => {
                all.iter_mut().for_each(|schema| fill(schema, depth + 1));
            }
            _ => {}
        }
    }
}

/// The type that a schema without one must mean.
fn infer(fields: &Map<String, Value>) -> &'static str {
    let sample = fields
        .get("const")
        .or_else(|| fields.get("enum").and_then(Value::as_array).and_then(|all| all.first()));
    if let Some(sample) = sample {
        return match sample {
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Null => "null",
            Value::String(_) => "string",
        };
    }
    let has = |keys: &[&str]| keys.iter().any(|key| fields.contains_key(*key));
    if has(&["properties", "additionalProperties", "required", "patternProperties"]) {
        "object"
    } else if has(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems"]) {
        "array"
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        "number"
    } else {
        "string"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn missing_types_are_filled_in() {
        let schema = json!({"properties": {
            "a": {"description": "x"},
            "b": {"enum": [1, 2]},
            "c": {"properties": {"type": {"items": {}}}},
            "d": {"anyOf": [{"minimum": 1}, {"type": "null"}]},
            "e": {"$ref": "#/x"},
            "f": {"const": true},
        }});
        assert_eq!(
            with_types(&schema),
            json!({"properties": {
                "a": {"description": "x", "type": "string"},
                "b": {"enum": [1, 2], "type": "integer"},
                "c": {"properties": {"type": {"items": {"type": "string"}, "type": "array"}}, "type": "object"},
                "d": {"anyOf": [{"minimum": 1, "type": "number"}, {"type": "null"}]},
                "e": {"$ref": "#/x"},
                "f": {"const": true, "type": "boolean"},
            }})
        );
    }

    #[test]
    fn deep_schemas_do_not_overflow() {
        let mut schema = json!({});
        for _ in 0..100 {
            schema = json!({"items": schema});
        }
        assert_eq!(with_types(&schema)["items"]["type"], "array");
    }
}
