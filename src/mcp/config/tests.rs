use std::fs;

use serde_json::json;

use super::*;
use crate::platform::env::fixed;

fn source(value: Value) -> Source {
    let Value::Object(map) = value else { panic!("no object") };
    Source::read(&map).unwrap()
}

fn one(entry: Value) -> Result<ServerConfig, String> {
    let mut source = source(json!({"mcpServers": {"s": entry}}));
    match source.bad.pop() {
        Some(bad) => Err(bad.reason),
        None => Ok(source.servers.remove(0)),
    }
}

#[test]
fn wrapped_bare_and_empty_sources() {
    let entry = json!({"command": "x"});
    let wrapped = source(json!({"mcpServers": {"a": entry}, "other": 1}));
    assert_eq!(wrapped, source(json!({"a": entry})));
    assert_eq!(wrapped.servers[0].name, "a");
    assert_eq!(source(json!({})), Source::default());
    assert_eq!(source(json!({"mcpServers": {}})), Source::default());
    for bad in [json!({"mcpServers": []}), json!({"a": {"cmd": "x"}}), json!({"a": 1})] {
        assert!(Source::read(bad.as_object().unwrap()).is_err(), "{bad}");
    }
}

#[test]
fn a_command_with_everything() {
    let server = one(json!({
        "command": "npx", "args": ["-y", 1], "env": {"K": "v", "N": 2}, "cwd": "/w", "type": "stdio",
        "timeout": 1500, "startupTimeoutMs": 10, "enabled": false, "enabledTools": ["a", "b"],
        "disabledTools": ["b"], "keep_alive": true, "description": "d", "icon": null
    }))
    .unwrap();
    let env = BTreeMap::from([("K".into(), "v".into()), ("N".into(), "2".into())]);
    assert_eq!(
        server.reach,
        Reach::Stdio {
            command: "npx".into(),
            args: vec!["-y".into(), "1".into()],
            env,
            cwd: Some("/w".into())
        }
    );
    assert_eq!(server.tool_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(server.startup_timeout, Duration::from_millis(10));
    assert_eq!(server.description.as_deref(), Some("d"));
    assert!(!server.enabled);
    let admitted = ["a", "b", "c"].map(|tool| server.tools.admits(tool));
    assert_eq!(admitted, [true, false, false]);
    assert!(ToolFilter::default().admits("any"));
}

#[test]
fn the_wire_follows_the_transport_or_the_path() {
    let wire = |entry: Value| match one(entry).unwrap().reach {
        Reach::Remote { wire, .. } => wire,
        Reach::Stdio { .. } => panic!("no remote"),
    };
    assert_eq!(wire(json!({"url": "https://h/mcp"})), RemoteWire::Http);
    assert_eq!(wire(json!({"url": "https://h/sse?x=1"})), RemoteWire::Sse);
    assert_eq!(wire(json!({"url": "https://h/ssex"})), RemoteWire::Http);
    assert_eq!(wire(json!({"url": "${U:-x}/sse"})), RemoteWire::Sse);
    assert_eq!(wire(json!({"url": "https://h/sse", "transport": "http"})), RemoteWire::Http);
    assert_eq!(wire(json!({"url": "https://h/mcp", "type": "sse"})), RemoteWire::Sse);
    assert_eq!(wire(json!({"url": "u", "transport": "streamable-http"})), RemoteWire::Http);
}

#[test]
fn what_is_wrong_is_named() {
    for (entry, reason) in [
        (json!({}), "neither \"command\" nor \"url\""),
        (json!({"command": "x", "url": "y"}), "both"),
        (json!({"command": 1}), "command: expected a string"),
        (json!({"command": " "}), "command is empty"),
        (json!({"command": "x", "args": "y"}), "args: expected a list of strings"),
        (json!({"command": "x", "args": [[]]}), "args: expected a list of strings"),
        (json!({"command": "x", "env": ["A=1"]}), "env: expected an object of strings"),
        (json!({"command": "x", "transport": "sse"}), "transport \"sse\" needs a \"url\""),
        (json!({"url": "x", "transport": "pipe"}), "transport \"pipe\" is not one of"),
        (json!({"url": "x", "timeout": "soon"}), "timeout: expected milliseconds"),
        (json!({"url": "x", "timeout": -1}), "timeout: expected milliseconds"),
        (json!({"url": "x", "enabled": "no"}), "enabled: expected true or false"),
        (json!({"url": "x", "auth": "oauth", "oauth": "id"}), "oauth: expected an object"),
        (json!({"url": "x", "auth": "oauth", "oauth": {"callbackPort": 70000}}), "callbackPort"),
        (json!([]), "expected an object"),
    ] {
        let told = one(entry.clone()).unwrap_err();
        assert!(told.contains(reason), "{entry}: {told}");
    }
    assert_eq!(source(json!({"mcpServers": {"a\nb": {"command": "x"}}})).bad.len(), 1);
}

#[test]
fn secrets_stay_out_of_what_is_printed() {
    let secret = "hunter2";
    for entry in [
        json!({"command": "x", "args": [secret], "env": {"K": secret}}),
        json!({"url": "u", "headers": {"K": secret}, "auth": secret}),
    ] {
        let text = format!("{:?}", one(entry).unwrap());
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn tokens_come_from_the_environment() {
    let env = fixed::env("/h", &[("T", "tok"), ("H", "h.example")]);
    let server = one(json!({
        "url": "https://${H}/mcp", "headers": {"X": "a${T}"}, "bearerTokenEnvVar": "T"
    }))
    .unwrap();
    let Reach::Remote { url, headers, auth, .. } = server.expanded(&env).unwrap().reach else {
        panic!("no remote")
    };
    assert_eq!((url.as_str(), headers["X"].as_str()), ("https://h.example/mcp", "atok"));
    assert!(auth == Auth::Bearer("tok".into()));
    let without = one(json!({"url": "u", "bearerTokenEnvVar": "NONE"})).unwrap();
    assert!(without.expanded(&env).unwrap_err().contains("NONE"));
    assert!(one(json!({"url": "u", "auth": "oauth"})).unwrap().expanded(&env).is_ok());
}

#[test]
fn later_sources_replace_whole_servers() {
    let mut loaded = Loaded::default();
    loaded.add(source(json!({"a": {"command": "1", "args": ["x"]}, "b": {"command": "2"}})));
    loaded.add(source(json!({"mcpServers": {"a": {"url": "u"}, "b": {}, "c": {}}})));
    assert_eq!(loaded.servers.len(), 1);
    assert!(matches!(loaded.servers[0].reach, Reach::Remote { .. }));
    let bad: Vec<&str> = loaded.bad.iter().map(|bad| bad.name.as_str()).collect();
    assert_eq!(bad, ["b", "c"]);
    loaded.add(source(json!({"c": {"command": "3"}})));
    assert_eq!((loaded.servers.len(), loaded.bad.len()), (2, 1));
}

#[test]
fn files_are_read_with_care() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mcp.json");
    let load = || {
        let mut loaded = Loaded::default();
        loaded.add_file(&path);
        loaded
    };
    assert_eq!(load(), Loaded::default());
    fs::write(&path, "\u{feff}{\"mcpServers\": {\"a\": {\"command\": \"x\"}}}").unwrap();
    assert_eq!(load().servers.len(), 1);
    fs::write(&path, " \n").unwrap();
    assert_eq!(load(), Loaded::default());
    for (text, reason) in [
        ("{\"token\": \"hunter2\", ", "invalid JSON at line 1"),
        ("[]", "it holds no JSON object"),
        ("{\"a\": 1}", "expected {\"mcpServers\""),
    ] {
        fs::write(&path, text).unwrap();
        let warnings = load().warnings.concat();
        assert!(warnings.contains(reason) && !warnings.contains("hunter2"), "{warnings}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(load().warnings[0].contains("no ordinary file"));
}

#[test]
fn variables_are_put_in_place_wherever_a_text_is() {
    let env = fixed::env("/h", &[("A", "a")]);
    let stdio = one(json!({
        "command": "${A}", "args": ["x${NONE:-d}"], "env": {"K": "${A}"}, "cwd": "/${A}"
    }));
    let stdio = stdio.unwrap().expanded(&env).unwrap();
    let env_of = BTreeMap::from([("K".to_owned(), "a".to_owned())]);
    let (command, args) = ("a".to_owned(), vec!["xd".to_owned()]);
    let cwd = Some("/a".into());
    assert_eq!(stdio.reach, Reach::Stdio { command, args, env: env_of, cwd });
}

#[test]
fn the_type_is_a_transport_and_times_have_an_order() {
    let remote = |entry: Value| match one(entry).unwrap().reach {
        Reach::Remote { wire, .. } => wire,
        other => panic!("{other:?}"),
    };
    assert_eq!(remote(json!({"url": "http://h/mcp", "type": "sse"})), RemoteWire::Sse);
    assert_eq!(remote(json!({"url": "http://h/sse", "type": "http"})), RemoteWire::Http);
    let both = one(json!({"command": "x", "timeout": 1_000, "toolTimeoutMs": 2_000})).unwrap();
    assert_eq!(both.tool_timeout, Some(Duration::from_secs(2)));
}
