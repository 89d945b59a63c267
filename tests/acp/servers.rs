//! MCP servers that an editor gives to a session.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::mcp::lifecycle::{is_gone, wait_until};
use crate::mcp::server::{HttpServer, Script};
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// An entry of a configuration as the protocol has it.
pub fn given(name: &str, entry: Value) -> Value {
    let pairs = |value: &Value| -> Vec<Value> {
        let map = value.as_object().unwrap();
        map.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    json!({"name": name, "command": entry["command"], "args": entry["args"], "env": pairs(&entry["env"])})
}

/// A model that calls `echo` of these servers, one after the other, and ends.
fn calling(servers: &'static [&'static str]) -> ModelServer {
    ModelServer::start(move |_: &Recorded, index| match servers.get(index) {
        Some(server) => {
            let call = json!({"name": format!("{server}.echo"), "arguments": {"text": "hello"}});
            Reply::new().tool_call(&format!("c{index}"), "mcp_call", &call.to_string())
        }
        None => Reply::new().text("done"),
    })
}

#[test]
fn every_transport_works_and_ends_with_the_session() {
    let server = calling(&["own", "given", "http", "old"]);
    let home = Home::new(&server.url());
    let log = home.path("given.log");
    let http = HttpServer::start(Script::new());
    home.write("share/mcp.json", json!({"mcpServers": {"own": Script::new().entry()}}).to_string());
    let mut editor = Editor::ready(&home, &["--yolo"]);
    let script = Script::new().log(&log);
    let session = editor.session_with(
        &home,
        json!([
            given("given", script.entry()),
            {"type": "http", "name": "http", "url": http.url("/mcp"), "headers": []},
            {"type": "sse", "name": "old", "url": http.url("/sse"), "headers": []},
            {"name": "broken", "command": "/no/such/program", "args": [], "env": []},
            {"name": "nonsense"},
        ]),
    );
    let prompt = editor.prompt(&session, "call them");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let results: Vec<Value> = editor
        .updates()
        .into_iter()
        .filter(|update| update["status"] == "completed" || update["status"] == "failed")
        .collect();
    assert_eq!(results.len(), 4);
    for result in &results {
        assert_eq!(result["status"], "completed", "{result}");
        assert!(result["content"].to_string().contains("hello"), "{result}");
    }
    let pid: i32 = std::fs::read_to_string(log.with_extension("pid")).unwrap().parse().unwrap();
    assert!(!is_gone(pid));
    editor.ask("session/close", json!({"sessionId": session}));
    wait_until("the server is gone", || is_gone(pid));
    editor.finish();
}

#[test]
fn servers_end_with_the_editor() {
    let server = calling(&["given"]);
    let home = Home::new(&server.url());
    let log = home.path("given.log");
    let mut editor = Editor::ready(&home, &["--yolo"]);
    let entry = Script::new().log(&log).start("stubborn").entry();
    let session = editor.session_with(&home, json!([given("given", entry)]));
    let prompt = editor.prompt(&session, "call it");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let pid: i32 = std::fs::read_to_string(log.with_extension("pid")).unwrap().parse().unwrap();
    assert!(!is_gone(pid));
    editor.finish();
    wait_until("the server is gone", || is_gone(pid));
}

#[test]
fn servers_that_are_not_there_are_told_once_and_not_in_an_answer() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("done"));
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session_with(
        &home,
        json!([
            given("good", Script::new().entry()),
            {"name": "broken", "command": "/no/such/program", "args": [], "env": []},
            {"name": "nonsense"},
        ]),
    );
    let told = editor.update("agent_message_chunk")["content"]["text"].to_string();
    assert!(told.contains("MCP server broken is not connected: "), "{told}");
    assert!(told.contains("MCP server nonsense: "), "{told}");
    assert!(!told.contains("good"), "{told}");
    for _ in 0..2 {
        let prompt = editor.prompt(&session, "hello");
        assert_eq!(editor.stopped(prompt), "end_turn");
    }
    assert_eq!(editor.said("agent_message_chunk").matches("nonsense").count(), 1);
    assert!(editor.said("agent_message_chunk").ends_with("donedone"));
    editor.finish();
}

#[test]
fn an_approval_shows_what_a_tool_is_called_with() {
    let server = ModelServer::start(|_: &Recorded, index| match index {
        0 => {
            let call = json!({"name": "given.echo", "arguments": {"text": "a secret word"}});
            Reply::new().tool_call("c0", "mcp_call", &call.to_string())
        }
        _ => Reply::new().text("done"),
    });
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session_with(&home, json!([given("given", Script::new().entry())]));
    let prompt = editor.prompt(&session, "call it");
    let (id, asked) = editor.called("session/request_permission");
    let shown = asked["toolCall"]["content"].to_string();
    assert!(shown.contains("given") && shown.contains("a secret word"), "{asked}");
    editor.select(&id, "reject");
    editor.stopped(prompt);
    editor.finish();
}

#[test]
fn hostile_names_of_servers_are_told_in_short_lines() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("done"));
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let mut servers: Vec<Value> = (0..40).map(|n| json!({"name": format!("bad{n}")})).collect();
    servers.insert(0, json!({"name": "x".repeat(10_000)}));
    servers.insert(1, json!({"name": "a\u{1b}[31m\nforged\u{202e} line"}));
    editor.session_with(&home, Value::Array(servers));
    let told = editor.update("agent_message_chunk")["content"]["text"].as_str().unwrap().to_owned();
    assert!(told.len() < 4_000, "{} bytes", told.len());
    let lines = told.trim().lines().count();
    assert!(lines <= 9 && !told.contains('\u{1b}') && !told.contains('\u{202e}'), "{told:?}");
    assert!(told.contains("The same goes for 34 more."), "{told}");
    editor.finish();
}
