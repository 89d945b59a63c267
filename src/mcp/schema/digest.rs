//! The arguments of a tool in one line: `{"title": string*, "labels": [string]}`.

use serde_json::{Map, Value};

use super::referenced;
use crate::mcp::tidy::one_line;

/// What stands for a tool without arguments.
pub const NO_ARGUMENTS: &str = "(no arguments)";

/// Characters of a digest.
const MAX_DIGEST: usize = 1_200;
/// Objects and lists within each other.
const MAX_DEPTH: usize = 4;
/// Arguments of the outermost object, and of one within it.
const MAX_PROPERTIES: [usize; 2] = [24, 10];
/// Values of an enumeration, and forms of a union.
const MAX_CHOICES: usize = 12;
/// Characters of a name or of a literal value.
const MAX_LITERAL: usize = 48;
/// Schemas looked at: references can make a small schema endless.
const MAX_STEPS: usize = 400;

/// The arguments that a schema asks for: names with their types, `*` behind what is required, which
/// comes first. One line, bounded, whatever the schema is.
pub fn digest(schema: &Value) -> String {
    let mut reader = Reader { root: schema, steps: 0 };
    let properties = reader.properties(schema, 0);
    if properties.is_empty() && !takes_any(schema) {
        return NO_ARGUMENTS.to_owned();
    }
    let text = if properties.is_empty() { reader.kind(schema, 0) } else { properties };
    one_line(&text, MAX_DIGEST)
}

/// Whether a schema without properties takes arguments in another way.
fn takes_any(schema: &Value) -> bool {
    let says = |key| schema.get(key).is_some_and(|value| !value.is_null());
    schema.get("additionalProperties").is_some_and(|more| more.is_object())
        || ["anyOf", "oneOf", "allOf", "$ref", "patternProperties"].into_iter().any(says)
}

struct Reader<'a> {
    root: &'a Value,
    steps: usize,
}

impl<'a> Reader<'a> {
    /// The type of a value, in short.
    fn kind(&mut self, schema: &'a Value, depth: usize) -> String {
        self.steps += 1;
        if depth > MAX_DEPTH || self.steps > MAX_STEPS {
            return "…".to_owned();
        }
        if schema.get("$ref").is_some() {
            let root = self.root;
            return referenced(root, schema)
                .map_or_else(|| "any".to_owned(), |target| self.kind(target, depth + 1));
        }
        if let Some(value) = schema.get("const") {
            return literal(value);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return choices(values.iter().map(literal));
        }
        let forms = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
        if let Some(forms) = forms.filter(|forms| !forms.is_empty()) {
            return choices(forms.iter().map(|form| self.kind(form, depth + 1)));
        }
        let null = if schema.get("nullable") == Some(&Value::Bool(true)) { "|null" } else { "" };
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => self.named(kind, schema, depth),
            Some(Value::Array(kinds)) => choices(
                kinds.iter().filter_map(Value::as_str).map(|kind| self.named(kind, schema, depth)),
            ),
            _ if schema.get("properties").is_some() => self.named("object", schema, depth),
            _ if schema.get("items").is_some() => self.named("array", schema, depth),
            _ => match schema.get("allOf").and_then(Value::as_array).and_then(|all| all.first()) {
                Some(first) => self.kind(first, depth + 1),
                None => "any".to_owned(),
            },
        };
        kind + null
    }

    fn named(&mut self, kind: &str, schema: &'a Value, depth: usize) -> String {
        match kind {
            "array" => match schema.get("items") {
                Some(items) if items.is_object() => format!("[{}]", self.kind(items, depth + 1)),
                _ => "[any]".to_owned(),
            },
            "object" => {
                let properties = self.properties(schema, depth + 1);
                if !properties.is_empty() {
                    return properties;
                }
                match schema.get("additionalProperties") {
                    Some(values) if values.is_object() => {
                        format!("{{any name: {}}}", self.kind(values, depth + 1))
                    }
                    _ => "object".to_owned(),
                }
            }
            "string" => match schema.get("format").and_then(Value::as_str) {
                Some(format) => format!("string({})", one_line(format, MAX_LITERAL)),
                None => kind.to_owned(),
            },
            "integer" | "number" => format!("{kind}{}", range(schema)),
            _ => one_line(kind, MAX_LITERAL),
        }
    }

    /// `{"name": type*, …}`, or nothing when the schema names no properties.
    fn properties(&mut self, schema: &'a Value, depth: usize) -> String {
        let properties = schema.get("properties").and_then(Value::as_object);
        let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
            return String::new();
        };
        if depth > MAX_DEPTH {
            return "{…}".to_owned();
        }
        let limit = MAX_PROPERTIES[usize::from(depth > 0)];
        let (required, optional) = by_need(schema, properties);
        let count = required.len() + optional.len();
        let with_mark = required.into_iter().map(|property| (property, "*"));
        let all = with_mark.chain(optional.into_iter().map(|property| (property, "")));
        let mut parts: Vec<String> = all
            .take(limit)
            .map(|((name, schema), mark)| {
                let name = Value::String(one_line(name, MAX_LITERAL));
                format!("{name}: {}{mark}", self.kind(schema, depth))
            })
            .collect();
        if count > limit {
            parts.push(format!("… {} more", count - limit));
        }
        format!("{{{}}}", parts.join(", "))
    }
}

