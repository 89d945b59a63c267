//! What hooks hear, to the letter.

use serde_json::{Value, json};

use super::world::{heard, home, listener};
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::Home;

/// What the listeners of an event were given, without the fields that every event has, which are
/// checked here.
fn of(home: &Home, event: &str) -> Vec<Value> {
    let session = home.session();
    let session = session.file_name().unwrap().to_str().unwrap();
    let cwd = home.path("project").canonicalize().unwrap();
    let mine = heard(home).into_iter().filter(|line| line["hook_event_name"] == event);
    mine.map(|mut line| {
        let fields = line.as_object_mut().unwrap();
        fields.remove("hook_event_name");
        assert_eq!(fields.remove("session_id").unwrap(), json!(session));
        let told = fields.remove("cwd").unwrap();
        let told = std::path::Path::new(told.as_str().unwrap()).canonicalize().unwrap();
        assert_eq!(told, cwd);
        line
    })
    .collect()
}

#[test]
fn a_whole_run_is_heard() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "Shell", r#"{"command":"echo out"}"#).tool_call(
            "c2",
            "ReadFile",
            r#"{"path":"nowhere"}"#,
        ),
        Reply::new().text("done"),
    ]);
    let events = [
        "SessionStart",
        "UserPromptSubmit",
        "PreToolUse",
        "post_tool_use",
        "PostToolUseFailure",
        "Stop",
        "SessionEnd",
    ];
    let home = home(&server, &events.map(|event| listener(event, "")).concat());
    home.run(&["--quiet", "-p", "hi there"]).well();
    assert_eq!(of(&home, "SessionStart"), [json!({"source": "startup"})]);
    assert_eq!(of(&home, "UserPromptSubmit"), [json!({"prompt": "hi there"})]);
    assert_eq!(
        of(&home, "PreToolUse"),
        [
            json!({"tool_name": "Shell", "tool_input": {"command": "echo out"}, "tool_call_id": "c1"}),
            json!({"tool_name": "ReadFile", "tool_input": {"path": "nowhere"}, "tool_call_id": "c2"}),
        ]
    );
    assert_eq!(
        of(&home, "PostToolUse"),
        [json!({
            "tool_name": "Shell", "tool_input": {"command": "echo out"}, "tool_output": "out\n",
            "tool_call_id": "c1",
        })]
    );
    let failures = of(&home, "PostToolUseFailure");
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["tool_call_id"], "c2");
    assert!(failures[0]["error"].as_str().unwrap().contains("nowhere"), "{failures:?}");
    assert_eq!(of(&home, "Stop"), [json!({"stop_hook_active": false})]);
    assert_eq!(of(&home, "SessionEnd"), [json!({"reason": "exit"})]);
    // The same session again.
    let session = home.session();
    let id = session.file_name().unwrap().to_str().unwrap();
    drop(home.run(&["--quiet", "--session", id, "-p", "again"]));
    assert_eq!(of(&home, "SessionStart")[1], json!({"source": "resume"}));
}

/// A call through `mcp_call` is one of the server's tool: it is heard and stopped by its own name,
/// however short the model wrote it.
#[test]
fn a_call_of_a_server_s_tool_is_heard_by_its_own_name() {
    use crate::mcp::server::Script;
    let server = ModelServer::start(vec![
        Reply::new()
            .tool_call("a", "mcp_call", r#"{"name":"echo","arguments":{"text":"hi"}}"#)
            .tool_call("b", "mcp_call", r#"{"name":"count"}"#),
        Reply::new().text("done"),
    ]);
    let guard = super::world::hook(
        "PreToolUse",
        "echo 'no counting' >&2; exit 2",
        "matcher = '^mcp__good__count$'",
    );
    let home = home(&server, &(listener("PreToolUse", "") + &guard));
    let servers = json!({"mcpServers": {"good": Script::new().entry()}});
    home.write("share/mcp.json", servers.to_string());
    home.run(&["--quiet", "-p", "x"]).well();
    let mut heard = of(&home, "PreToolUse");
    heard.sort_by_key(|line| line["tool_call_id"].to_string());
    assert_eq!(
        heard,
        [
            json!({"tool_name": "mcp__good__echo", "tool_input": {"text": "hi"}, "tool_call_id": "a"}),
            json!({"tool_name": "mcp__good__count", "tool_input": {}, "tool_call_id": "b"}),
        ]
    );
    let body = server.requests().last().unwrap().raw.clone();
    assert!(body.contains("no counting"), "{body}");
}

#[test]
fn a_hook_of_kimi_code_hears_kimi_code_s_names() {
    let server = ModelServer::start(vec![
        Reply::new()
            .tool_call("a", "Shell", r#"{"command":"true"}"#)
            .tool_call("b", "ReadFile", r#"{"path":"x"}"#)
            .tool_call("c", "Glob", r#"{"pattern":"*"}"#),
        Reply::new().text("done"),
    ]);
    let home = home(&server, &listener("PreToolUse", "^(Bash|Read|Write|Edit)$"));
    home.run(&["--quiet", "-p", "x"]).well();
    let mut heard = of(&home, "PreToolUse");
    heard.sort_by_key(|line| line["tool_call_id"].to_string());
    let names: Vec<&str> = heard.iter().map(|line| line["tool_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Bash", "Read"]);
}

#[test]
fn a_matcher_that_is_none_is_told_at_the_start() {
    let server = ModelServer::start(vec![Reply::new().text("done")]);
    let home = home(&server, &listener("PreToolUse", "+"));
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert!(ran.well().err.contains("hooks[0].matcher: \"+\" is no regular expression"), "{ran:?}");
}
