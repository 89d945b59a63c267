//! One field of a form: what may be answered, and what an answer is worth.

use serde_json::{Number, Value};

use crate::mcp::tidy::one_line;

/// The longest name of a field, in bytes.
const MAX_NAME: usize = 128;
/// Characters of a title, a description, a choice.
const MAX_SHOWN: usize = 200;
/// Numbers that are few enough to be choices.
const FEW_NUMBERS: f64 = 12.0;
/// Numbers beyond this are not counted one by one.
const FAR: f64 = 1e9;
/// Choices of one field.
const MOST_CHOICES: usize = 100;
/// Words for things that no server should ask for in a form.
const SECRETS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api key",
    "apikey",
    "credential",
    "pin code",
];

/// A field.
#[derive(Debug)]
pub struct Field {
    /// What the server calls it.
    pub name: String,
    /// One clean line; the name when there is no title.
    pub title: String,
    /// One clean line; may be empty.
    pub description: String,
    pub required: bool,
    pub kind: Kind,
    pub default: Option<Value>,
    /// It looks as if a secret were wanted.
    pub secret: bool,
}

/// What a field takes.
#[derive(Debug)]
pub enum Kind {
    Text {
        least: usize,
        most: usize,
        format: Option<Format>,
    },
    Number {
        whole: bool,
        least: Option<f64>,
        most: Option<f64>,
    },
    Flag,
    /// One of these.
    Choice(Vec<Choice>),
    /// Several of these.
    Several {
        choices: Vec<Choice>,
        least: usize,
        most: usize,
    },
}

/// A choice: what the server gets, and what the person sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

/// A format that text has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Email,
    Uri,
    Date,
    DateTime,
}

