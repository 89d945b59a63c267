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
