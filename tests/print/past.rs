//! What outlasts a step or the program: messages to one's own past, the todo list.

use serde_json::json;

use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

#[test]
fn files_stay_and_the_detour_is_forgotten() {
    let mail = json!({"message": "made.txt is there already", "checkpoint_id": 1}).to_string();
    let server = ModelServer::start(move |_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c1", "WriteFile", r#"{"path":"made.txt","content":"detour"}"#),
        1 => Reply::new().tool_call("c2", "SendDMail", &mail),
        _ => Reply::new().text("Finished."),
    });
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "--final-message-only", "--agent", "okabe", "-p", "go"]);
    assert_eq!(ran.well().out, "Finished.\n");
    assert_eq!(std::fs::read_to_string(home.path("project/made.txt")).unwrap(), "detour");
    let requests = server.requests();
    let last = requests[2].body["messages"].to_string();
    assert!(last.contains("made.txt is there already") && !last.contains("detour"), "{last}");
    assert!(last.contains("CHECKPOINT 2") && !last.contains("CHECKPOINT 3"), "{last}");
    // The record is what kimi-cli would leave: checkpoints in order, the old file beside it.
    let session = home.session();
    let records = json_lines(&session.join("context.jsonl"));
    let ids: Vec<_> =
        records.iter().filter(|r| r["role"] == "_checkpoint").map(|r| &r["id"]).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(records[0]["role"], "_system_prompt");
    assert!(session.join("context_1.jsonl").is_file());
    // Another run goes on from there.
    home.run(&["--print", "--final-message-only", "--agent", "okabe", "-C", "-p", "more"]).well();
    let next = server.requests()[3].body["messages"].to_string();
    assert!(
        next.contains("Finished.") && next.contains("CHECKPOINT 4") && !next.contains("detour")
    );
}

#[test]
fn a_todo_list_outlives_the_program() {
    let list = json!({"todos": [{"title": "Dig", "status": "in_progress"}]}).to_string();
    let server = ModelServer::start(move |_: &Recorded, n: usize| match n {
        0 => Reply::new().tool_call("c1", "SetTodoList", &list),
        2 => Reply::new().tool_call("c2", "SetTodoList", "{}"),
        _ => Reply::new().text("ok"),
    });
    let home = Home::new(&server.url());
    home.run(&["--quiet", "-p", "plan"]).well();
    let state = std::fs::read_to_string(home.session().join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["todos"], json!([{"title": "Dig", "status": "in_progress"}]));
    home.run(&["--quiet", "-C", "-p", "where were we?"]).well();
    let told = server.requests()[3].body["messages"].to_string();
    assert!(told.contains("- [in_progress] Dig"), "{told}");
}

/// A resumed session goes on with the bytes that it began with, one that is emptied or compacted has
/// no such reason.
#[test]
fn rules_are_read_anew_where_the_conversation_is() {
    let server = ModelServer::start(|_: &Recorded, _: usize| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let rules = |words: &str| home.write("project/AGENTS.md", words);
    let system = || {
        let last = server.requests().pop().expect("a request");
        last.body["messages"][0]["content"].to_string()
    };
    rules("RULE-ONE");
    home.run(&["--quiet", "-p", "one"]).well();
    assert!(system().contains("RULE-ONE"), "{}", system());
    rules("RULE-TWO");
    home.run(&["--quiet", "-C", "-p", "two"]).well();
    assert!(system().contains("RULE-ONE"), "{}", system());
    home.run(&["--quiet", "-C", "-p", "/compact"]).well();
    home.run(&["--quiet", "-C", "-p", "three"]).well();
    assert!(system().contains("RULE-TWO"), "{}", system());
    rules("RULE-THREE");
    home.run(&["--quiet", "-C", "-p", "/clear"]).well();
    home.run(&["--quiet", "-C", "-p", "four"]).well();
    assert!(system().contains("RULE-THREE") && !system().contains("RULE-TWO"), "{}", system());
}

#[test]
fn instructions_that_are_cut_are_told_of() {
    let server = ModelServer::start(|_: &Recorded, _: usize| Reply::new().text("yes"));
    let home = Home::new(&server.url());
    home.write("project/AGENTS.md", "Use tabs.\n".repeat(4_000));
    let told = "AGENTS.md is too long: ";
    let ran = home.run(&["--print", "-p", "x"]);
    assert_eq!(
        (ran.well().out.as_str(), ran.err.matches(told).count()),
        ("yes\n", 1),
        "{}",
        ran.err
    );
    let report = home.run(&["--quiet", "--continue", "-p", "/context"]);
    assert_eq!(report.well().out.matches(told).count(), 1, "{}", report.out);
    // Where all of it fits, or the agent is not told of it, there is nothing to tell.
    home.write("own.md", "You are terse.\n");
    let file = home.path("own.md");
    let ran = home.run(&["--print", "--agent-file", file.to_str().unwrap(), "-p", "x"]);
    assert!(!ran.well().err.contains(told), "{}", ran.err);
    home.write("project/AGENTS.md", "Use tabs.\n");
    let ran = home.run(&["--print", "-p", "x"]);
    assert!(!ran.well().err.contains(told), "{}", ran.err);
}
