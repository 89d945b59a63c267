//! Changing one key of a configuration file and nothing else in it.

use std::io;
use std::path::Path;

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, TableLike};

use super::ConfigError;
use super::load::{MAX_BYTES, check_text, is_json, located, write_default_if_missing};
use crate::store::{RewriteError, rewrite};

/// A value to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Text(String),
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// Sets the key at this path (`["default_model"]`, `["tui", "status_bar"]`) in the file as it is
/// now, keeping comments, order and unknown keys. A missing file is written with all defaults
/// first. The file is replaced atomically and private to the user afterwards. What other processes
/// write meanwhile stays: nothing is ever written from an old copy.
pub fn set_key(path: &Path, key: &[&str], value: impl Into<Scalar>) -> Result<(), ConfigError> {
    if !is_json(path) {
        write_default_if_missing(path)?;
    }
    let value = value.into();
    replace(path, |text| {
        if is_json(path) {
            let text = if text.trim().is_empty() { "{}" } else { text };
            edit_json(path, text, key, value.clone())
        } else {
            edit_toml(path, text, key, value.clone())
        }
    })
}

/// The same for several keys at once of a TOML file: what `change` does to the document is written as
/// a whole or, when it fails or leaves what is no configuration, not at all.
pub(crate) fn edit_document(
    path: &Path,
    change: impl Fn(&mut DocumentMut) -> Result<(), String>,
) -> Result<(), ConfigError> {
    write_default_if_missing(path)?;
    replace(path, |text| {
        let mut document = document(path, text)?;
        change(&mut document).map_err(|problem| invalid(path, problem))?;
        let text = document.to_string();
        if !text.trim().is_empty() {
            check_text(&text).map_err(|error| invalid(path, error.to_string()))?;
        }
        Ok(text)
    })
}

fn replace(
    path: &Path,
    change: impl Fn(&str) -> Result<String, ConfigError>,
) -> Result<(), ConfigError> {
    let done = rewrite(path, MAX_BYTES, 0o600, |bytes| {
        let text = std::str::from_utf8(bytes.unwrap_or_default()).map_err(|error| {
            let source = io::Error::new(io::ErrorKind::InvalidData, error);
            ConfigError::Read { path: path.to_path_buf(), source }
        })?;
        let edited = change(text)?;
        Ok((edited != text).then(|| edited.into_bytes()))
    });
    let path = path.to_path_buf();
    done.map_err(|error| match error {
        RewriteError::Read(source) => ConfigError::Read { path, source },
        RewriteError::Write(source) => ConfigError::Write { path, source },
        RewriteError::Change(error) => error,
    })
}

fn edit_toml(path: &Path, text: &str, key: &[&str], value: Scalar) -> Result<String, ConfigError> {
    let mut document = document(path, text)?;
    let value = match value {
        Scalar::Bool(value) => toml_edit::Value::from(value),
        Scalar::Int(value) => toml_edit::Value::from(value),
        Scalar::Text(value) => toml_edit::Value::from(value),
    };
    let table: &mut dyn TableLike = document.as_table_mut();
    set_in_table(table, key, value).map_err(|problem| invalid(path, problem))?;
    Ok(document.to_string())
}

fn document(path: &Path, text: &str) -> Result<DocumentMut, ConfigError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let at = error.span().map_or(0, |span| span.start);
        let (message, line, column) = located(text, error.message(), at);
        ConfigError::Syntax { format: "TOML", path: path.to_path_buf(), message, line, column }
    })
}

