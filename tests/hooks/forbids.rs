//! Hooks that forbid: nothing goes past them.

use serde_json::Value;

use super::world::{home, hook};
use crate::support::model_server::{ModelServer, Recorded, Reply};

/// The text of every tool result in the last request.
fn results(request: &Recorded) -> Vec<String> {
    let messages = request.body["messages"].as_array().unwrap();
    let tools = messages.iter().filter(|message| message["role"] == "tool");
    tools
        .map(|message| match &message["content"] {
            Value::String(text) => text.clone(),
            parts => parts.to_string(),
        })
        .collect()
}

/// A model that will have its file, by whatever tool: fifty attempts over many turns.
#[test]
fn a_guard_holds_over_yolo_and_every_attempt() {
    let script = |_: &Recorded, index: usize| {
        let path = format!("f{index}.txt");
        let write = format!(r#"{{"path":"{path}","content":"x"}}"#);
        let shell = format!(r#"{{"command":"echo x > {path}"}}"#);
        let edit = r#"{"path":"kept.txt","edit":{"old":"kept","new":"lost"}}"#.to_owned();
        match index {
            0..50 => {
                let (tool, arguments) = match index % 3 {
                    0 => ("WriteFile", write),
                    1 => ("Shell", shell),
                    _ => ("StrReplaceFile", edit),
                };
                // Twice the same in one step, too.
                let (a, b) = (format!("a{index}"), format!("b{index}"));
                Reply::new().tool_call(&a, tool, &arguments).tool_call(&b, tool, &arguments)
            }
            _ => Reply::new().text("I give up."),
        }
    };
    let server = ModelServer::start(script);
    let guard = hook("PreToolUse", "echo 'no writing here' >&2; exit 2", "");
    let home = home(&server, &guard);
    home.write("project/kept.txt", "kept");
    let ran = home.run(&["--yolo", "--print", "--final-message-only", "-p", "write it"]);
    assert_eq!(ran.well().out.trim(), "I give up.");
    let left: Vec<_> = std::fs::read_dir(home.path("project")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(std::fs::read_to_string(home.path("project/kept.txt")).unwrap(), "kept");
    let requests = server.requests();
    assert_eq!(requests.len(), 51);
    let results = results(requests.last().unwrap());
    assert_eq!(results.len(), 100);
    assert!(results.iter().all(|result| result.contains("no writing here")), "{results:?}");
}

#[test]
fn a_denial_in_words_forbids_and_garbage_of_another_hook_does_not_help() {
    let deny = r#"echo '{"hookSpecificOutput":{"permissionDecision":"deny","permissionDecisionReason":"said no"}}'"#;
    let garbage = r#"echo '{"hookSpecificOutput":[1]}'"#;
    let server = ModelServer::start(vec![
        Reply::new().tool_call("a", "Shell", r#"{"command":"touch made"}"#),
        Reply::new().text("ok"),
    ]);
    let hooks = hook("PreToolUse", garbage, "") + &hook("PreToolUse", deny, "matcher = 'Shell'");
    let home = home(&server, &hooks);
    home.run(&["--quiet", "-p", "x"]).well();
    assert!(!home.path("project/made").exists());
    assert!(results(server.requests().last().unwrap())[0].contains("said no"));
}

/// Whatever a hook does to us: it ends in its time, and a hook beside it is heard.
#[test]
fn floods_and_sleepers_end_in_their_time() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("a", "Shell", r#"{"command":"touch made"}"#),
        Reply::new().text("ok"),
        Reply::new().tool_call("b", "Shell", r#"{"command":"touch made"}"#),
        Reply::new().text("ok"),
    ]);
    let flood = "yes '{\"hookSpecificOutput\":'";
    let sleeper = "(trap '' TERM; sleep 60) & sleep 60";
    let slow = "timeout = 1\nmatcher = 'Shell'";
    let hooks = hook("PreToolUse", flood, slow) + &hook("PreToolUse", sleeper, slow);
    let home = home(&server, &hooks);
    home.run(&["--quiet", "-p", "x"]).well();
    assert!(home.path("project/made").exists());
    std::fs::remove_file(home.path("project/made")).unwrap();
    let closed = hook("PreToolUse", sleeper, "timeout = 1\nfail_closed = true");
    home.write("share/config.toml", crate::support::program::Home::config(&server.url()) + &closed);
    home.run(&["--quiet", "-p", "x"]).well();
    assert!(!home.path("project/made").exists());
    let result = &results(server.requests().last().unwrap())[0];
    assert!(result.contains("killed by its timeout (1s)"), "{result}");
}

#[test]
fn a_forbidden_prompt_is_answered_with_the_reason() {
    let server = ModelServer::start(vec![Reply::new().text("never")]);
    let home = home(&server, &hook("UserPromptSubmit", "echo 'not today' >&2; exit 2", ""));
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "x"]);
    let records = ran.well().records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["role"], "assistant");
    assert!(records[0]["content"].to_string().contains("not today"), "{records:?}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_blocked_call_says_so_in_two_words() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("a", "Shell", r#"{"command":"touch made"}"#),
        Reply::new().text("ok"),
    ]);
    let home = home(&server, &hook("PreToolUse", "echo 'not here' >&2; exit 2", ""));
    home.run(&["--quiet", "-p", "x"]).well();
    let wire = std::fs::read_to_string(home.session().join("wire.jsonl")).unwrap();
    let result = wire.lines().find(|line| line.contains("ToolResult")).expect("a result");
    assert!(result.contains("Hook blocked") && result.contains("not here"), "{result}");
}
