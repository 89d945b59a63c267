//! What a plugin gets to know of the provider: in the environment of its tools, and in a file of its
//! own only when it names one.
//!
//! The file stays behind with a key in it, in the hands of other people's code: a plugin that can
//! should take the variables and leave `config_file` out.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::manifest::{Manifest, Source};
use crate::config::{self, Config};
use crate::platform::Env;
use crate::store::write_atomic;

/// The values that can be injected.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    pub api_key: String,
    pub base_url: String,
}

impl Secrets {
    /// Those of the default model's provider; nothing when there is none.
    pub fn of(config: &Config, env: &Env) -> Self {
        match config::select(config, None, env) {
            Ok(Some(choice)) => Self { api_key: choice.api_key, base_url: choice.base_url },
            _ => Self::default(),
        }
    }

    fn get(&self, source: Source) -> &str {
        match source {
            Source::ApiKey => &self.api_key,
            Source::BaseUrl => &self.base_url,
        }
    }

    /// The variables for the tools of a plugin. What is not known is left out.
    pub(super) fn variables(&self, manifest: &Manifest) -> Vec<(String, String)> {
        let all = manifest.inject.iter();
        all.map(|(target, source)| (target.clone(), self.get(*source).to_owned()))
            .filter(|(_, value)| !value.is_empty() && !value.contains('\0'))
            .collect()
    }

    /// Writes the values into the plugin's file, for the owner's eyes alone, unless they are there.
    pub(super) fn write(&self, dir: &Path, manifest: &Manifest) -> Result<(), String> {
        let Some(file) = manifest.config_file.as_ref().filter(|_| !manifest.inject.is_empty())
        else {
            return Ok(());
        };
        let path = dir.join(file);
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        // A link could lead to a file that is not the plugin's.
        let parent = path.parent().unwrap_or(dir);
        let inside = fs::canonicalize(parent)
            .and_then(|parent| Ok(parent.starts_with(fs::canonicalize(dir)?)));
        if !matches!(inside, Ok(true)) || path.is_symlink() {
            return Err(told(&"it is not inside of the plugin"));
        }
        let mut document = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| told(&error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Object(Map::new()),
            Err(error) => return Err(told(&error)),
        };
        let before = document.clone();
        for (target, value) in self.variables(manifest) {
            set(&mut document, &target, value)
                .ok_or_else(|| told(&format!("{target:?} leads through what is no object")))?;
        }
        if document == before {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&document).map_err(|error| told(&error))?;
        write_atomic(&path, text.as_bytes(), 0o600).map_err(|error| told(&error))
    }
}

/// Sets the value at a path with dots; objects on the way are made.
fn set(document: &mut Value, path: &str, value: String) -> Option<()> {
    let mut place = document;
    for part in path.split('.') {
        place = place.as_object_mut()?.entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = Value::String(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(config_file: Option<&str>) -> Manifest {
        let inject = json!({"auth.key": "api_key", "URL": "base_url"});
        serde_json::from_value(
            json!({"name": "p", "version": "1", "config_file": config_file, "inject": inject}),
        )
        .unwrap()
    }

    fn secrets() -> Secrets {
        Secrets { api_key: "sk".into(), base_url: "http://h".into() }
    }

    #[test]
    fn the_file_is_written_only_when_there_is_one() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        secrets().write(dir.path(), &manifest(None)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let path = dir.path().join("c.json");
        fs::write(&path, r#"{"auth": {"user": "me"}, "n": 1}"#).unwrap();
        secrets().write(dir.path(), &manifest(Some("c.json"))).unwrap();
        let written: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(
            written,
            json!({"auth": {"user": "me", "key": "sk"}, "n": 1, "URL": "http://h"})
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_elsewhere_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let victim = other.path().join("c.json");
        fs::write(&victim, "{}").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("c.json")).unwrap();
        std::os::unix::fs::symlink(other.path(), dir.path().join("sub")).unwrap();
        for file in ["c.json", "sub/c.json", "none/c.json"] {
            secrets().write(dir.path(), &manifest(Some(file))).unwrap_err();
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "{}");
        fs::write(dir.path().join("torn.json"), "{").unwrap();
        secrets().write(dir.path(), &manifest(Some("torn.json"))).unwrap_err();
        fs::write(dir.path().join("odd.json"), r#"{"auth": 7}"#).unwrap();
        secrets().write(dir.path(), &manifest(Some("odd.json"))).unwrap_err();
    }

    #[test]
    fn variables_have_the_names_of_their_targets() {
        let named = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let expected: Vec<_> =
            [("URL", "http://h"), ("auth.key", "sk")].iter().map(named).collect();
        assert_eq!(secrets().variables(&manifest(None)), expected);
        assert!(Secrets::default().variables(&manifest(None)).is_empty());
    }
}