impl Field {
    /// Reads the schema of a field. The error says what is wrong with it.
    pub fn read(name: &str, schema: &Value, required: bool) -> Result<Self, String> {
        let shown = one_line(name, MAX_SHOWN);
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!("a field has no usable name: \"{shown}\""));
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let title = one_line(text("title").unwrap_or_default(), MAX_SHOWN);
        let description = one_line(text("description").unwrap_or_default(), MAX_SHOWN);
        let size = |key: &str| {
            let size = schema.get(key).and_then(Value::as_u64);
            size.map(|size| usize::try_from(size).unwrap_or(usize::MAX))
        };
        let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
        let kind = match text("type") {
            Some("string") => match choices(schema)? {
                Some(choices) => Kind::Choice(choices),
                None => Kind::Text {
                    least: size("minLength").unwrap_or(0),
                    most: size("maxLength").unwrap_or(usize::MAX),
                    format: match text("format") {
                        Some("email") => Some(Format::Email),
                        Some("uri") => Some(Format::Uri),
                        Some("date") => Some(Format::Date),
                        Some("date-time") => Some(Format::DateTime),
                        _ => None,
                    },
                },
            },
            Some(number @ ("number" | "integer")) => Kind::Number {
                whole: number == "integer",
                least: limit("minimum"),
                most: limit("maximum"),
            },
            Some("boolean") => Kind::Flag,
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                match choices(items)? {
                    Some(choices) => Kind::Several {
                        least: size("minItems").unwrap_or(0),
                        most: size("maxItems").unwrap_or(usize::MAX),
                        choices,
                    },
                    None => return Err(format!("the list \"{shown}\" has no choices")),
                }
            }
            _ => return Err(format!("the field \"{shown}\" is not of a simple kind")),
        };
        let words = format!("{name} {title} {}", text("format").unwrap_or_default());
        let words = words.to_lowercase().replace(['_', '-'], " ");
        Ok(Self {
            name: name.to_owned(),
            title: if title.is_empty() { shown } else { title },
            description,
            required,
            default: schema.get("default").filter(|default| !default.is_null()).cloned(),
            secret: SECRETS.iter().any(|secret| words.contains(secret)),
            kind,
        })
    }

    /// What the field takes, in words; empty for any text.
    pub fn rule(&self) -> String {
        match &self.kind {
            Kind::Text { least, most, format } => {
                let format = match format {
                    None => "",
                    Some(Format::Email) => "a mail address",
                    Some(Format::Uri) => "an address such as https://host/path",
                    Some(Format::Date) => "a date such as 2030-01-31",
                    Some(Format::DateTime) => "a time such as 2030-01-31T12:00:00Z",
                };
                let length = match (*least, *most) {
                    (0 | 1, usize::MAX) => String::new(),
                    (least, usize::MAX) => format!("at least {least} characters"),
                    (0 | 1, most) => format!("at most {most} characters"),
                    (least, most) => format!("{least} to {most} characters"),
                };
                let both = [format.to_owned(), length];
                both.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ")
            }
            Kind::Number { whole, least, most } => {
                let kind = if *whole { "a whole number" } else { "a number" };
                match (least, most) {
                    (Some(least), Some(most)) => format!("{kind} from {least} to {most}"),
                    (Some(least), None) => format!("{kind} of at least {least}"),
                    (None, Some(most)) => format!("{kind} of at most {most}"),
                    (None, None) => kind.to_owned(),
                }
            }
            Kind::Flag | Kind::Choice(_) => String::new(),
            Kind::Several { least, most, choices } => match (*least, (*most).min(choices.len())) {
                (0 | 1, most) if most == choices.len() => "any of these".to_owned(),
                (least, most) if most == choices.len() => format!("at least {least} of these"),
                (0 | 1, most) => format!("at most {most} of these"),
                (least, most) => format!("{least} to {most} of these"),
            },
        }
    }

    /// What an answer is worth. The error is half a sentence: what the answer must be.
    pub fn value(&self, answer: &str) -> Result<Value, String> {
        let unfit = || Err(format!("it must be {}", self.rule()));
        match &self.kind {
            Kind::Text { least, most, format } => {
                let length = answer.chars().count();
                let fits = length >= *least
                    && length <= *most
                    && format.is_none_or(|format| format.fits(answer));
                if fits { Ok(answer.into()) } else { unfit() }
            }
            Kind::Number { whole, least, most } => {
                let answer = answer.trim();
                let number = match answer.parse::<i64>() {
                    Ok(number) => Some((Number::from(number), number as f64)),
                    Err(_) => answer
                        .parse::<f64>()
                        .ok()
                        .filter(|number| !whole || number.fract() == 0.0)
                        .and_then(|number| Some((Number::from_f64(number)?, number))),
                };
                match number {
                    Some((number, size))
                        if least.is_none_or(|least| size >= least)
                            && most.is_none_or(|most| size <= most) =>
                    {
                        // 3.0 is a whole number, and written as one.
                        let small = *whole && number.is_f64() && size.abs() < 9e15;
                        Ok(if small { Value::from(size as i64) } else { Value::Number(number) })
                    }
                    _ => unfit(),
                }
            }
            Kind::Flag => match answer.trim().to_lowercase().as_str() {
                "yes" | "y" | "true" | "on" => Ok(true.into()),
                "no" | "n" | "false" | "off" => Ok(false.into()),
                _ => Err("it must be Yes or No".to_owned()),
            },
            Kind::Choice(choices) => match pick(choices, answer) {
                Some(choice) => Ok(choice.value.as_str().into()),
                None => Err("it must be one of the choices".to_owned()),
            },
            Kind::Several { choices, least, most } => {
                let mut chosen = Vec::new();
                for part in answer.split(", ").map(str::trim).filter(|part| !part.is_empty()) {
                    match pick(choices, part) {
                        Some(choice) if !chosen.contains(&choice.value) => {
                            chosen.push(choice.value.clone());
                        }
                        Some(_) => {}
                        None => return Err("it must be among the choices".to_owned()),
                    }
                }
                if chosen.len() < *least || chosen.len() > *most {
                    return unfit();
                }
                Ok(chosen.into())
            }
        }
    }

    /// The choices that the person sees.
    pub fn labels(&self) -> Vec<String> {
        match &self.kind {
            Kind::Flag => vec!["Yes".to_owned(), "No".to_owned()],
            Kind::Choice(choices) | Kind::Several { choices, .. } => {
                choices.iter().map(|choice| choice.label.clone()).collect()
            }
            Kind::Text { .. } | Kind::Number { .. } => Vec::new(),
        }
    }

    /// Whether nothing but its choices can be an answer.
    pub fn has_choices(&self) -> bool {
        !matches!(self.kind, Kind::Text { .. } | Kind::Number { .. })
    }

    /// All the answers there are to a field that takes a few whole numbers; empty for others.
    pub fn few_numbers(&self) -> Vec<String> {
        let Kind::Number { whole: true, least: Some(least), most: Some(most) } = self.kind else {
            return Vec::new();
        };
        if least.abs() > FAR || most.abs() > FAR || most - least >= FEW_NUMBERS {
            return Vec::new();
        }
        (least.ceil() as i64..=most.floor() as i64).map(|number| number.to_string()).collect()
    }

    /// Whether an answer is any number of its choices.
    pub fn takes_several(&self) -> bool {
        matches!(self.kind, Kind::Several { .. })
    }

    /// Whether there is no way to fill it in but to type something.
    pub fn needs_words(&self) -> bool {
        self.required
            && self.labels().is_empty()
            && self.few_numbers().is_empty()
            && self.default_answer().is_none()
    }

    /// The default as it would be answered; `None` when there is none that fits.
    pub fn default_answer(&self) -> Option<String> {
        let answer = match (self.default.as_ref()?, &self.kind) {
            (Value::String(text), Kind::Choice(choices)) => pick(choices, text)?.label.clone(),
            (Value::String(text), _) => text.clone(),
            (Value::Bool(flag), Kind::Flag) => (if *flag { "Yes" } else { "No" }).to_owned(),
            (Value::Number(number), _) => number.to_string(),
            (Value::Array(values), Kind::Several { choices, .. }) => {
                let label = |value: &Value| Some(pick(choices, value.as_str()?)?.label.as_str());
                values.iter().map(label).collect::<Option<Vec<_>>>()?.join(", ")
            }
            _ => return None,
        };
        (self.value(&answer).is_ok() && one_line(&answer, MAX_SHOWN) == answer).then_some(answer)
    }
}

