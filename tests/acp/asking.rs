//! Requests for permission: approvals and questions.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;
use crate::wire::requests::planning;

const ASK: &str = "session/request_permission";

/// A model that touches three files, one after the other.
fn touching() -> ModelServer {
    ModelServer::start(|_: &Recorded, index| match index {
        0..3 => {
            let command = format!(r#"{{"command":"touch made{index}"}}"#);
            Reply::new().tool_call(&format!("c{index}"), "Shell", &command)
        }
        _ => Reply::new().text("done"),
    })
}

#[test]
fn what_the_user_chooses_holds() {
    let server = touching();
    let (home, mut editor, session) = Editor::in_session(&server, &[]);
    let prompt = editor.prompt(&session, "go");
    let (id, asked) = editor.called(ASK);
    assert_eq!(asked["sessionId"], json!(session));
    let call = &asked["toolCall"];
    assert_eq!((&call["title"], &call["kind"]), (&json!("Shell: touch made0"), &json!("execute")));
    assert!(call["content"].to_string().contains("touch made0"), "{call}");
    // The editor has heard of this call before.
    let known = editor.call_updates(call["toolCallId"].as_str().unwrap());
    assert_eq!(known[0]["sessionUpdate"], "tool_call");
    let options: Vec<_> = asked["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["optionId"].as_str().unwrap(), it["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(
        options,
        [
            ("approve", "allow_once"),
            ("approve_for_session", "allow_always"),
            ("reject", "reject_once")
        ]
    );
    assert!(!home.path("project/made0").exists());
    editor.select(&id, "approve");
    let (id, _) = editor.called(ASK);
    assert!(home.path("project/made0").exists());
    editor.select(&id, "reject");
    assert_eq!(editor.stopped(prompt), "end_turn", "a rejection ends the turn");
    assert!(!home.path("project/made1").exists());
    let prompt = editor.prompt(&session, "go on");
    let (id, _) = editor.called(ASK);
    editor.select(&id, "approve_for_session");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(home.path("project/made2").exists());
    editor.finish();
}

#[test]
fn no_other_answer_is_a_yes() {
    let answers = [
        json!({"result": {"outcome": {"outcome": "cancelled"}}}),
        json!({"result": {"outcome": {"outcome": "selected", "optionId": "yes"}}}),
        json!({"result": null}),
        json!({"result": {"outcome": "approve"}}),
        json!({"error": {"code": -32603, "message": "no window"}}),
    ];
    for answer in answers {
        let server = touching();
        let home = Home::new(&server.url());
        let mut editor = Editor::ready(&home, &[]);
        let session = editor.session(&home);
        let prompt = editor.prompt(&session, "go");
        let (id, _) = editor.called(ASK);
        let mut message = answer.clone();
        message["jsonrpc"] = json!("2.0");
        message["id"] = id;
        editor.send(&message);
        assert_eq!(editor.stopped(prompt), "end_turn", "{answer}");
        assert!(!home.path("project/made0").exists(), "{answer}");
    }
}

#[test]
fn a_cancel_and_an_end_are_a_no() {
    for how in ["cancel", "close", "hang up"] {
        let server = touching();
        let home = Home::new(&server.url());
        let mut editor = Editor::ready(&home, &[]);
        let session = editor.session(&home);
        let prompt = editor.prompt(&session, "go");
        let (id, _) = editor.called(ASK);
        let of_session = json!({"sessionId": session});
        match how {
            "cancel" => {
                editor.tell("session/cancel", of_session);
                assert_eq!(editor.stopped(prompt), "cancelled");
                editor.withdrawn(&id);
                // Too late.
                editor.select(&id, "approve");
            }
            "close" => {
                let close = editor.begin("session/close", of_session);
                assert_eq!(editor.stopped(prompt), "cancelled");
                assert_eq!(editor.outcome(close), Ok(json!({})));
                editor.withdrawn(&id);
            }
            _ => {}
        }
        editor.finish();
        assert!(!home.path("project/made0").exists(), "{how}");
        assert_eq!(server.requests().len(), 1, "{how}");
    }
}

#[test]
fn questions_are_put_one_after_the_other() {
    let option = |label: &str| json!({"label": label, "description": format!("about {label}")});
    let question = |text: &str, labels: [&str; 2]| json!({"question": text, "header": "h", "options": labels.map(option), "multi_select": false});
    let questions = json!({"questions": [
        question("Which way?", ["left", "right"]),
        question("How far?", ["near", "far"]),
    ]});
    let server = ModelServer::start(move |_: &Recorded, index| match index {
        0 | 2 => Reply::new().tool_call("q", "AskUserQuestion", &questions.to_string()),
        _ => Reply::new().text("ok"),
    });
    let (_home, mut editor, session) = Editor::in_session(&server, &[]);
    let prompt = editor.prompt(&session, "go");
    let (id, asked) = editor.called(ASK);
    let names: Vec<&Value> =
        asked["options"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["left", "right", "Skip"]);
    let words = asked["toolCall"]["content"][0]["content"]["text"].as_str().unwrap().to_owned();
    assert!(words.starts_with("Which way?") && words.contains("about right"), "{words}");
    editor.select(&id, "option-1");
    let (id, _) = editor.called(ASK);
    editor.select(&id, "option-0");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let answered = server.requests()[1].raw.clone();
    assert!(answered.contains("right") && answered.contains("near"), "{answered}");
    // One that is skipped skips all: half an answer is none.
    let prompt = editor.prompt(&session, "again");
    let (id, _) = editor.called(ASK);
    editor.select(&id, "option-0");
    let (id, _) = editor.called(ASK);
    editor.select(&id, "skip");
    assert_eq!(editor.stopped(prompt), "end_turn");
    editor.finish();
}

#[test]
fn a_subagent_asks_about_a_call_that_is_announced() {
    let server = ModelServer::start(|request: &Recorded, _| {
        let said = request.last_user_text();
        let results = request.raw.matches("\"role\":\"tool\"").count();
        match (said.contains("touch it"), results) {
            (true, 0) => Reply::new().tool_call("in", "Shell", r#"{"command":"touch inner"}"#),
            (true, _) => Reply::new().text("A long enough summary of what was done. ".repeat(10)),
            (false, 0) => Reply::new().tool_call(
                "out",
                "Agent",
                r#"{"description":"touch","prompt":"touch it","subagent_type":"coder"}"#,
            ),
            (false, _) => Reply::new().text("done"),
        }
    });
    let (home, mut editor, session) = Editor::in_session(&server, &[]);
    let prompt = editor.prompt(&session, "delegate");
    let (id, asked) = editor.called(ASK);
    let call = asked["toolCall"]["toolCallId"].as_str().unwrap().to_owned();
    assert_eq!(editor.call_updates(&call)[0]["sessionUpdate"], "tool_call");
    editor.select(&id, "approve");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(home.path("project/inner").exists());
    assert_eq!(editor.call_updates(&call).last().unwrap()["status"], "completed");
    editor.finish();
}

#[test]
fn a_plan_is_shown_and_approved() {
    let server = planning();
    let (_home, mut editor, session) = Editor::in_session(&server, &[]);
    let prompt = editor.prompt(&session, "plan it");
    let (id, asked) = editor.called(ASK);
    let kinds = |asked: &Value| -> Vec<(String, String)> {
        let options = asked["options"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        options.map(|it| (text(&it["name"]), text(&it["kind"]))).collect()
    };
    assert_eq!(asked["toolCall"]["kind"], "switch_mode");
    let no = kinds(&asked).into_iter().find(|(name, _)| name == "No").unwrap();
    assert_eq!(no.1, "reject_once");
    editor.select(&id, "option-0");
    assert_eq!(editor.update("current_mode_update")["currentModeId"], "plan");
    let (id, asked) = editor.called(ASK);
    assert_eq!(editor.said("agent_message_chunk"), "# The plan");
    assert_eq!(kinds(&asked)[0], ("Approve".to_owned(), "allow_once".to_owned()));
    assert_eq!(kinds(&asked)[1], ("Reject".to_owned(), "reject_once".to_owned()));
    editor.select(&id, "option-0");
    assert_eq!(editor.update("current_mode_update")["currentModeId"], "default");
    assert_eq!(editor.stopped(prompt), "end_turn");
    editor.finish();
}
