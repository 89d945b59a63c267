//! Schemas of foreign tools: put in a line for the model, and held against what it calls them with.
//!
//! The built-in tools have a checker of their own (`tools/schema.rs`), which mends arguments. Here
//! nothing is mended: the arguments are the server's, and what it means by a schema it knows best.

pub mod digest;
mod pattern;
pub mod shown;
pub mod validate;

use serde_json::{Value, json};

/// The schema as the model gets it: model servers refuse one that is no object.
pub fn offered(schema: &Value) -> Value {
    match schema {
        schema if schema.get("type").is_some_and(|kind| kind == "object") => schema.clone(),
        _ => json!({"type": "object", "properties": {}}),
    }
}

/// The arguments, if they are an object that fits the schema. The error says what is wrong.
pub fn fitting(schema: &Value, arguments: Value) -> Result<Value, String> {
    let wrong = validate::violations(schema, &arguments);
    if wrong.is_empty() {
        return Ok(arguments);
    }
    let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    Err(wrong.join("; "))
}

/// What a local reference (`#`, `#/$defs/x`) points at; others, which would have to be fetched, point
/// nowhere.
fn referenced<'a>(root: &'a Value, schema: &Value) -> Option<&'a Value> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    root.pointer(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_told_whatever_the_schema_says() {
        for schema in [json!({}), json!({"type": "array"}), json!(true)] {
            assert_eq!(offered(&schema), json!({"type": "object", "properties": {}}));
            let error = fitting(&schema, json!([1])).unwrap_err();
            assert!(error.contains("must be an object"), "{schema}: {error}");
        }
        let schema = json!({"type": "object", "required": ["a"]});
        assert_eq!(offered(&schema), schema);
        assert_eq!(fitting(&schema, json!({"a": 1})), Ok(json!({"a": 1})));
        for wrong in [json!({}), json!([]), json!("a"), json!(null)] {
            assert!(!fitting(&schema, wrong.clone()).unwrap_err().is_empty(), "{wrong}");
        }
    }
}
