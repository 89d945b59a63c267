//! Reading the argument text that a model wrote.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::protocol::ToolReturnValue;

/// Parses raw arguments. Nothing at all and `null` are an empty object; raw control characters
/// inside strings, which JSON forbids and models write, are taken as they are.
pub fn parse(raw: &str) -> Result<Value, ToolReturnValue> {
    if raw.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let parsed = serde_json::from_str(raw).or_else(|error| {
        let escaped = escape_controls(raw);
        if escaped.len() == raw.len() { Err(error) } else { serde_json::from_str(&escaped) }
    });
    match parsed {
        Ok(Value::Null) => Ok(Value::Object(Map::new())),
        Ok(value) => Ok(value),
        Err(error) => Err(ToolReturnValue::error(
            format!("Error parsing JSON arguments: {error}"),
            "Invalid arguments",
        )),
    }
}

/// Escapes the control characters inside the strings of a JSON text.
fn escape_controls(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    for ch in raw.chars() {
        if in_string && ch < ' ' {
            // A backslash before a raw newline: the newline is what was meant.
            if escaped {
                out.pop();
            }
            out.push_str(&format!("\\u{:04x}", u32::from(ch)));
            escaped = false;
            continue;
        }
        out.push(ch);
        if escaped {
            escaped = false;
        } else if ch == '\\' {
            escaped = in_string;
        } else if ch == '"' {
            in_string = !in_string;
        }
    }
    out
}

/// Turns checked arguments into a tool's own type.
pub fn typed<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolReturnValue> {
    serde_json::from_value(arguments).map_err(|error| invalid(&error.to_string()))
}

/// The result of a call whose arguments do not fit the schema.
pub fn invalid(detail: &str) -> ToolReturnValue {
    ToolReturnValue::error(
        format!("Error validating JSON arguments: {detail}"),
        "Invalid arguments",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_an_empty_object() {
        for raw in ["", "  ", "null", "{}"] {
            assert_eq!(parse(raw).unwrap(), json!({}));
        }
    }

    #[test]
    fn raw_control_characters_are_accepted_in_strings() {
        assert_eq!(parse("{\"a\":\n \"x\ny\tz\\\"\r\"}").unwrap(), json!({"a": "x\ny\tz\"\r"}));
        assert_eq!(parse("{\"a\": \"x\\\ny\"}").unwrap(), json!({"a": "x\ny"}));
    }

    #[test]
    fn torn_text_is_told_apart() {
        let error = parse(r#"{"path": "x.txt", "content": "#).unwrap_err();
        assert!(error.message.starts_with("Error parsing JSON arguments: "), "{}", error.message);
        assert_eq!(
            error.display,
            vec![crate::protocol::DisplayBlock::Brief { text: "Invalid arguments".into() }]
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn any_string_survives_unescaped(text in "[^\"\\\\]*") {
            let parsed = parse(&format!("{{\"a\":\"{text}\"}}")).unwrap();
            proptest::prop_assert_eq!(parsed["a"].as_str().unwrap(), text);
        }
    }
}
