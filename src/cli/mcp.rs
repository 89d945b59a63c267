//! The MCP servers of the command line, from JSON as it was given to a checked list.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::McpServers;
use crate::mcp::config::Source;

/// Why the servers of an option cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {problem}.")]
pub(super) struct McpError {
    /// The option, or the file.
    origin: String,
    /// Names the server and its field, never a value: it may be a secret.
    problem: String,
}

/// Checks what was given and returns it in the order in which it is laid over each other: files, then
/// texts. Somebody asked for these servers by name, so that one that makes no sense is an error.
pub(super) fn check(given: &McpServers) -> Result<Vec<Source>, McpError> {
    let files = given.files.iter().map(|(path, object)| (Some(path), object));
    let texts = given.inline.iter().map(|object| (None, object));
    files.chain(texts).map(|(path, object)| read(path, object)).collect()
}

fn read(path: Option<&PathBuf>, object: &Map<String, Value>) -> Result<Source, McpError> {
    let error = |problem: String| McpError {
        origin: path.map_or("--mcp-config".to_owned(), |path| path.display().to_string()),
        problem,
    };
    // A bare map is wrapped, so that each entry is judged by itself.
    let wrapped = match object.contains_key("mcpServers") {
        true => object.clone(),
        false => Map::from_iter([("mcpServers".to_owned(), Value::Object(object.clone()))]),
    };
    let source = Source::read(&wrapped).map_err(error)?;
    match source.bad.first() {
        None => Ok(source),
        Some(bad) => Err(error(format!("MCP server {:?}: {}", bad.name, bad.reason))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::config::Loaded;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn inline(values: &[Value]) -> Result<Vec<Source>, String> {
        let inline = values.iter().cloned().map(object).collect();
        check(&McpServers { files: Vec::new(), inline }).map_err(|error| error.to_string())
    }

    #[test]
    fn bare_and_wrapped_lists_are_laid_over_each_other() {
        let sources = inline(&[
            json!({"a": {"type": "stdio", "command": "x", "args": ["-m"], "env": {"ID": "1"}}}),
            json!({"mcpServers": {"b": {"url": "http://127.0.0.1:1/mcp", "transport": "http"}}}),
            json!({"a": {"command": "y", "unheard_of": [1]}}),
            json!({}),
        ])
        .unwrap();
        let mut loaded = Loaded::default();
        sources.into_iter().for_each(|source| loaded.add(source));
        let names: Vec<&str> = loaded.servers.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(format!("{:?}", loaded.servers[0]).contains("\"y\""));
    }

    #[test]
    fn texts_come_over_files() {
        let files = vec![("/f.json".into(), object(json!({"c": {"command": "z"}})))];
        let inline = vec![object(json!({"d": {"command": "z"}}))];
        let sources = check(&McpServers { files, inline }).unwrap();
        let names: Vec<&str> =
            sources.iter().map(|source| source.servers[0].name.as_str()).collect();
        assert_eq!(names, ["c", "d"]);
    }

    #[test]
    fn errors_name_the_server_and_the_field() {
        for (value, told) in [
            (
                json!({"a": {"command": "x"}, "b": {"command": "x", "args": "hunter2"}}),
                "--mcp-config: MCP server \"b\": args: expected a list of strings.",
            ),
            (json!({"a": 1}), "--mcp-config: MCP server \"a\": expected an object."),
            (
                json!({"a": {"env": {}}}),
                "--mcp-config: MCP server \"a\": has neither \"command\" nor \"url\".",
            ),
            (json!({"mcpServers": []}), "--mcp-config: mcpServers: expected an object of servers."),
        ] {
            assert_eq!(inline(&[value]).unwrap_err(), told);
        }
        let files = vec![("/f.json".into(), object(json!({"c": {}})))];
        let error = check(&McpServers { files, inline: Vec::new() }).unwrap_err().to_string();
        assert!(error.starts_with("/f.json: MCP server \"c\": "), "{error}");
    }
}
