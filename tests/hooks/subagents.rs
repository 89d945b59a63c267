//! Hooks and the agents that the session's agent starts.

use serde_json::{Value, json};

use super::world::{heard, home, hook, listener};
use crate::support::model_server::{ModelServer, Recorded, Reply};

/// The first message of a conversation, and how many results it has.
fn conversation(request: &Recorded) -> (String, usize) {
    let messages = request.body["messages"].as_array().unwrap();
    let first = messages.iter().find(|message| message["role"] == "user").unwrap();
    let results = messages.iter().filter(|message| message["role"] == "tool").count();
    (first["content"].to_string(), results)
}

/// Sends one that writes, in the foreground or in the background.
fn sender(in_background: bool) -> ModelServer {
    ModelServer::start(move |request: &Recorded, _: usize| match conversation(request) {
        (first, results) if first.contains("TASK") => match results {
            0 => Reply::new().tool_call("s1", "Shell", r#"{"command":"touch by-shell"}"#),
            1 => {
                let write = r#"{"path":"by-tool","content":"x"}"#;
                Reply::new().tool_call("s2", "WriteFile", write)
            }
            _ => Reply::new().text("It would not let me. ".repeat(20)),
        },
        (_, 0) => {
            let arguments =
                json!({"description": "d", "prompt": "TASK", "run_in_background": in_background});
            Reply::new().tool_call("c1", "Agent", &arguments.to_string())
        }
        _ => Reply::new().text("So it is."),
    })
}

#[test]
fn a_guard_holds_for_whoever_is_sent() {
    for in_background in [false, true] {
        let server = sender(in_background);
        let guard =
            hook("PreToolUse", "echo 'no writing here' >&2; exit 2", "matcher = 'Shell|WriteFile'");
        let home = home(&server, &guard);
        home.run(&["--yolo", "--quiet", "-p", "write it"]).well();
        let left: Vec<_> = std::fs::read_dir(home.path("project")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        let requests = server.requests();
        let inner = requests.iter().rfind(|it| conversation(it).0.contains("TASK")).unwrap();
        assert_eq!(inner.raw.matches("no writing here").count(), 2, "{}", inner.raw);
    }
}

#[test]
fn begin_calls_and_end_are_heard() {
    let server = sender(false);
    let hooks: String = ["SubagentStart", "SubagentStop", "PreToolUse"]
        .iter()
        .map(|event| listener(event, ""))
        .collect();
    let home = home(&server, &hooks);
    home.run(&["--yolo", "--quiet", "-p", "write it"]).well();
    let heard = heard(&home);
    let what = |it: &Value| match it["hook_event_name"].as_str().unwrap() {
        "PreToolUse" => it["tool_name"].as_str().unwrap().to_owned(),
        event => format!("{event} {}", it["agent_name"].as_str().unwrap()),
    };
    let told: Vec<String> = heard.iter().map(what).collect();
    assert_eq!(told, ["Agent", "SubagentStart coder", "Shell", "WriteFile", "SubagentStop coder"]);
    assert_eq!(heard[1]["prompt"], "TASK");
    assert!(heard[4]["response"].as_str().unwrap().starts_with("It would not let me."));
    assert!(heard.iter().all(|it| it["session_id"] == heard[0]["session_id"]));
    assert!(home.path("project/by-tool").exists());
}

/// One in the background that the end of the session stops is heard of before that end.
#[test]
fn the_end_of_the_session_is_the_last_that_is_heard() {
    let server = ModelServer::start(|request: &Recorded, _: usize| match conversation(request) {
        (first, _) if first.contains("TASK") => Reply::hang(),
        (_, 0) => {
            let arguments =
                json!({"description": "d", "prompt": "TASK", "run_in_background": true});
            Reply::new().tool_call("c1", "Agent", &arguments.to_string())
        }
        _ => Reply::new().text("It runs."),
    });
    let slow =
        hook("SubagentStop", "line=$(cat); sleep 0.2; printf '%s\\n' \"$line\" >> heard.jsonl", "");
    let home = home(&server, &(slow + &listener("SessionEnd", "")));
    let mut running = home.start(&["--yolo", "--quiet", "-p", "send it"]);
    running.feed(b"");
    // The two of the session, and that of the agent.
    server.wait_for(3);
    running.signal(rustix::process::Signal::TERM);
    running.end();
    let heard = heard(&home);
    let names: Vec<&Value> = heard.iter().map(|it| &it["hook_event_name"]).collect();
    assert_eq!(names, ["SubagentStop", "SessionEnd"]);
    assert_eq!(heard[0]["response"], "The agent was stopped.");
}
