//! Reading typed values out of a tree of JSON values, lenient about spelling, exact about keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A value that is not allowed: the key it stands at and why, in one line.
pub(super) type Problem = String;

/// A table of the configuration.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    map: Option<&'a Map<String, Value>>,
    /// Dotted, with a dot at its end unless empty.
    path: String,
}

impl<'a> Fields<'a> {
    /// The whole document.
    pub fn root(map: &'a Map<String, Value>) -> Self {
        Self { map: Some(map), path: String::new() }
    }

    /// The full name of a key.
    pub fn name(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    /// A value; null counts as absent.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map?.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether the value may be a secret, or lie where one was meant to be.
    fn is_secret(&self, key: &str) -> bool {
        let name = self.name(key);
        let mut parts = name.split('.').peekable();
        matches!(parts.peek(), Some(&("providers" | "services")))
            || parts.any(|part| matches!(part, "api_key" | "custom_headers" | "env"))
    }

    fn wrong(&self, key: &str, wanted: &str, value: &Value) -> Problem {
        let kind = match value {
            Value::Null => "nothing".to_owned(),
            Value::Number(_) if self.is_secret(key) => "a number".to_owned(),
            Value::String(_) if self.is_secret(key) => "a string".to_owned(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
            Value::String(_) => "a long string".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a table".to_owned(),
        };
        format!("{}: expected {wanted}, got {kind}", self.name(key))
    }

    /// A table inside; an absent one is empty.
    pub fn table(&self, key: &str) -> Result<Self, Problem> {
        let path = format!("{}{key}.", self.path);
        match self.get(key) {
            None => Ok(Self { map: None, path }),
            Some(Value::Object(map)) => Ok(Self { map: Some(map), path }),
            Some(other) => Err(self.wrong(key, "a table", other)),
        }
    }

    /// The tables inside a table, by name.
    pub fn tables(&self, key: &str) -> Result<Vec<(&'a str, Self)>, Problem> {
        let outer = self.table(key)?;
        let names = outer.map.into_iter().flat_map(Map::keys);
        names.map(|name| Ok((name.as_str(), outer.table(name)?))).collect()
    }

    /// The tables of a list.
    pub fn list_of_tables(&self, key: &str) -> Result<Vec<Self>, Problem> {
        let list = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(self.wrong(key, "a list of tables", other)),
        };
        list.iter()
            .enumerate()
            .map(|(at, item)| match item {
                Value::Object(map) => {
                    Ok(Self { map: Some(map), path: format!("{}{key}[{at}].", self.path) })
                }
                other => Err(self.wrong(&format!("{key}[{at}]"), "a table", other)),
            })
            .collect()
    }

    /// True or false, also as 0/1 or as one of the usual words.
    pub fn bool(&self, key: &str, default: bool) -> Result<bool, Problem> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let wrong = || self.wrong(key, "true or false", value);
        match value {
            Value::Bool(value) => Ok(*value),
            Value::Number(number) => match number.as_f64() {
                Some(0.0) => Ok(false),
                Some(1.0) => Ok(true),
                _ => Err(wrong()),
            },
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }

    /// A whole number within bounds; 0 below the bounds counts as unset, because Go programs write
    /// out the fields they did not set.
    pub fn int(&self, key: &str, default: i64, min: i64, max: i64) -> Result<i64, Problem> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let number = match value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.wrong(key, "a whole number", value))?;
        if number == 0 && min > 0 {
            return Ok(default);
        }
        if number < min {
            return Err(self.wrong(key, &format!("at least {min}"), value));
        }
        if number > max {
            return Err(self.wrong(key, &format!("at most {max}"), value));
        }
        Ok(number)
    }

    /// A whole number of at least `min`; see [`Fields::int`].
    pub fn count(&self, key: &str, default: u64, min: u64) -> Result<u64, Problem> {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.int(key, signed(default), signed(min), i64::MAX).map(i64::unsigned_abs)
    }

    /// A number within bounds; 0 counts as unset.
    pub fn ratio(&self, key: &str, default: f64, min: f64, max: f64) -> Result<f64, Problem> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(0.0) => Ok(default),
            Some(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(self.wrong(key, &format!("a number from {min} to {max}"), value)),
        }
    }

    /// Text, if there is any.
    pub fn text(&self, key: &str) -> Result<Option<String>, Problem> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(key, "a string", other)),
        }
    }

    /// Text that has to be there.
    pub fn required(&self, key: &str) -> Result<String, Problem> {
        self.text(key)?.ok_or_else(|| format!("{}: missing", self.name(key)))
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Problem> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => list
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(self.wrong(key, "a list of strings", other)),
                })
                .collect(),
            Some(other) => Err(self.wrong(key, "a list of strings", other)),
        }
    }

    /// A set of names: a list, or a table of flags as Go programs write it.
    pub fn set(&self, key: &str) -> Result<Vec<String>, Problem> {
        match self.get(key) {
            Some(Value::Object(_)) => {
                let table = self.table(key)?;
                let names = table.map.into_iter().flat_map(Map::keys);
                let mut set = Vec::new();
                for name in names {
                    if table.bool(name, false)? {
                        set.push(name.clone());
                    }
                }
                Ok(set)
            }
            _ => self.texts(key),
        }
    }

    /// A table of texts; numbers and flags are taken as their text.
    pub fn text_map(&self, key: &str) -> Result<BTreeMap<String, String>, Problem> {
        let table = self.table(key)?;
        table
            .map
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), text.clone())),
                Value::Bool(_) | Value::Number(_) => Ok((name.clone(), value.to_string())),
                other => Err(table.wrong(name, "a string", other)),
            })
            .collect()
    }
}

/// A float that is a whole number.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}
