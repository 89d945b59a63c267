//! Prompts: what streams, tools, ends.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::support::model_server::{Gate, ModelServer, Recorded, Reply};
use crate::support::program::Home;
use crate::wire::turns::{is_alive, wait_for_pid};

#[test]
fn a_turn_streams_and_its_tools_are_told() {
    let todo = r#"{"todos":[{"title":"first","status":"done"},{"title":"second","status":"in_progress"}]}"#;
    let server = ModelServer::start(vec![
        Reply::new()
            .think("Let me see.")
            .text("One moment.")
            .tool_call("c0", "ReadFile", r#"{"path":"a.txt","line_offset":2}"#)
            .tool_call("c1", "WriteFile", r#"{"path":"new.txt","content":"fresh\n"}"#)
            .tool_call("c2", "StrReplaceFile", r#"{"path":"a.txt","edit":{"old":"two","new":"2"}}"#)
            .tool_call("c3", "Shell", r#"{"command":"echo `id -u`; exit 3"}"#)
            .tool_call("c4", "SetTodoList", todo),
        Reply::new().text("Done."),
        Reply::new().tool_call("c0", "Glob", r#"{"pattern":"*.txt"}"#),
        Reply::new().text("Again."),
    ]);
    let home = Home::new(&server.url());
    home.write("project/a.txt", "one\ntwo\nthree\n");
    let mut editor = Editor::ready(&home, &["--yolo"]);
    let session = editor.session(&home);
    let prompt = editor.prompt(&session, "go");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert_eq!(editor.said("agent_thought_chunk"), "Let me see.");
    assert_eq!(editor.said("agent_message_chunk"), "One moment.Done.");
    assert_eq!(editor.said("user_message_chunk"), "", "the editor knows what was said");

    let begun: Vec<Value> = editor
        .updates()
        .into_iter()
        .filter(|update| update["sessionUpdate"] == "tool_call")
        .collect();
    let kinds: Vec<_> = begun.iter().map(|call| call["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["read", "edit", "edit", "execute", "think"]);
    let of = |n: usize| editor.call_updates(begun[n]["toolCallId"].as_str().unwrap());
    let last = |n: usize| of(n).last().unwrap().clone();

    let read = of(0);
    let path = home.path("project/a.txt").display().to_string();
    assert_eq!(read[1]["title"], "ReadFile: a.txt");
    assert_eq!(read[1]["locations"], json!([{"path": path, "line": 2}]));
    assert_eq!(read[1]["rawInput"]["line_offset"], 2);
    assert!(last(0)["content"][0]["content"]["text"].as_str().unwrap().contains("two"));

    let new = home.path("project/new.txt").display().to_string();
    assert_eq!(
        last(1)["content"],
        json!([{"type": "diff", "path": new, "oldText": null, "newText": "fresh"}])
    );
    let edit = &last(2)["content"][0];
    assert_eq!((&edit["type"], &edit["path"]), (&json!("diff"), &json!(path)));
    assert!(edit["oldText"].as_str().unwrap().contains("two"), "{edit}");
    assert!(edit["newText"].as_str().unwrap().contains("\n2\n"), "{edit}");
    assert_eq!(std::fs::read_to_string(home.path("project/a.txt")).unwrap(), "one\n2\nthree\n");

    let statuses: Vec<_> = (0..5).map(|n| last(n)["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(statuses, ["completed", "completed", "completed", "failed", "completed"]);
    let shell = last(3)["content"][0]["content"]["text"].as_str().unwrap().to_owned();
    assert!(shell.starts_with("```") && shell.contains(|c: char| c.is_ascii_digit()), "{shell}");

    let plan = editor.updates().into_iter().find(|it| it["sessionUpdate"] == "plan").unwrap();
    assert_eq!(
        plan["entries"],
        json!([
            {"content": "first", "priority": "medium", "status": "completed"},
            {"content": "second", "priority": "medium", "status": "in_progress"},
        ])
    );

    // Another turn with the model's ids anew.
    let prompt = editor.prompt(&session, "again");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let ids: Vec<Value> = editor
        .updates()
        .into_iter()
        .filter(|update| update["sessionUpdate"] == "tool_call")
        .map(|update| update["toolCallId"].clone())
        .collect();
    assert_eq!(ids.len(), 6);
    assert!((0..6).all(|n| !ids[..n].contains(&ids[n])), "{ids:?}");
    editor.finish();
}

#[test]
fn everything_a_prompt_may_bring_reaches_the_model() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    home.write(
        "share/config.toml",
        Home::config(&server.url())
            .replace("max_context_size", "capabilities = [\"image_in\"]\nmax_context_size"),
    );
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session(&home);
    // One pixel.
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";
    let blocks = json!([
        {"type": "text", "text": "look"},
        {"type": "resource_link", "uri": "file:///x/y.rs", "name": "y.rs"},
        {"type": "resource", "resource": {"uri": "file:///z", "mimeType": "text/plain", "text": "inside"}},
        {"type": "image", "mimeType": "image/png", "data": png},
    ]);
    let prompt = editor.begin("session/prompt", json!({"sessionId": session, "prompt": blocks}));
    assert_eq!(editor.stopped(prompt), "end_turn");
    let sent = server.requests()[0].raw.clone();
    for part in [
        "look",
        "<resource_link uri='file:///x/y.rs' name='y.rs' />",
        "<resource uri='file:///z'>\\ninside\\n</resource>",
        "data:image/png;base64,",
    ] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    for blocks in [json!([]), json!([{"type": "audio", "data": "", "mimeType": "audio/wav"}])] {
        let params = json!({"sessionId": session, "prompt": blocks});
        assert_eq!(editor.refused("session/prompt", params)["code"], -32602);
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_prompt_is_cancelled() {
    for how in ["cancel", "$/cancel_request"] {
        let command = r#"{"command":"echo $$ > pid; trap '' TERM; sleep 86399"}"#;
        let server = ModelServer::start(vec![
            Reply::new().tool_call("c1", "Shell", command),
            Reply::new().text("still here"),
        ]);
        let home = Home::new(&server.url());
        let mut editor = Editor::ready(&home, &["--yolo"]);
        let session = editor.session(&home);
        let prompt = editor.prompt(&session, "run");
        let pid = wait_for_pid(&home);
        let busy = editor.prompt(&session, "and more");
        assert_eq!(editor.outcome(busy).unwrap_err()["code"], -32600);
        match how {
            "cancel" => editor.tell("session/cancel", json!({"sessionId": session})),
            _ => editor.tell("$/cancel_request", json!({"requestId": prompt})),
        }
        assert_eq!(editor.stopped(prompt), "cancelled", "{how}");
        assert!(!is_alive(pid), "{how}: the command runs on");
        let call = editor.updates().into_iter().rev().find(|it| it["status"].is_string()).unwrap();
        assert_eq!(call["status"], "failed", "{call}");
        // A cancel between prompts is nothing.
        editor.tell("session/cancel", json!({"sessionId": session}));
        let prompt = editor.prompt(&session, "go on");
        assert_eq!(editor.stopped(prompt), "end_turn");
    }
}

#[test]
fn a_provider_that_fails_is_an_error() {
    let refused = |status: u16| {
        let body = json!({"error": {"message": "no such luck"}});
        ModelServer::start(move |_: &Recorded, _| Reply::status(status, body.clone()))
    };
    for (status, code) in [(400, -32603), (401, -32000)] {
        let server = refused(status);
        let home = Home::new(&server.url());
        let mut editor = Editor::ready(&home, &[]);
        let session = editor.session(&home);
        let prompt = editor.prompt(&session, "hi");
        let error = editor.outcome(prompt).unwrap_err();
        assert_eq!(error["code"], code, "{error}");
        assert!(error["data"]["error"].as_str().unwrap().contains("no such luck"), "{error}");
    }
}

#[test]
fn the_step_limit_has_its_own_reason_and_commands_work() {
    let server = ModelServer::start(|_: &Recorded, _| {
        Reply::new().tool_call("c", "Glob", r#"{"pattern":"*"}"#)
    });
    let (_home, mut editor, session) = Editor::in_session(&server, &["--max-steps-per-turn", "2"]);
    let prompt = editor.prompt(&session, "go");
    assert_eq!(editor.stopped(prompt), "max_turn_requests");
    let asked = server.requests().len();
    let prompt = editor.prompt(&session, "/context");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(!editor.said("agent_message_chunk").is_empty());
    assert_eq!(server.requests().len(), asked, "a command is not for the model");
}

#[test]
fn sessions_do_not_wait_for_each_other() {
    let gate = Gate::new();
    let server = {
        let gate = gate.clone();
        ModelServer::start(move |request: &Recorded, _| match request.last_user_text().as_str() {
            "slow" => Reply::new().text("a").wait(&gate).text("b"),
            _ => Reply::new().text("quick"),
        })
    };
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let (one, other) = (editor.session(&home), editor.session(&home));
    assert_ne!(one, other);
    let slow = editor.prompt(&one, "slow");
    editor.update("agent_message_chunk");
    let quick = editor.prompt(&other, "quick");
    assert_eq!(editor.stopped(quick), "end_turn");
    gate.open();
    assert_eq!(editor.stopped(slow), "end_turn");
    for (session, said) in [(&one, "ab"), (&other, "quick")] {
        let of = editor.seen.iter().filter(|it| it["params"]["sessionId"] == **session);
        let chunks: String = of
            .filter(|it| it["params"]["update"]["sessionUpdate"] == "agent_message_chunk")
            .map(|it| it["params"]["update"]["content"]["text"].as_str().unwrap())
            .collect();
        assert_eq!(chunks, said);
    }
    assert_eq!(editor.ask("session/close", json!({"sessionId": one})), json!({}));
    assert_eq!(editor.refused("session/close", json!({"sessionId": one}))["code"], -32602);
    let gone = editor.prompt(&one, "hello?");
    assert_eq!(editor.outcome(gone).unwrap_err()["code"], -32602);
    let quick = editor.prompt(&other, "quick");
    assert_eq!(editor.stopped(quick), "end_turn");
}
