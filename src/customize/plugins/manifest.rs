//! `plugin.json`: what a plugin is called, what it brings, what it wants to know.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::store::read_regular;

/// The file's name.
pub const FILE: &str = "plugin.json";
/// Most bytes of it.
const MAX_BYTES: u64 = 1 << 20;
/// Longest name of a plugin or a tool.
const MAX_NAME: usize = 64;

/// A plugin as its file describes it (agents-skills-hooks.md section 4). Keys that are not known are
/// passed over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub description: String,
    /// A JSON file of the plugin that [`Manifest::inject`] is written into.
    #[serde(default)]
    pub config_file: Option<String>,
    /// What its tools get in their environment, by the variable's name. With a `config_file` the same
    /// is written into that, where the name is a path with dots.
    #[serde(default)]
    pub inject: BTreeMap<String, Source>,
    #[serde(default)]
    pub tools: Vec<ToolEntry>,
}

/// What can be injected: both of the provider of the default model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    ApiKey,
    BaseUrl,
}

/// A tool of a plugin.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ToolEntry {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// The program and its arguments; no shell sees them.
    pub command: Vec<String>,
    /// A JSON schema.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
}

fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}})
}

impl Manifest {
    /// Reads the file in this directory. The error is one line.
    pub fn read(dir: &Path) -> Result<Self, String> {
        let path = dir.join(FILE);
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let bytes = read_regular(&path, MAX_BYTES).map_err(|error| told(&error))?;
        let bytes = bytes.ok_or_else(|| told(&"there is no such file"))?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| told(&error))?;
        manifest.check().map_err(|error| told(&error))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) {
            return Err(format!(
                "the name {:?} must be 1 to {MAX_NAME} letters, digits, `-`, `_` or `.`, and begin \
                 with none of the last",
                self.name
            ));
        }
        if self.version.is_empty() {
            return Err("the version is empty".to_owned());
        }
        if let Some(file) = &self.config_file
            && !is_inside(file)
        {
            return Err(format!("config_file {file:?} is not inside of the plugin"));
        }
        for target in self.inject.keys() {
            if target.is_empty() || target.contains(['=', '\0']) {
                return Err(format!("inject has the target {target:?}, which is no name"));
            }
        }
        for tool in &self.tools {
            if tool.command.first().is_none_or(String::is_empty) {
                return Err(format!("the tool {:?} has no command", tool.name));
            }
            if tool.command.iter().any(|word| word.contains('\0')) {
                return Err(format!(
                    "the command of the tool {:?} has a null character",
                    tool.name
                ));
            }
            if !tool.parameters.is_object() {
                return Err(format!("the parameters of the tool {:?} are no schema", tool.name));
            }
        }
        Ok(())
    }
}

/// Whether it can be the name of a plugin, which is the name of a directory too.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && name.chars().all(allowed)
}

/// Whether model servers take it as the name of a tool.
pub(super) fn is_tool_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(allowed)
}

/// Whether a relative path stays inside of the directory that it is in.
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\0', '\\'])
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        Manifest::read(dir.path())
    }

    #[test]
    fn a_whole_file_is_read() {
        let manifest = read(
            r#"{"name": "notes", "version": "1.2", "config_file": "conf/c.json", "later": [1],
                "inject": {"auth.key": "api_key", "URL": "base_url"},
                "runtime": {"host": "kimi", "host_version": "1"},
                "tools": [{"name": "note", "command": ["./run", "a b"]}]}"#,
        )
        .unwrap();
        assert_eq!((manifest.name.as_str(), manifest.description.as_str()), ("notes", ""));
        assert_eq!(manifest.inject["auth.key"], Source::ApiKey);
        assert_eq!(manifest.tools[0].parameters, no_parameters());
    }

    #[test]
    fn what_cannot_be_is_refused_in_a_line() {
        for (text, why) in [
            ("{", "EOF"),
            (r#"{"version": "1"}"#, "`name`"),
            (r#"{"name": "a"}"#, "`version`"),
            (r#"{"name": "../a", "version": "1"}"#, "the name \"../a\""),
            (r#"{"name": ".a", "version": "1"}"#, "the name"),
            (r#"{"name": "a/b", "version": "1"}"#, "the name"),
            (r#"{"name": "a\u001b[2J", "version": "1"}"#, "the name \"a\\u{1b}[2J\""),
            (r#"{"name": "a", "version": "1", "config_file": "../x"}"#, "config_file"),
            (r#"{"name": "a", "version": "1", "config_file": "/etc/x"}"#, "config_file"),
            (r#"{"name": "a", "version": "1", "inject": {"K": "password"}}"#, "password"),
            (r#"{"name": "a", "version": "1", "inject": {"A=B": "api_key"}}"#, "no name"),
            (
                r#"{"name": "a", "version": "1", "tools": [{"name": "t", "command": []}]}"#,
                "command",
            ),
            (
                r#"{"name": "a", "version": "1", "tools": [{"name": "t", "command": ["x"], "parameters": 1}]}"#,
                "no schema",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
