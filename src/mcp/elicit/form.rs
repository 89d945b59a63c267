//! The form that a server wants filled in: a flat object of simple fields.

use serde_json::{Map, Value};

use super::field::Field;

/// Fields of one form.
const MOST_FIELDS: usize = 20;

/// The fields, in the order of the schema.
#[derive(Debug)]
pub struct Form {
    pub fields: Vec<Field>,
}

impl Form {
    /// Reads `requestedSchema`. The error says what is wrong with it.
    pub fn read(schema: &Value) -> Result<Self, String> {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("the requested schema is no object".to_owned());
        }
        let none = Map::new();
        let properties = match schema.get("properties") {
            None => &none,
            Some(Value::Object(properties)) => properties,
            Some(_) => return Err("the properties of the requested schema are none".to_owned()),
        };
        if properties.len() > MOST_FIELDS {
            return Err(format!("the form has more than {MOST_FIELDS} fields"));
        }
        let required = match schema.get("required") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(names)) => names,
            Some(_) => return Err("what the requested schema requires is no list".to_owned()),
        };
        let is_missing =
            |name: &&Value| name.as_str().is_none_or(|it| !properties.contains_key(it));
        if required.iter().any(|name| is_missing(&name)) {
            return Err("the requested schema requires a field that it has not".to_owned());
        }
        let is_required = |name: &str| required.iter().any(|it| it == name);
        let fields = properties
            .iter()
            .map(|(name, schema)| Field::read(name, schema, is_required(name)))
            .collect::<Result<_, _>>()?;
        Ok(Self { fields })
    }
}
