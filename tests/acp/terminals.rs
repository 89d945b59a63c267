//! Commands in terminals of the editor.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::Home;

fn model(arguments: &str) -> ModelServer {
    ModelServer::start(vec![
        Reply::new().tool_call("c", "Shell", arguments),
        Reply::new().text("done"),
    ])
}

/// An editor with terminals, and a prompt of which the command has been given to it: the call that it is to
/// answer with a terminal, and the prompt.
fn asked(server: &ModelServer, words: &[&str]) -> (Home, Editor, String, Value, Value, u64) {
    let home = Home::new(&server.url());
    let mut editor = Editor::start(&home, words);
    editor.initialize(json!({"terminal": true}));
    let session = editor.session(&home);
    let prompt = editor.prompt(&session, "go");
    let (id, params) = editor.called("terminal/create");
    (home, editor, session, id, params, prompt)
}

/// What the model is told of the command, one part beside the other.
fn result(server: &ModelServer) -> String {
    let request = &server.requests()[1].body;
    let told = request["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(told["role"], "tool");
    match &told["content"] {
        Value::String(text) => text.clone(),
        parts => {
            let parts = parts.as_array().unwrap().iter();
            let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
            texts.join("|")
        }
    }
}

/// Answers the end of a terminal: what it has printed, and that it is let go.
fn ends(editor: &mut Editor, output: &Value) {
    let (id, params) = editor.called("terminal/output");
    assert_eq!(params["terminalId"], "t1");
    editor.answer_call(&id, output.clone());
    let (id, params) = editor.called("terminal/release");
    assert_eq!(params["terminalId"], "t1");
    editor.answer_call(&id, json!({}));
}

#[test]
fn a_command_runs_in_a_terminal_of_the_editor() {
    for (end, output, status, told) in [
        (
            json!({"exitCode": 0, "signal": null}),
            json!({"output": "\u{1b}[31mred\u{1b}[0m\r\nend\r\n", "truncated": false}),
            "completed",
            "<system>Command executed successfully.</system>|red\nend\n",
        ),
        (
            json!({"exitCode": 3}),
            json!({"output": "oh\n", "truncated": true}),
            "failed",
            "<system>ERROR: Command failed with exit code: 3.</system>|[the beginning is gone: the editor \
             keeps the end alone]\noh\n",
        ),
        (
            json!({"exitCode": null, "signal": "SIGKILL"}),
            json!({"output": "", "truncated": false}),
            "failed",
            "<system>ERROR: Command failed with exit code: unknown (signal SIGKILL).</system>",
        ),
    ] {
        let server = model(r#"{"command":"touch made"}"#);
        let (home, mut editor, session, id, params, prompt) = asked(&server, &["--yolo"]);
        assert_eq!(params["sessionId"], *session);
        assert_eq!(params["args"], json!(["-c", "touch made"]));
        assert_eq!(params["cwd"], home.path("project").display().to_string());
        assert!(
            params["env"].as_array().unwrap().contains(&json!({"name": "PAGER", "value": "cat"}))
        );
        editor.answer_call(&id, json!({"terminalId": "t1"}));
        let (id, _) = editor.called("terminal/wait_for_exit");
        editor.answer_call(&id, end);
        ends(&mut editor, &output);
        assert_eq!(editor.stopped(prompt), "end_turn");
        assert_eq!(result(&server), told);
        let call =
            editor.updates().into_iter().find(|it| it["sessionUpdate"] == "tool_call").unwrap();
        let updates = editor.call_updates(call["toolCallId"].as_str().unwrap());
        let terminal = json!({"type": "terminal", "terminalId": "t1"});
        let shown = updates.iter().filter(|update| update["content"][0] == terminal);
        assert_eq!(shown.count(), 2, "as it begins and as it ends: {updates:?}");
        let last = updates.last().unwrap();
        assert_eq!(last["status"], status);
        let others = last["content"].as_array().unwrap().len() - 1;
        assert_eq!(
            others,
            usize::from(status == "failed"),
            "what it printed is seen there: {last}"
        );
        assert!(!home.path("project/made").exists(), "it has run once, in the editor");
        editor.finish();
    }
}

#[test]
fn an_editor_that_opens_none_has_its_commands_run_here() {
    let server = model(r#"{"command":"touch made; echo here"}"#);
    let (home, mut editor, _, id, _, prompt) = asked(&server, &["--yolo"]);
    editor.send(
        &json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": "no room"}}),
    );
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(home.path("project/made").exists());
    assert!(result(&server).ends_with("|here\n"));
    editor.finish();
}

#[test]
fn what_cannot_be_asked_about_is_not_run_twice() {
    let server = model(r#"{"command":"touch made"}"#);
    let (home, mut editor, _, id, _, prompt) = asked(&server, &["--yolo"]);
    editor.answer_call(&id, json!({"terminal": 1}));
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(!home.path("project/made").exists());
    let told = result(&server);
    assert!(told.contains("Find out what the command has done"), "{told}");
    editor.finish();
}

#[test]
fn a_command_that_takes_too_long_or_is_cancelled_is_ended() {
    for cancelled in [false, true] {
        let server = model(r#"{"command":"sleep 100","timeout":1}"#);
        let (_home, mut editor, session, id, _, prompt) = asked(&server, &["--yolo"]);
        editor.answer_call(&id, json!({"terminalId": "t1"}));
        let (waiting, _) = editor.called("terminal/wait_for_exit");
        if cancelled {
            editor.tell("session/cancel", json!({"sessionId": session}));
        }
        let (id, _) = editor.called("terminal/kill");
        editor.withdrawn(&waiting);
        editor.answer_call(&id, json!({}));
        ends(&mut editor, &json!({"output": "so far\n", "truncated": false}));
        if cancelled {
            assert_eq!(editor.stopped(prompt), "cancelled");
        } else {
            assert_eq!(editor.stopped(prompt), "end_turn");
            let told = "<system>ERROR: Command killed by timeout (1s).</system>|so far\n";
            assert_eq!(result(&server), told);
        }
        editor.finish();
    }
}

#[test]
fn a_terminal_that_opens_after_the_cancel_is_closed() {
    let server = model(r#"{"command":"sleep 100"}"#);
    let (_home, mut editor, session, id, _, prompt) = asked(&server, &["--yolo"]);
    editor.tell("session/cancel", json!({"sessionId": session}));
    assert_eq!(editor.stopped(prompt), "cancelled");
    editor.answer_call(&id, json!({"terminalId": "t1"}));
    let (id, _) = editor.called("terminal/kill");
    editor.answer_call(&id, json!({}));
    let (id, _) = editor.called("terminal/release");
    editor.answer_call(&id, json!({}));
    editor.finish();
}

#[test]
fn a_person_is_asked_before_a_terminal_opens() {
    let server = model(r#"{"command":"touch made"}"#);
    let home = Home::new(&server.url());
    let mut editor = Editor::start(&home, &[]);
    editor.initialize(json!({"terminal": true}));
    let session = editor.session(&home);
    let prompt = editor.prompt(&session, "go");
    let (id, _) = editor.called("session/request_permission");
    editor.select(&id, "reject");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(!editor.seen.iter().any(|it| it["method"] == "terminal/create"));
    editor.finish();
}

#[test]
fn an_editor_may_take_its_time_to_end_a_command() {
    let server = model(r#"{"command":"sleep 100"}"#);
    let (_home, mut editor, session, id, _, prompt) = asked(&server, &["--yolo"]);
    editor.answer_call(&id, json!({"terminalId": "t1"}));
    editor.called("terminal/wait_for_exit");
    editor.tell("session/cancel", json!({"sessionId": session}));
    let (kill, _) = editor.called("terminal/kill");
    assert_eq!(editor.stopped(prompt), "cancelled");
    let withdrawn =
        |it: &Value| it["method"] == "$/cancel_request" && it["params"]["requestId"] == kill;
    assert!(!editor.seen.iter().any(withdrawn), "that would take the end back");
    editor.answer_call(&kill, json!({}));
    ends(&mut editor, &json!({"output": "", "truncated": false}));
    editor.finish();
}

#[test]
fn an_editor_that_only_reads_any_more_hears_that_a_command_is_to_end() {
    let server = model(r#"{"command":"sleep 100"}"#);
    let (_home, mut editor, _, id, _, _) = asked(&server, &["--yolo"]);
    editor.answer_call(&id, json!({"terminalId": "t1"}));
    editor.called("terminal/wait_for_exit");
    editor.hang_up();
    assert_eq!(editor.ended().0, Some(0));
    for method in ["terminal/kill", "terminal/release"] {
        let calls = |it: &Value| it["method"] == method && it["params"]["terminalId"] == "t1";
        assert!(editor.seen.iter().any(calls), "{method}: {:?}", editor.seen);
    }
}
