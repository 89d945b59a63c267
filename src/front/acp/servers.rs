//! The MCP servers that a client gives to a session.

use serde_json::{Map, Value, json};

use crate::mcp::config::{BadServer, Source};

/// The servers of this list. An entry that makes no sense spoils only itself.
pub(super) fn read(list: Vec<Value>) -> Source {
    let mut servers = Map::new();
    let mut bad = Vec::new();
    for (at, entry) in list.into_iter().enumerate() {
        match configured(&entry) {
            Ok((name, server)) => drop(servers.insert(name, server)),
            Err(reason) => {
                let name = entry["name"].as_str().map_or(format!("#{at}"), str::to_owned);
                bad.push(BadServer { name, reason });
            }
        }
    }
    let mut source = Source::default();
    // By themselves: a server may be called `mcpServers`.
    for (name, server) in servers {
        let object = Map::from_iter([("mcpServers".to_owned(), json!({name: server}))]);
        match Source::read(&object) {
            Ok(read) => {
                source.servers.extend(read.servers);
                bad.extend(read.bad);
            }
            Err(reason) => bad.push(BadServer { name: String::new(), reason }),
        }
    }
    Source { bad, ..source.literal() }
}

/// Name and entry of a server as the configuration has it.
fn configured(entry: &Value) -> Result<(String, Value), String> {
    let text = |key: &str| match &entry[key] {
        Value::String(text) => Ok(text.clone()),
        _ => Err(format!("{key}: expected text")),
    };
    let name = text("name")?;
    let kind = match &entry["type"] {
        Value::Null if entry["url"].is_null() => "stdio",
        Value::Null => "http",
        Value::String(kind) => kind,
        _ => return Err("type: expected text".to_owned()),
    };
    let server = match kind {
        "stdio" => json!({
            "command": text("command")?,
            "args": &entry["args"],
            "env": pairs(entry, "env")?,
        }),
        "http" | "sse" => json!({
            "type": kind,
            "url": text("url")?,
            "headers": pairs(entry, "headers")?,
        }),
        kind => return Err(format!("type {kind:?} is not one of stdio, http, sse")),
    };
    Ok((name, server))
}

/// A list of names with their values, as an object.
fn pairs(entry: &Value, key: &str) -> Result<Value, String> {
    let wrong = || format!("{key}: expected a list of names and values");
    let list = match &entry[key] {
        Value::Null => return Ok(json!({})),
        Value::Array(list) => list,
        _ => return Err(wrong()),
    };
    let pair = |pair: &Value| match (&pair["name"], &pair["value"]) {
        (Value::String(name), Value::String(value)) => Ok((name.clone(), json!(value))),
        _ => Err(wrong()),
    };
    Ok(Value::Object(list.iter().map(pair).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::config::{Reach, RemoteWire};
    use crate::platform::env::fixed;
    use std::path::Path;

    fn list(value: Value) -> Vec<Value> {
        value.as_array().cloned().unwrap()
    }

    #[test]
    fn every_way_to_reach_a_server_is_read() {
        let source = read(list(json!([
            {"name": "a", "command": "/bin/x", "args": ["-y"],
                "env": [{"name": "K", "value": "${HOME}"}]},
            {"type": "http", "name": "b", "url": "http://127.0.0.1:1/sse",
                "headers": [{"name": "H", "value": "v"}]},
            {"type": "sse", "name": "mcpServers", "url": "http://127.0.0.1:1/", "headers": []},
            {"name": "d", "command": "y", "args": [], "env": []},
        ])));
        assert_eq!(source.bad, []);
        let names: Vec<_> = source.servers.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "mcpServers", "d"]);
        let env = fixed::env(Path::new("/home/x"), &[("HOME", "/home/x")]);
        let Reach::Stdio { env, args, .. } = source.servers[0].expanded(&env).unwrap().reach else {
            panic!("a child process");
        };
        assert_eq!((env["K"].as_str(), args), ("${HOME}", vec!["-y".to_owned()]), "as it is");
        let wire = |at: usize| match &source.servers[at].reach {
            Reach::Remote { wire, headers, .. } => (*wire, headers.len()),
            Reach::Stdio { .. } => panic!("an address"),
        };
        assert_eq!((wire(1), wire(2)), ((RemoteWire::Http, 1), (RemoteWire::Sse, 0)));
    }

    #[test]
    fn an_entry_that_makes_no_sense_spoils_only_itself() {
        let source = read(list(json!([
            1,
            {},
            {"name": "no way"},
            {"name": "far", "type": "carrier pigeon"},
            {"name": "env", "command": "x", "env": {"A": "b"}},
            {"name": "args", "command": "x", "args": "y"},
            {"name": "head", "type": "http", "url": "u", "headers": [{"name": 1}]},
            {"name": "\u{1}", "command": "x"},
            {"name": "good", "command": "x"},
        ])));
        let bad: Vec<_> = source.bad.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(bad, ["#0", "#1", "no way", "far", "env", "head", "args", "\u{1}"]);
        assert_eq!(source.servers.len(), 1);
    }
}
