//! A field as the schema that a front end's form is made of: made anew from what was understood and cleaned,
//! never the server's own.

use serde_json::{Value, json};

use super::field::{Choice, Field, Format, Kind};

impl Field {
    /// The schema, with the answer that is there to begin with. `note` stands before the description.
    pub fn schema(&self, note: &str, begin: Option<&str>) -> Value {
        let about = [self.description.clone(), self.rule()];
        let about: Vec<String> = about.into_iter().filter(|words| !words.is_empty()).collect();
        let about = format!("{note}{}", about.join("; "));
        let mut schema = json!({"title": self.title});
        if !about.is_empty() {
            schema["description"] = json!(about);
        }
        // What is beyond the number types of the protocol is left to the check of the answer.
        let mut limit = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                schema[key] = value;
            }
        };
        let size = |size: usize| u32::try_from(size).ok().map(Value::from);
        match &self.kind {
            Kind::Text { least, most, format } => {
                limit("type", Some("string".into()));
                limit("minLength", size(*least).filter(|_| *least > 0));
                limit("maxLength", size(*most));
                limit("format", format.map(|format| format.name().into()));
            }
            Kind::Number { whole, least, most } => {
                let exact = |number: f64| match whole {
                    true if number.abs() < EXACT => Some(Value::from(number as i64)),
                    true => None,
                    false => serde_json::Number::from_f64(number).map(Value::Number),
                };
                limit("type", Some(if *whole { "integer" } else { "number" }.into()));
                let round = |number: f64, whole_one: fn(f64) -> f64| {
                    exact(if *whole { whole_one(number) } else { number })
                };
                limit("minimum", least.and_then(|least| round(least, f64::ceil)));
                limit("maximum", most.and_then(|most| round(most, f64::floor)));
            }
            Kind::Flag => limit("type", Some("boolean".into())),
            Kind::Choice(choices) => {
                limit("type", Some("string".into()));
                limit("oneOf", Some(titled(choices)));
            }
            Kind::Several { choices, least, most } => {
                limit("type", Some("array".into()));
                limit("items", Some(json!({"anyOf": titled(choices)})));
                limit("minItems", size(*least).filter(|_| *least > 0));
                limit("maxItems", size(*most));
            }
        }
        limit("default", begin.and_then(|answer| self.shown_value(answer)));
        schema
    }

    /// An answer as a form shows it: choices by their labels. Text need not fit: it may be corrected.
    fn shown_value(&self, answer: &str) -> Option<Value> {
        match &self.kind {
            Kind::Text { .. } => Some(answer.into()),
            Kind::Several { .. } => {
                self.value(answer).ok()?;
                Some(answer.split(", ").filter(|label| !label.is_empty()).collect())
            }
            Kind::Choice(_) => self.value(answer).is_ok().then(|| answer.into()),
            Kind::Number { .. } | Kind::Flag => self.value(answer).ok(),
        }
    }
}

/// Up to here every whole number is one of its own.
const EXACT: f64 = 9e15;

fn titled(choices: &[Choice]) -> Value {
    choices.iter().map(|choice| json!({"const": choice.label, "title": choice.label})).collect()
}

impl Format {
    /// Its name in JSON schema.
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Date => "date",
            Self::DateTime => "date-time",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(schema: Value) -> Value {
        let field = Field::read("f", &schema, true).unwrap();
        field.schema("", field.default_answer().as_deref())
    }

    #[test]
    fn kinds_limits_and_suggestions_stay() {
        assert_eq!(
            schema(json!({"type": "integer", "title": "Port", "description": "Where.",
                "minimum": 0.5, "maximum": 10, "default": 7})),
            json!({"type": "integer", "title": "Port", "minimum": 1, "maximum": 10, "default": 7,
                "description": "Where.; a whole number from 0.5 to 10"})
        );
        assert_eq!(
            schema(json!({"type": "number", "maximum": 1.5})),
            json!({"type": "number", "title": "f", "maximum": 1.5,
                "description": "a number of at most 1.5"})
        );
        assert_eq!(
            schema(json!({"type": "boolean", "default": true})),
            json!({"type": "boolean", "title": "f", "default": true})
        );
        assert_eq!(
            schema(json!({"type": "string", "format": "email", "maxLength": 9, "default": "a@b"})),
            json!({"type": "string", "title": "f", "format": "email", "maxLength": 9,
                "default": "a@b", "description": "a mail address, at most 9 characters"})
        );
    }

    #[test]
    fn choices_go_by_what_a_person_sees() {
        let colours = json!({"type": "string", "enum": ["r", "b"], "enumNames": ["Red", "Blue"],
            "default": "b"});
        let choices = json!([{"const": "Red", "title": "Red"}, {"const": "Blue", "title": "Blue"}]);
        assert_eq!(
            schema(colours),
            json!({"type": "string", "title": "f", "oneOf": choices, "default": "Blue"})
        );
        let several = schema(json!({"type": "array", "minItems": 1, "default": ["r", "b"],
            "items": {"type": "string", "enum": ["r", "b"], "enumNames": ["Red", "Blue"]}}));
        assert_eq!(several["items"], json!({"anyOf": choices}));
        assert_eq!((&several["minItems"], &several["maxItems"]), (&json!(1), &Value::Null));
        assert_eq!(several["default"], json!(["Red", "Blue"]));
    }

    #[test]
    fn nothing_of_the_servers_own_comes_through() {
        let hostile = schema(json!({"type": "string", "title": "a\u{1b}[2J\u{202e}b", "x": "y",
            "pattern": "(", "maxLength": 1e30, "minLength": 5_000_000_000u64, "default": "a\nb"}));
        let keys: Vec<&String> = hostile.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["title", "description", "type"], "{hostile}");
        let text = hostile.to_string();
        assert!(!text.contains('\u{202e}') && !text.contains("\\u001b"), "{text}");
        let far = schema(json!({"type": "integer", "minimum": -1e300, "maximum": 1e300}));
        assert!(far.get("minimum").is_none() && far.get("maximum").is_none(), "{far}");
    }
}