fn set_in_table(
    table: &mut dyn TableLike,
    key: &[&str],
    mut value: toml_edit::Value,
) -> Result<(), String> {
    let (Some(name), rest) = (key.first(), key.get(1..).unwrap_or_default()) else {
        return Err("no key was given".to_owned());
    };
    if !rest.is_empty() {
        let inner = table.entry(name).or_insert_with(toml_edit::table);
        let inner = inner.as_table_like_mut().ok_or_else(|| format!("{name}: is not a table"))?;
        return set_in_table(inner, rest, value);
    }
    match table.get_mut(name) {
        Some(Item::Value(old)) => {
            // The comment behind the value belongs to its decoration.
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        Some(Item::Table(_) | Item::ArrayOfTables(_)) => {
            return Err(format!("{name}: is a table"));
        }
        Some(item @ Item::None) => *item = Item::Value(value),
        None => {
            table.insert(name, Item::Value(value));
        }
    }
    Ok(())
}

fn edit_json(path: &Path, text: &str, key: &[&str], value: Scalar) -> Result<String, ConfigError> {
    let mut root: Value = serde_json::from_str(text).map_err(|error| ConfigError::Syntax {
        format: "JSON",
        path: path.to_path_buf(),
        message: error.to_string(),
        line: error.line(),
        column: error.column(),
    })?;
    let value = match value {
        Scalar::Bool(value) => Value::from(value),
        Scalar::Int(value) => Value::from(value),
        Scalar::Text(value) => Value::from(value),
    };
    let mut at = &mut root;
    for name in key {
        let Value::Object(map) = at else {
            return Err(invalid(path, format!("{name}: is not in a table")));
        };
        at = map.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = value;
    serde_json::to_string_pretty(&root).map_err(|error| invalid(path, error.to_string()))
}

fn invalid(path: &Path, problem: String) -> ConfigError {
    ConfigError::Invalid { path: path.to_path_buf(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigSource};
    use std::fs;

    fn edited(text: &str, key: &[&str], value: impl Into<Scalar>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, text).unwrap();
        set_key(&path, key, value).unwrap();
        fs::read_to_string(&path).unwrap()
    }

    #[test]
    fn everything_else_stays_as_it_was() {
        let text = "# mine\ndefault_model = \"a\" # the good one\nunknown = [1,  2]\n\n[models.\"x/y\"] # z\nq=1\n";
        assert_eq!(edited(text, &["default_model"], "x/y"), text.replace("\"a\"", "\"x/y\""));
        assert_eq!(edited(text, &["default_model"], "a"), text);
    }

    #[test]
    fn new_keys_and_tables_are_added_where_they_belong() {
        insta::assert_snapshot!(edited("[models]\n", &["default_thinking"], true), @r"
        default_thinking = true
        [models]
        ");
        insta::assert_snapshot!(edited("theme = \"x\"\n", &["tui", "status_bar"], false), @r#"
        theme = "x"

        [tui]
        status_bar = false
        "#);
        assert_eq!(edited("tui = { a = 1 }\n", &["tui", "a"], 2), "tui = { a = 2 }\n");
    }

    #[test]
    fn a_missing_file_gets_the_defaults_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("share/config.toml");
        set_key(&path, &["theme"], "light").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("\ntheme = \"light\"\n") && text.contains("\ndefault_thinking = false\n")
        );
    }

    #[test]
    fn a_broken_file_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        for (text, key) in [
            ("theme = ", &["theme"][..]),
            ("theme = 1", &["theme", "x"]),
            ("[theme]\n", &["theme"]),
            ("a = 1", &[]),
        ] {
            fs::write(&path, text).unwrap();
            assert!(set_key(&path, key, "x").is_err(), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_others_wrote_since_the_start_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        write_default_if_missing(&path).unwrap();
        let env = crate::platform::env::fixed::env(dir.path(), &[]);
        Config::load(&ConfigSource::File(path.clone()), &env).unwrap();
        // An orchestrator raises the limit while we run.
        let text = fs::read_to_string(&path).unwrap();
        let raised = text.replace("tool_call_timeout_ms = 60000", "tool_call_timeout_ms = 600000");
        assert_ne!(raised, text);
        fs::write(&path, &raised).unwrap();
        set_key(&path, &["theme"], "light").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, raised.replace("theme = \"dark\"", "theme = \"light\""));
        assert!(!write_default_if_missing(&path).unwrap());
    }

    #[test]
    fn writers_of_different_keys_do_not_undo_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = &path;
                scope.spawn(move || set_key(path, &["tui", &format!("key{n}")], n).unwrap());
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        for n in 0..8 {
            assert!(text.contains(&format!("\nkey{n} = {n}\n")), "{text}");
        }
        assert!(text.contains("\ntool_call_timeout_ms = 60000\n"), "{text}");
    }

    #[test]
    fn json_files_stay_json() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.json");
        fs::write(&path, r#"{"b":1,"a":{"x":null}}"#).unwrap();
        set_key(&path, &["a", "y"], true).unwrap();
        let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(value.to_string(), r#"{"b":1,"a":{"x":null,"y":true}}"#);
    }
}
