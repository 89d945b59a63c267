//! Reading and changing `mcp.json`, keeping whatever else is in it.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{Fault, UsageError};
use crate::mcp::config::{Source, read_file, servers_of};
use crate::store::write_atomic;

/// The file.
pub(super) struct McpFile {
    pub path: PathBuf,
}

impl McpFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn wrong(&self, why: &str) -> Fault {
        let message = format!("Invalid JSON in MCP config file '{}': {why}", self.path.display());
        Fault::File(UsageError::invalid("mcp.json", message))
    }

    fn read(&self) -> Result<Map<String, Value>, Fault> {
        let object = read_file(&self.path).map_err(|why| self.wrong(&why))?.unwrap_or_default();
        servers_of(&object).map_err(|why| self.wrong(&why))?;
        Ok(object)
    }

    /// The servers in it; none without a file.
    pub fn source(&self) -> Result<Source, Fault> {
        Source::read(&self.read()?).map_err(|why| self.wrong(&why))
    }

    /// Changes the servers and writes the file as a whole, private to the user.
    pub fn change(
        &self,
        change: impl FnOnce(&mut Map<String, Value>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut object = self.read()?;
        if !object.contains_key("mcpServers") && object.is_empty() {
            object.insert("mcpServers".to_owned(), json!({}));
        }
        match object.get_mut("mcpServers") {
            Some(Value::Object(servers)) => change(servers)?,
            // A bare map of servers stays one.
            _ => change(&mut object)?,
        }
        let mut text = serde_json::to_string_pretty(&object).unwrap_or_default();
        text.push('\n');
        write_atomic(&self.path, text.as_bytes(), 0o600)
            .map_err(|error| Fault::Plain(format!("{}: {error}", self.path.display())))
    }
}

/// The entry that the options of `kimi mcp add` describe. The error is one line.
pub(super) fn entry(
    transport: &str,
    target: &[String],
    env: &[String],
    headers: &[String],
    auth: Option<&str>,
) -> Result<Value, String> {
    match transport {
        "stdio" => {
            let Some((command, args)) = target.split_first() else {
                return Err(
                    "For stdio transport, provide the command to start the MCP server after \
                            `--`."
                        .to_owned(),
                );
            };
            if !headers.is_empty() {
                return Err("--header is only valid for http transport.".to_owned());
            }
            if auth.is_some() {
                return Err("--auth is only valid for http transport.".to_owned());
            }
            let mut entry = json!({"command": command, "args": args});
            if !env.is_empty() {
                entry["env"] = pairs(env, '=', "env", "KEY=VALUE")?;
            }
            Ok(entry)
        }
        "http" => {
            if !env.is_empty() {
                return Err("--env is only valid for stdio transport.".to_owned());
            }
            let url = match target {
                [] => return Err("URL is required for http transport.".to_owned()),
                [url] => url,
                _ => {
                    return Err(
                        "Multiple targets provided. Supply a single URL for http transport."
                            .to_owned(),
                    );
                }
            };
            let mut entry = json!({"url": url, "transport": "http"});
            if !headers.is_empty() {
                entry["headers"] = pairs(headers, ':', "header", "KEY: VALUE")?;
            }
            if let Some(auth) = auth {
                entry["auth"] = auth.into();
            }
            Ok(entry)
        }
        other => Err(format!("Unsupported transport: {other}. It is stdio or http.")),
    }
}

/// `KEY=VALUE` texts as an object. A header's value loses the blanks around it; a variable's keeps
/// them.
fn pairs(texts: &[String], between: char, what: &str, form: &str) -> Result<Value, String> {
    let mut map = Map::new();
    for text in texts {
        let pair = text
            .split_once(between)
            .map(|(key, value)| (key.trim(), if between == ':' { value.trim() } else { value }));
        match pair {
            Some((key, value)) if !key.is_empty() => {
                map.insert(key.to_owned(), value.into());
            }
            _ => return Err(format!("Invalid {what} format: {text} (expected {form}).")),
        }
    }
    Ok(Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn entries_are_those_of_kimi_cli() {
        let env = ["K=v=w ".to_owned()];
        assert_eq!(
            entry("stdio", &words("npx -y srv"), &env, &[], None).unwrap(),
            json!({"command": "npx", "args": ["-y", "srv"], "env": {"K": "v=w "}})
        );
        let header = ["X-Key:  a:b ".to_owned()];
        assert_eq!(
            entry("http", &words("https://h/mcp"), &[], &header, Some("oauth")).unwrap(),
            json!({"url": "https://h/mcp", "transport": "http", "headers": {"X-Key": "a:b"}, "auth": "oauth"})
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let one = ["x".to_owned()];
        for (transport, target, env, headers, auth, told) in [
            ("stdio", "", &[][..], &[][..], None, "after `--`"),
            ("stdio", "c", &[], &one, None, "--header"),
            ("stdio", "c", &[], &[], Some("oauth"), "--auth"),
            ("stdio", "c", &one, &[], None, "Invalid env format: x (expected KEY=VALUE)."),
            ("http", "", &[], &[], None, "URL is required"),
            ("http", "u v", &[], &[], None, "Multiple targets"),
            ("http", "u", &one, &[], None, "--env"),
            ("http", "u", &[], &one, None, "Invalid header format"),
            ("pigeon", "u", &[], &[], None, "Unsupported transport"),
        ] {
            let said = entry(transport, &words(target), env, headers, auth).unwrap_err();
            assert!(said.contains(told), "{said}");
        }
    }
}
