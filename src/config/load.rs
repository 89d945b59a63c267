//! Where a configuration comes from.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::parse::parse;
use super::{Config, ConfigError};
use crate::platform::env::Env;
use crate::store::{ShareDir, write_new};

/// A larger file is no configuration.
pub(super) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The default file, every key on its own line because other programs edit them by pattern.
const DEFAULT_FILE: &str = include_str!("default.toml");

/// Which configuration to use. They replace each other and are never merged.
#[derive(Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// `config.toml` in the data directory.
    Default,
    /// A file: JSON if its name ends in `.json`, else TOML.
    File(PathBuf),
    /// A text: JSON, else TOML.
    Text(String),
}

impl fmt::Debug for ConfigSource {
    /// Leaves a text out: it may have keys in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text(..)"),
        }
    }
}

/// A configuration and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedConfig {
    pub config: Config,
    /// What it was asked of.
    pub source: ConfigSource,
    /// The file that settings can be saved to; it may not exist yet. `None` for a text.
    pub path: Option<PathBuf>,
    /// Whether `path` is the default file, however it was given.
    pub is_default_file: bool,
    /// What a person should be told.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads and checks a configuration. A missing default file means all defaults and is not
    /// written (see [`write_default_if_missing`]); a `config.json` of old versions is taken over in
    /// its place.
    pub fn load(source: &ConfigSource, env: &Env) -> Result<LoadedConfig, ConfigError> {
        let share = ShareDir::from_env(env);
        let default = share.config_toml();
        let mut warnings = Vec::new();
        let (config, path) = match source {
            ConfigSource::Text(text) => {
                let document = text_document(text)?;
                (parse(&document, &mut warnings).map_err(ConfigError::Text)?, None)
            }
            ConfigSource::File(file) => {
                let path = env.cwd.join(file);
                let document = match read_document(&path)? {
                    Some(document) => document,
                    None if path == default => Map::new(),
                    None => {
                        let source = io::Error::new(io::ErrorKind::NotFound, "no such file");
                        return Err(ConfigError::Read { path, source });
                    }
                };
                (checked(&document, &path, &mut warnings)?, Some(path))
            }
            ConfigSource::Default => {
                let config = match read_document(&default)? {
                    Some(document) => checked(&document, &default, &mut warnings)?,
                    None => match read_document(&share.legacy_config_json())? {
                        Some(document) => migrate(document, &share, &mut warnings)?,
                        // Another process may have moved the old one over between the two looks.
                        None => match read_document(&default)? {
                            Some(document) => checked(&document, &default, &mut warnings)?,
                            None => Self::default(),
                        },
                    },
                };
                (config, Some(default.clone()))
            }
        };
        let is_default_file = path.as_ref() == Some(&default);
        Ok(LoadedConfig { config, source: source.clone(), path, is_default_file, warnings })
    }
}

/// Whether a text is a configuration.
pub fn check_text(text: &str) -> Result<(), ConfigError> {
    parse(&text_document(text)?, &mut Vec::new()).map(drop).map_err(ConfigError::Text)
}

/// Writes the file with all defaults unless there is something already. Returns whether it did.
pub fn write_default_if_missing(path: &Path) -> Result<bool, ConfigError> {
    write_new(path, DEFAULT_FILE.as_bytes(), 0o600)
        .map_err(|source| ConfigError::Write { path: path.to_path_buf(), source })
}

fn checked(
    document: &Map<String, Value>,
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Config, ConfigError> {
    parse(document, warnings)
        .map_err(|problem| ConfigError::Invalid { path: path.to_path_buf(), problem })
}

/// Writes an old `config.json` as TOML and renames it, once it is known to be good. Keys that other
/// programs edit by pattern are written out.
fn migrate(
    document: Map<String, Value>,
    share: &ShareDir,
    warnings: &mut Vec<String>,
) -> Result<Config, ConfigError> {
    let legacy = share.legacy_config_json();
    let config = checked(&document, &legacy, warnings)?;
    let mut document = Value::Object(document);
    drop_nulls(&mut document);
    write_out(&mut document, &["default_model"], Value::from(""));
    write_out(&mut document, &["default_thinking"], Value::from(false));
    let timeout = Value::from(config.mcp_client.tool_call_timeout_ms);
    write_out(&mut document, &["mcp", "client", "tool_call_timeout_ms"], timeout);
    let moved = toml::to_string_pretty(&document)
        .map_err(io::Error::other)
        .and_then(|text| write_new(&share.config_toml(), text.as_bytes(), 0o600))
        .and_then(|_| fs::rename(&legacy, legacy.with_extension("json.bak")));
    // When the old one is gone, another process did it.
    if let Err(error) = moved
        && legacy.exists()
    {
        warnings.push(format!("{} could not be turned into TOML: {error}", legacy.display()));
    }
    Ok(config)
}

/// Sets a key that is not there.
fn write_out(document: &mut Value, key: &[&str], value: Value) {
    let mut at = document;
    for name in key {
        let Value::Object(map) = at else { return };
        at = map.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    }
    if at.as_object().is_some_and(Map::is_empty) {
        *at = value;
    }
}

/// TOML has no null; a key without a value is absent.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => {
            list.retain(|value| !value.is_null());
            list.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

/// Reads a configuration file as text; `None` when there is none. Devices and pipes are allowed:
/// `/dev/null` is an empty configuration.
fn read_text(path: &Path) -> Result<Option<String>, ConfigError> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        let read = fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
        if read as u64 > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
        }
        Ok(text)
    };
    match read() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Read { path: path.to_path_buf(), source }),
    }
}

/// Whether a file is JSON by its name.
pub(super) fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn read_document(path: &Path) -> Result<Option<Map<String, Value>>, ConfigError> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    let text = text.trim_start_matches('\u{feff}');
    let format = if is_json(path) { "JSON" } else { "TOML" };
    let parsed = if is_json(path) { parse_json(text) } else { parse_toml(text) };
    parsed.map(Some).map_err(|(message, line, column)| ConfigError::Syntax {
        format,
        path: path.to_path_buf(),
        message,
        line,
        column,
    })
}

fn text_document(text: &str) -> Result<Map<String, Value>, ConfigError> {
    if text.trim().is_empty() {
        return Err(ConfigError::Text("Config cannot be empty".to_owned()));
    }
    let json = match parse_json(text) {
        Ok(document) => return Ok(document),
        Err(error) => error,
    };
    parse_toml(text).map_err(|toml| {
        // Which of the two was meant can be seen from its first character.
        let (format, (message, line, column)) =
            if text.trim_start().starts_with('{') { ("JSON", json) } else { ("TOML", toml) };
        ConfigError::Text(format!("invalid {format}: {message} at line {line} column {column}"))
    })
}

/// Message on one line, line, column.
pub(super) type SyntaxError = (String, usize, usize);

fn parse_json(text: &str) -> Result<Map<String, Value>, SyntaxError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(("the document is not an object".to_owned(), 1, 1)),
        Err(error) => {
            let full = error.to_string();
            let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
            Err((message, error.line(), error.column()))
        }
    }
}

fn parse_toml(text: &str) -> Result<Map<String, Value>, SyntaxError> {
    toml::from_str(text)
        .map_err(|error| located(text, error.message(), error.span().map_or(0, |span| span.start)))
}

/// Turns a byte offset into a line and a column, both from 1, the column in characters.
pub(super) fn located(text: &str, message: &str, at: usize) -> SyntaxError {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (message.split_whitespace().collect::<Vec<_>>().join(" "), line, column)
}

#[cfg(test)]
mod tests;
