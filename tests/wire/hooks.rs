//! Hooks that the client has subscribed to.

use serde_json::json;

use super::client::Client;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn world() -> (ModelServer, Home) {
    let server = ModelServer::start(|_: &Recorded, at: usize| match at {
        0 => Reply::new().tool_call("c1", "Shell", r#"{"command":"touch made"}"#),
        _ => Reply::new().text("Well."),
    });
    let home = Home::new(&server.url());
    (server, home)
}

#[test]
fn a_hook_is_asked_before_the_call_and_may_forbid_it() {
    for (answer, made) in [
        (json!({"action": "block", "reason": "not today"}), false),
        (json!({"action": "allow"}), true),
        (json!({"action": "perhaps"}), true),
    ] {
        let (server, home) = world();
        let mut client = Client::start(&home, &["--yolo"]);
        client.initialize(json!({"hooks":
            [{"id": "guard", "event": "PreToolUse", "matcher": "Shell", "timeout": 30},
             {"id": "other", "event": "PreToolUse", "matcher": "Glob"}]}));
        let prompt = client.prompt("do it");
        let (id, payload) = client.request("HookRequest");
        assert!(id.len() == 12 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
        assert_eq!(
            (&payload["subscription_id"], &payload["event"], &payload["target"]),
            (&json!("guard"), &json!("PreToolUse"), &json!("Shell"))
        );
        assert_eq!(payload["input_data"]["tool_input"], json!({"command": "touch made"}));
        client.reply(&id, answer.clone());
        let resolved = client.event("HookResolved");
        assert_eq!(resolved["action"], if made { "allow" } else { "block" }, "{answer}");
        assert_eq!(client.result(&prompt), json!({"status": "finished"}));
        assert_eq!(home.path("project/made").exists(), made, "{answer}");
        let shape = client.shape();
        let from = shape.iter().position(|word| word == "HookTriggered").unwrap();
        assert_eq!(shape[from..from + 3], ["HookTriggered", "HookRequest", "HookResolved"]);
        assert_eq!(server.requests()[1].raw.contains("not today"), !made);
        client.finish();
    }
}

#[test]
fn a_hook_without_an_answer_allows_after_its_time() {
    let (_server, home) = world();
    let mut client = Client::start(&home, &["--yolo"]);
    client.initialize(json!({"hooks": [{"id": "h", "event": "PreToolUse", "timeout": 1}]}));
    let prompt = client.prompt("do it");
    let (id, _) = client.request("HookRequest");
    assert_eq!(client.event("HookResolved")["action"], "allow");
    client.reply(&id, json!({"action": "block", "reason": "too late"}));
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(home.path("project/made").exists());
    client.finish();
}

#[test]
fn a_client_that_dies_while_it_is_asked_holds_nothing_up() {
    let (_server, home) = world();
    let mut client = Client::start(&home, &["--yolo"]);
    client.initialize(json!({"hooks": [
        {"id": "h", "event": "PreToolUse", "timeout": 600}, {"id": "e", "event": "SessionEnd", "timeout": 600}]}));
    client.prompt("do it");
    client.request("HookRequest");
    client.hang_up();
    assert_eq!(client.ended().0, Some(0));
    assert!(!home.path("project/made").exists(), "the turn was cancelled");
}

#[test]
fn prompts_and_ends_of_turns_are_heard_within_the_turn() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let mut client = Client::start(&home, &[]);
    client.initialize(json!({"hooks":
        [{"id": "u", "event": "UserPromptSubmit"}, {"id": "s", "event": "Stop"}]}));
    let prompt = client.prompt("hello");
    for event in ["UserPromptSubmit", "Stop"] {
        let (id, payload) = client.request("HookRequest");
        assert_eq!(payload["event"], event);
        client.reply(&id, json!({"request_id": id, "action": "allow", "reason": ""}));
    }
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert_eq!(client.shape()[1], "TurnBegin", "{:?}", client.shape());
    client.finish();
}

#[test]
fn whoever_never_said_hello_hears_of_no_hooks() {
    let (_server, home) = world();
    let config = std::fs::read_to_string(home.path("share/config.toml")).unwrap();
    let hook = "[[hooks]]\nevent = \"PreToolUse\"\ncommand = \"true\"\n";
    home.write("share/config.toml", config + hook);
    let mut client = Client::start(&home, &["--yolo"]);
    let prompt = client.prompt("do it");
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    let shape = client.shape();
    assert!(shape.contains(&"ToolResult".to_owned()), "{shape:?}");
    assert!(!shape.contains(&"HookTriggered".to_owned()), "{shape:?}");
    client.finish();
}