impl Format {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Email => text.split_once('@').is_some_and(|(name, host)| {
                let plain = |part: &str| {
                    !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@')
                };
                plain(name) && plain(host)
            }),
            Self::Uri => url::Url::parse(text).is_ok(),
            Self::Date => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
            Self::DateTime => {
                text.contains(['T', 't', ' ']) && text.parse::<jiff::Timestamp>().is_ok()
            }
        }
    }
}

fn pick<'a>(choices: &'a [Choice], answer: &str) -> Option<&'a Choice> {
    let answer = answer.trim();
    let by_label = choices.iter().find(|choice| choice.label == answer);
    by_label.or_else(|| choices.iter().find(|choice| choice.value == answer))
}

/// The choices of a schema: `enum`, with `enumNames` or not, or titled ones in `oneOf` or `anyOf`;
/// `None` when it has none of these.
fn choices(schema: &Value) -> Result<Option<Vec<Choice>>, String> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    let pairs: Vec<(Option<&str>, Option<&str>)> = if let Some(values) = list("enum") {
        let names = list("enumNames");
        let name = |at: usize| names.and_then(|names| names.get(at)).and_then(Value::as_str);
        values.iter().enumerate().map(|(at, value)| (value.as_str(), name(at))).collect()
    } else if let Some(titled) = list("oneOf").or_else(|| list("anyOf")) {
        let text =
            |value: &'_ Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let titled: Vec<_> =
            titled.iter().map(|it| (text(it, "const"), text(it, "title"))).collect();
        return labelled(
            titled.iter().map(|(value, title)| (value.as_deref(), title.as_deref())).collect(),
        )
        .map(Some);
    } else {
        return Ok(None);
    };
    labelled(pairs).map(Some)
}