type Property<'a> = (&'a String, &'a Value);

/// The required and the other properties, each in the schema's order.
fn by_need<'a>(
    schema: &Value,
    properties: &'a Map<String, Value>,
) -> (Vec<Property<'a>>, Vec<Property<'a>>) {
    let required = schema.get("required").and_then(Value::as_array);
    let names: std::collections::HashSet<&str> =
        required.into_iter().flatten().filter_map(Value::as_str).collect();
    properties.iter().partition(|(name, _)| names.contains(name.as_str()))
}

fn literal(value: &Value) -> String {
    match value {
        // Cut before it is quoted, so that the quotes stay.
        Value::String(text) => Value::String(one_line(text, MAX_LITERAL)).to_string(),
        Value::Array(_) | Value::Object(_) => "…".to_owned(),
        other => other.to_string(),
    }
}

/// Different forms with `|` between them.
fn choices(forms: impl Iterator<Item = String>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for form in forms {
        if kept.len() == MAX_CHOICES {
            kept.push("…".to_owned());
            break;
        }
        if !kept.contains(&form) {
            kept.push(form);
        }
    }
    if kept.is_empty() { "any".to_owned() } else { kept.join("|") }
}

/// `(1..100)`, `(1..)`, `(..100)` or nothing. Bounds that are only those of a machine word say nothing.
fn range(schema: &Value) -> String {
    let bound = |key: &str| {
        let number = schema.get(key)?.as_f64()?;
        (number.abs() < 1e15).then(|| schema.get(key).map(Value::to_string)).flatten()
    };
    match (bound("minimum"), bound("maximum")) {
        (None, None) => String::new(),
        (least, most) => {
            format!("({}..{})", least.unwrap_or_default(), most.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn required_arguments_come_first_and_have_a_star() {
        let schema = json!({
            "type": "object",
            "properties": {
                "body": {"type": "string"},
                "labels": {"type": "array", "items": {"type": "string"}},
                "title": {"type": "string"},
                "state": {"enum": ["open", "closed"]},
                "page": {"type": "integer", "minimum": 1, "maximum": 100},
                "since": {"type": ["string", "null"], "format": "date"},
                "assignee": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "position": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
                "map": {"type": "object", "additionalProperties": {"type": "boolean"}},
                "rest": {}
            },
            "required": ["title"]
        });
        assert_eq!(
            digest(&schema),
            "{\"title\": string*, \"body\": string, \"labels\": [string], \"state\": \"open\"|\"closed\", \
             \"page\": integer(1..100), \"since\": string(date)|null, \"assignee\": string|null, \
             \"position\": {\"x\": number*}, \"map\": {any name: boolean}, \"rest\": any}"
        );
    }

    #[test]
    fn no_arguments_are_said_to_be_none() {
        for schema in [
            json!({}),
            Value::Null,
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
            json!({"properties": 7}),
        ] {
            assert_eq!(digest(&schema), NO_ARGUMENTS, "{schema}");
        }
        assert_eq!(
            digest(&json!({"type": "object", "additionalProperties": {"type": "string"}})),
            "{any name: string}"
        );
    }

    #[test]
    fn references_are_followed_and_loops_end() {
        let schema = json!({
            "properties": {"node": {"$ref": "#/$defs/node"}, "far": {"$ref": "https://x/y"}},
            "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}
        });
        let text = digest(&schema);
        assert!(text.starts_with("{\"node\": {\"next\": {") && text.contains('…'), "{text}");
        assert!(text.contains("\"far\": any"), "{text}");
        let mut wide = json!({"properties": {}, "$defs": {}});
        for n in 0..30 {
            wide["properties"][format!("p{n}")] = json!({"$ref": "#"});
        }
        assert!(digest(&wide).chars().count() <= MAX_DIGEST);
    }

    #[test]
    fn hostile_names_and_values_stay_on_the_line() {
        let long = "x".repeat(100_000);
        let mut schema = json!({"properties": {"a\n\u{1b}[31m": {"enum": ["b\nc", {"deep": 1}]}}});
        schema["properties"][&long] = json!({"type": long, "format": long});
        let text = digest(&schema);
        assert!(text.chars().count() <= MAX_DIGEST && !text.chars().any(char::is_control));
        assert!(text.starts_with("{\"a\": \"b c\"|…, "), "{text}");
    }
}
