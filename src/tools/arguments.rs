//! Reading the argument text that a model wrote.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ToolReturn;
use crate::protocol::ToolReturnValue;

/// Parses raw arguments. Nothing at all and `null` are an empty object; raw control characters
/// inside strings, which JSON forbids and models write, are taken as they are; half of a character
/// that is two escapes becomes U+FFFD.
pub fn parse(raw: &str) -> Result<Value, ToolReturnValue> {
    if raw.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let parsed = serde_json::from_str(raw).or_else(|error| {
        let repaired = repaired(raw);
        if repaired == raw { Err(error) } else { serde_json::from_str(&repaired) }
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

/// Escapes the control characters inside the strings of a JSON text, and replaces the escapes of
/// half characters (surrogates without their partner).
fn repaired(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 16);
    let mut in_string = false;
    let mut chars = raw.char_indices();
    while let Some((index, ch)) = chars.next() {
        match ch {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                let length = escape_length(raw, index);
                match raw.get(index + 1..).and_then(|rest| rest.chars().next()) {
                    // A backslash before a raw newline: the newline is what was meant.
                    Some(next) if next < ' ' => continue,
                    Some('u') if length == 6 && is_surrogate(raw, index) => out.push_str("\\ufffd"),
                    _ => out.push_str(raw.get(index..index + length).unwrap_or_default()),
                }
                while chars.as_str().len() > raw.len() - index - length {
                    chars.next();
                }
                continue;
            }
            _ if in_string && ch < ' ' => {
                out.push_str(&format!("\\u{:04x}", u32::from(ch)));
                continue;
            }
            _ => {}
        }
        out.push(ch);
    }
    out
}

/// Bytes of the escape at `index`: a pair of surrogates is one.
fn escape_length(raw: &str, index: usize) -> usize {
    let second = raw.get(index + 1..).and_then(|rest| rest.chars().next());
    match (unit(raw, index), unit(raw, index + 6)) {
        (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
        (Some(_), _) => 6,
        (None, _) => 1 + second.map_or(0, char::len_utf8),
    }
}

fn is_surrogate(raw: &str, index: usize) -> bool {
    matches!(unit(raw, index), Some(0xd800..0xe000))
}

/// The UTF-16 unit that a JSON escape (`\u` and four hexadecimal digits) at `index` stands for.
fn unit(raw: &str, index: usize) -> Option<u32> {
    let digits = raw.get(index..index + 6)?.strip_prefix("\\u")?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u32::from_str_radix(digits, 16).ok()
}

/// Turns checked arguments into a tool's own type.
pub fn typed<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolReturnValue> {
    serde_json::from_value(arguments).map_err(|error| invalid(&error.to_string()))
}

/// Runs a call with its arguments in the tool's own type. What it refuses is its result too.
pub async fn with<T: DeserializeOwned, F>(arguments: Value, run: impl FnOnce(T) -> F) -> ToolReturn
where
    F: Future<Output = Result<ToolReturn, ToolReturnValue>>,
{
    let ran = match typed(arguments) {
        Ok(arguments) => run(arguments).await,
        Err(error) => Err(error),
    };
    ran.unwrap_or_else(ToolReturn::from)
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
    fn half_characters_are_replaced() {
        let parsed = parse(r#"{"a": "x\ud83d y\ude00 \ud83d\ude00 \\ud83d \u00e9 \n\""}"#).unwrap();
        assert_eq!(parsed["a"], "x\u{fffd} y\u{fffd} 😀 \\ud83d é \n\"");
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
        fn hostile_text_is_survived(raw in r#"[\{\}",:\\ud83de0é\n]{0,60}"#) {
            let _ = parse(&raw);
            let _ = parse(&format!("{{\"a\":\"{raw}"));
        }

        #[test]
        fn repairing_keeps_what_is_right(text in proptest::prelude::any::<String>()) {
            let right = serde_json::to_string(&serde_json::json!({"a": text})).unwrap();
            proptest::prop_assert_eq!(repaired(&right), right);
        }

        #[test]
        fn any_string_survives_unescaped(text in "[^\"\\\\]*") {
            let parsed = parse(&format!("{{\"a\":\"{text}\"}}")).unwrap();
            proptest::prop_assert_eq!(parsed["a"].as_str().unwrap(), text);
        }
    }
}
