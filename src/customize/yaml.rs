//! YAML as plain data. The one place that knows the parser.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Values a document may have, aliases counted each time they are used.
const MAX_VALUES: usize = 20_000;
/// Bytes of text a document may have, counted the same way.
const MAX_TEXT: usize = 4 << 20;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::customize) enum Yaml {
    Null,
    Bool(bool),
    /// As text, since nothing calculates with it.
    Number(String),
    Text(String),
    List(Vec<Yaml>),
    /// In the order of the document, each key once.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// What a person calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a table",
        }
    }
}

/// Reads one document. The error is half a sentence and says the line where it is known.
///
/// What aliases blow a document up to is bounded, whatever its size in bytes.
pub(in crate::customize) fn parse(text: &str) -> Result<Yaml, String> {
    let budget = Budget { values: Cell::new(MAX_VALUES), text: Cell::new(MAX_TEXT) };
    let document = serde_norway::Deserializer::from_str(text);
    Seed(&budget).deserialize(document).map_err(|error| {
        let whole = error.to_string();
        let message = whole.split(" at line ").next().unwrap_or(&whole);
        match error.location() {
            Some(at) => format!("{message} at line {}, column {}", at.line(), at.column()),
            None => message.to_owned(),
        }
    })
}

/// What is left to read.
struct Budget {
    values: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    fn take<E: serde::de::Error>(&self, text: usize) -> Result<(), E> {
        let (values, left) = (self.values.get().checked_sub(1), self.text.get().checked_sub(text));
        let (Some(values), Some(left)) = (values, left) else {
            return Err(E::custom("it holds too much, counting what its aliases repeat"));
        };
        self.values.set(values);
        self.text.set(left);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Seed<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Yaml;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Yaml, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Yaml, E> {
        self.0.take(0)?;
        Ok(Yaml::Null)
    }

    /// An empty document.
    fn visit_none<E: serde::de::Error>(self) -> Result<Yaml, E> {
        self.visit_unit()
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Yaml, E> {
        self.0.take(0)?;
        Ok(Yaml::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Yaml, E> {
        self.0.take(0)?;
        Ok(Yaml::Number(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Yaml, E> {
        self.0.take(0)?;
        Ok(Yaml::Number(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Yaml, E> {
        self.0.take(0)?;
        Ok(Yaml::Number(value.to_string()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Yaml, E> {
        self.0.take(value.len())?;
        Ok(Yaml::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
        self.0.take(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Yaml::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
        self.0.take(0)?;
        let mut map: Vec<(String, Yaml)> = Vec::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let key = match key {
                Yaml::Text(key) | Yaml::Number(key) => key,
                Yaml::Bool(key) => key.to_string(),
                other => {
                    let kind = other.kind();
                    return Err(A::Error::custom(format!("a key is {kind} instead of text")));
                }
            };
            if map.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            let value = entries.next_value_seed(self)?;
            map.push((key, value));
        }
        Ok(Yaml::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Yaml {
        Yaml::Text(text.to_owned())
    }

    #[test]
    fn plain_data_comes_out() {
        let yaml =
            parse("a: 1\nb: [x, null, true, 1.5]\nc: |\n  two\n  lines\n'd': \"\"\n").unwrap();
        let list = vec![text("x"), Yaml::Null, Yaml::Bool(true), Yaml::Number("1.5".into())];
        assert_eq!(
            yaml,
            Yaml::Map(vec![
                ("a".into(), Yaml::Number("1".into())),
                ("b".into(), Yaml::List(list)),
                ("c".into(), text("two\nlines\n")),
                ("d".into(), text("")),
            ])
        );
        assert_eq!(parse("a: &x [1]\nb: *x\n").unwrap(), parse("a: [1]\nb: [1]\n").unwrap());
        assert_eq!(parse("").unwrap(), Yaml::Null);
        assert_eq!(parse("# only words\n").unwrap(), Yaml::Null);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (yaml, told) in [
            ("a: 1\nb: [\n", "at line "),
            ("a:\n\t- x\n", "at line 2"),
            ("a: *nowhere\n", "at line 1, column 4"),
            ("a: 1\nb: 2\na: 3\n", "the key `a` is there twice"),
            ("? [x]\n: y\n", "a key is a list"),
            ("a: 1\n---\nb: 2\n", "more than one document"),
        ] {
            let error = parse(yaml).unwrap_err();
            assert!(error.contains(told) && !error.contains('\n'), "{yaml}: {error}");
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let last = format!("*a{}", n - 1);
            laughs.push_str(&format!("a{n}: &a{n} [{}]\n", vec![last; 10].join(", ")));
        }
        let long = "x".repeat(100_000);
        let texts = format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 1000].join(", "));
        let wide = format!("a: &a [{}]\nb: [{}]\n", ["x, "; 500].concat(), ["*a, "; 500].concat());
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        let circle = "a: &a [*a]\n".to_owned();
        for bomb in [laughs, texts, wide, deep, circle] {
            assert!(parse(&bomb).is_err());
        }
    }
}
