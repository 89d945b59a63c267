//! Changing one key of a file of servers, keeping whatever else is in it.

use std::path::Path;

use serde_json::{Value, json};

use super::load::{MAX_FILE, parse};
use crate::store::{RewriteError, rewrite};

/// Writes whether a server is to be started into its entry. False when the file has no such entry.
/// The error is one line.
pub fn set_enabled(path: &Path, name: &str, enabled: bool) -> Result<bool, String> {
    let mut found = false;
    let change = |bytes: Option<&[u8]>| {
        found = false;
        let Some(bytes) = bytes else { return Ok(None) };
        let mut object = parse(bytes)?;
        let servers = match object.get_mut("mcpServers") {
            Some(Value::Object(servers)) => servers,
            Some(_) => return Ok(None),
            // A bare map of servers.
            None => &mut object,
        };
        let Some(Value::Object(entry)) = servers.get_mut(name) else { return Ok(None) };
        found = true;
        // The other word for it must not say something else.
        entry.shift_remove("disabled");
        match enabled {
            true => drop(entry.shift_remove("enabled")),
            false => drop(entry.insert("enabled".to_owned(), json!(false))),
        }
        let mut text = serde_json::to_string_pretty(&object).unwrap_or_default();
        text.push('\n');
        Ok(Some(text.into_bytes()))
    };
    rewrite(path, MAX_FILE, 0o600, change).map_err(|error| {
        let why = match error {
            RewriteError::Read(error) | RewriteError::Write(error) => error.to_string(),
            RewriteError::Change(why) => why,
        };
        format!("{} cannot be changed: {why}.", path.display())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_written_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mcp.json");
        assert_eq!(set_enabled(&path, "a", false), Ok(false));
        assert!(!path.exists());
        for text in [
            r#"{"mine": 1, "mcpServers": {"b": {"url": "u"}, "a": {"command": "x", "k": [1]}}}"#,
            r#"{"b": {"url": "u"}, "a": {"command": "x", "disabled": true, "k": [1]}}"#,
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(set_enabled(&path, "a", false), Ok(true));
            let off = std::fs::read_to_string(&path).unwrap();
            assert!(off.contains("\"enabled\": false") && !off.contains("disabled"), "{off}");
            assert_eq!(set_enabled(&path, "a", true), Ok(true));
            let on: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let mut before: Value = serde_json::from_str(text).unwrap();
            if let Some(entry) = before.get_mut("a") {
                entry.as_object_mut().unwrap().shift_remove("disabled");
            }
            assert_eq!(on, before);
            assert_eq!(set_enabled(&path, "none", true), Ok(false));
        }
        std::fs::write(&path, "{\"a\": hunter2").unwrap();
        let told = set_enabled(&path, "a", true).unwrap_err();
        assert!(told.contains("invalid JSON") && !told.contains("hunter2"), "{told}");
    }
}