/// Choices under labels that are unique and have no comma: answers are joined by commas.
fn labelled(pairs: Vec<(Option<&str>, Option<&str>)>) -> Result<Vec<Choice>, String> {
    if pairs.is_empty() || pairs.len() > MOST_CHOICES {
        return Err(format!("a field must have 1 to {MOST_CHOICES} choices"));
    }
    let mut choices: Vec<Choice> = Vec::new();
    for (value, title) in pairs {
        let Some(value) = value else { return Err("a choice is no text".to_owned()) };
        let clean = |text: &str| one_line(text, MAX_SHOWN).replace(", ", "; ");
        let label = title.map(clean).filter(|label| !label.is_empty());
        let mut label = label.unwrap_or_else(|| clean(value));
        if label.is_empty() {
            label = "(empty)".to_owned();
        }
        while choices.iter().any(|choice| choice.label == label) {
            label.push('\'');
        }
        choices.push(Choice { value: value.to_owned(), label });
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(schema: Value) -> Field {
        Field::read("f", &schema, true).unwrap()
    }

    fn value(schema: &Value, answer: &str) -> String {
        match field(schema.clone()).value(answer) {
            Ok(value) => value.to_string(),
            Err(why) => why,
        }
    }

    #[test]
    fn text_has_a_length_and_a_format() {
        let short = json!({"type": "string", "minLength": 2, "maxLength": 3});
        assert_eq!(value(&short, "äö"), "\"äö\"");
        assert_eq!(value(&short, "a"), "it must be 2 to 3 characters");
        assert_eq!(value(&short, "abcd"), "it must be 2 to 3 characters");
        for (format, good, bad) in [
            ("email", "a@b.c", "a b@c"),
            ("uri", "https://h/x", "h/x"),
            ("date", "2030-02-28", "2030-02-30"),
            ("date-time", "2030-02-28T10:00:00Z", "2030-02-28"),
        ] {
            let schema = json!({"type": "string", "format": format});
            assert_eq!(value(&schema, good), format!("\"{good}\""));
            assert!(value(&schema, bad).starts_with("it must be a"), "{format}");
        }
    }

    #[test]
    fn numbers_have_a_range() {
        let port = json!({"type": "integer", "minimum": 1, "maximum": 10});
        assert_eq!(value(&port, " 7 "), "7");
        assert_eq!(value(&port, "3.0"), "3");
        for bad in ["0", "11", "2.5", "x", "", "NaN", "inf", "1e400"] {
            assert_eq!(value(&port, bad), "it must be a whole number from 1 to 10", "{bad}");
        }
        assert_eq!(value(&json!({"type": "number", "minimum": -0.5}), "-0.25"), "-0.25");
        assert_eq!(value(&json!({"type": "number"}), "nan"), "it must be a number");
    }

    #[test]
    fn few_numbers_are_counted() {
        let few = |schema: Value| field(schema).few_numbers().join(" ");
        assert_eq!(few(json!({"type": "integer", "minimum": -1, "maximum": 2.5})), "-1 0 1 2");
        assert_eq!(few(json!({"type": "integer", "minimum": 1, "maximum": 12})).len(), 26);
        for many in [
            json!({"type": "integer", "minimum": 1, "maximum": 13}),
            json!({"type": "integer", "minimum": 1}),
            json!({"type": "integer", "minimum": 2, "maximum": 1}),
            json!({"type": "integer", "minimum": -1e300, "maximum": 1e300}),
            json!({"type": "integer", "minimum": 1e17, "maximum": 1e17}),
            json!({"type": "number", "minimum": 1, "maximum": 2}),
        ] {
            assert_eq!(few(many.clone()), "", "{many}");
        }
    }

    #[test]
    fn choices_come_in_every_spelling() {
        for schema in [
            json!({"type": "string", "enum": ["r", "b"], "enumNames": ["Red", "Blue"]}),
            json!({"type": "string", "oneOf": [{"const": "r", "title": "Red"}, {"const": "b", "title": "Blue"}]}),
        ] {
            assert_eq!(field(schema.clone()).labels(), ["Red", "Blue"]);
            assert_eq!(value(&schema, "Blue"), "\"b\"");
            assert_eq!(value(&schema, "b"), "\"b\"");
            assert_eq!(value(&schema, "green"), "it must be one of the choices");
        }
        let several = json!({"type": "array", "minItems": 1, "maxItems": 2,
            "items": {"anyOf": [{"const": "a", "title": "A, or so"}, {"const": "b"}, {"const": "c", "title": "b"}]}});
        assert_eq!(field(several.clone()).labels(), ["A; or so", "b", "b'"]);
        assert_eq!(value(&several, "A; or so, b'"), r#"["a","c"]"#);
        assert_eq!(value(&several, "A; or so, b, b'"), "it must be at most 2 of these");
        assert_eq!(value(&several, "z"), "it must be among the choices");
    }

    #[test]
    fn flags_and_defaults() {
        let flag = json!({"type": "boolean", "default": false});
        assert_eq!((value(&flag, "Yes"), value(&flag, "off")), ("true".into(), "false".into()));
        assert_eq!(field(flag).default_answer().unwrap(), "No");
        let five = json!({"type": "integer", "maximum": 4, "default": 5});
        assert_eq!(field(five).default_answer(), None);
        let text = json!({"type": "string", "default": "a\u{1b}b"});
        assert_eq!(field(text).default_answer(), None);
    }

    #[test]
    fn what_is_not_simple_is_refused() {
        for bad in [
            json!({"type": "object", "properties": {}}),
            json!({"type": "array", "items": {"type": "object"}}),
            json!({"type": "string", "enum": []}),
            json!({"type": "string", "enum": [1]}),
            json!({"type": ["string", "null"]}),
            json!({}),
            json!(7),
            json!({"type": "string", "enum": vec!["x"; MOST_CHOICES + 1]}),
        ] {
            assert!(Field::read("f", &bad, true).is_err(), "{bad}");
        }
        assert!(Field::read("", &json!({"type": "string"}), true).is_err());
    }

    #[test]
    fn a_secret_is_noticed() {
        let secret = |name: &str, schema: Value| Field::read(name, &schema, true).unwrap().secret;
        assert!(secret("db_password", json!({"type": "string"})));
        assert!(secret("x", json!({"type": "string", "title": "Your API-Key"})));
        assert!(secret("x", json!({"type": "string", "format": "password"})));
        assert!(!secret("name", json!({"type": "string", "description": "not a secret"})));
    }
}
