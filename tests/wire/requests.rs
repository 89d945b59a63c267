//! Approvals, questions and the review of a plan.

use serde_json::{Value, json};

use super::client::Client;
use crate::mcp::lifecycle::wait_until;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn shell(id: &str, command: &str) -> Reply {
    Reply::new().tool_call(id, "Shell", &json!({"command": command}).to_string())
}

#[test]
fn an_approval_has_every_field_and_is_echoed() {
    let server = ModelServer::start(vec![shell("c1", "touch made"), Reply::new().text("Done.")]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let prompt = client.prompt("do it");
    let (id, payload) = client.request("ApprovalRequest");
    let keys: Vec<&String> = payload.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "id",
            "tool_call_id",
            "sender",
            "action",
            "description",
            "source_kind",
            "source_id",
            "agent_id",
            "subagent_type",
            "source_description",
            "display"
        ]
    );
    assert_eq!((&payload["tool_call_id"], &payload["sender"]), (&json!("c1"), &json!("Shell")));
    assert_eq!(payload["action"], "run command");
    assert_eq!(payload["source_kind"], "foreground_turn");
    assert_eq!(
        payload["display"][0],
        json!({"type": "shell", "language": "bash", "command": "touch made"})
    );
    assert_eq!(payload["display"].as_array().unwrap().len(), 1);
    // The id within is not what counts.
    client.reply(&id, json!({"request_id": "another", "response": "approve"}));
    assert_eq!(
        client.event("ApprovalResponse"),
        json!({"request_id": id, "response": "approve", "feedback": ""})
    );
    assert_eq!(client.event("ToolResult")["return_value"]["is_error"], false);
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(home.path("project/made").exists());
    // An answer to what is decided changes nothing.
    client.reply(&id, json!({"request_id": id, "response": "reject"}));
    client.finish();
}

#[test]
fn who_shows_notes_is_told_what_an_approval_for_the_session_covers() {
    let server = ModelServer::start(vec![shell("c1", "touch made"), Reply::new().text("Done.")]);
    let home = Home::new(&server.url());
    let mut client = Client::start(&home, &[]);
    client.initialize(json!({"capabilities": {"supports_approval_note": true}}));
    let prompt = client.prompt("do it");
    let (id, payload) = client.request("ApprovalRequest");
    let note = payload["note"].as_str().unwrap();
    assert!(note.contains("For this session: "), "{note}");
    assert_eq!(payload["display"].as_array().unwrap().len(), 1);
    client.reply(&id, json!({"request_id": id, "response": "approve"}));
    client.result(&prompt);
    client.finish();
}

#[test]
fn what_an_agent_in_the_background_asks_is_sent_again_to_who_says_hello() {
    let send = json!({"description": "make it", "prompt": "SUBTASK", "subagent_type": "coder",
        "run_in_background": true});
    let server = ModelServer::start(move |request: &Recorded, _: usize| {
        let last = request.body["messages"].as_array().unwrap().last().unwrap().to_string();
        match last.contains("SUBTASK") {
            true => shell("s1", "touch made"),
            false if last.contains("begin") => {
                Reply::new().tool_call("c1", "Agent", &send.to_string())
            }
            false => Reply::new()
                .text("It is under way, and there is nothing more to say of it. ".repeat(9)),
        }
    });
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let prompt = client.prompt("begin");
    let (id, asked) = client.request("ApprovalRequest");
    assert_eq!(asked["source_kind"], "background_agent");
    if !client.seen.iter().any(|it| it["id"] == prompt.as_str()) {
        client.result(&prompt);
    }
    for _ in 0..2 {
        client.initialize(json!({}));
        assert_eq!(client.request("ApprovalRequest"), (id.clone(), asked.clone()));
    }
    client.reply(&id, json!({"request_id": id, "response": "approve"}));
    wait_until("the command runs", || home.path("project/made").exists());
    // What is decided is not sent again: the answer to the next call is all that comes.
    client.initialize(json!({}));
    let seen = client.seen.len();
    let idle = client.call("cancel", json!({}));
    assert_eq!(client.error(&idle).0, -32000);
    let since = &client.seen[seen..];
    assert!(since.iter().all(|it| it["method"] != "request"), "{since:?}");
    client.finish();
}

#[test]
fn an_approval_for_the_session_is_asked_once() {
    let server = ModelServer::start(vec![
        shell("c1", "touch made"),
        shell("c2", "touch made"),
        Reply::new().text("Done."),
    ]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let prompt = client.prompt("do it");
    let (id, _) = client.request("ApprovalRequest");
    client.reply(&id, json!({"request_id": id, "response": "approve_for_session"}));
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    let asked = client.shape().iter().filter(|word| *word == "ApprovalRequest").count();
    assert_eq!(asked, 1);
    client.finish();
}

#[test]
fn every_other_answer_is_a_no() {
    let no: [(Value, bool); 6] = [
        (json!({"result": {"response": "reject"}}), true),
        (json!({"result": {"response": "reject", "feedback": "use make"}}), false),
        (json!({"result": {"response": "yes"}}), true),
        (json!({"result": ["approve"]}), true),
        (json!({"result": null}), true),
        (json!({"error": {"code": -1, "message": "closed"}}), true),
    ];
    for (answer, stops) in no {
        let server = ModelServer::start(|_: &Recorded, at: usize| match at {
            0 => shell("c1", "touch made"),
            _ => Reply::new().text("Well."),
        });
        let home = Home::new(&server.url());
        let mut client = Client::ready(&home, &[]);
        let prompt = client.prompt("do it");
        let (id, _) = client.request("ApprovalRequest");
        let mut message = answer.clone();
        message["id"] = json!(id);
        client.raw(format!("{message}\n").as_bytes());
        assert_eq!(client.event("ApprovalResponse")["response"], "reject", "{answer}");
        assert_eq!(client.event("ToolResult")["return_value"]["is_error"], true, "{answer}");
        assert_eq!(client.result(&prompt), json!({"status": "finished"}));
        assert!(!home.path("project/made").exists(), "{answer}");
        assert_eq!(server.requests().len(), if stops { 1 } else { 2 }, "{answer}");
        if !stops {
            assert!(server.requests()[1].raw.contains("use make"));
        }
        client.finish();
    }
}

#[test]
fn a_cancel_takes_the_question_back() {
    let server = ModelServer::start(vec![shell("c1", "touch made"), Reply::new().text("ok")]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let prompt = client.prompt("do it");
    let (id, _) = client.request("ApprovalRequest");
    client.call("cancel", json!({}));
    assert_eq!(client.result(&prompt), json!({"status": "cancelled"}));
    let echo = client.seen.iter().find(|it| it["params"]["type"] == "ApprovalResponse").unwrap();
    assert_eq!(
        echo["params"]["payload"],
        json!({"request_id": id, "response": "reject", "feedback": ""})
    );
    client.reply(&id, json!({"request_id": id, "response": "approve"}));
    let prompt = client.prompt("and now");
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(!home.path("project/made").exists());
    client.finish();
}

#[test]
fn questions_are_answered_or_dismissed() {
    let ask = json!({"questions": [{"question": "Which?", "header": "DB", "multi_select": true,
        "options": [{"label": "A"}, {"label": "B", "description": "b"}]}]});
    for (answers, output) in [
        (json!({"Which?": "A, B"}), r#"{"answers": {"Which?": "A, B"}}"#),
        // As the default of a client in the field: a list. It dismisses.
        (json!([]), r#"{"answers": {}, "note":"#),
        (json!({"Which?": 7}), r#"{"answers": {}, "note":"#),
    ] {
        let ask = ask.to_string();
        let server = ModelServer::start(move |_: &Recorded, at: usize| match at {
            0 => Reply::new().tool_call("c1", "AskUserQuestion", &ask),
            _ => Reply::new().text("I see."),
        });
        let home = Home::new(&server.url());
        let mut client = Client::ready(&home, &[]);
        let prompt = client.prompt("ask");
        let (id, payload) = client.request("QuestionRequest");
        assert_eq!(
            payload["questions"][0],
            json!({"question": "Which?", "header": "DB",
                "options": [{"label": "A", "description": ""}, {"label": "B", "description": "b"}],
                "multi_select": true, "body": "", "other_label": "", "other_description": ""})
        );
        client.reply(&id, json!({"request_id": id, "answers": answers}));
        let result = client.event("ToolResult");
        let said = result["return_value"]["output"].as_str().unwrap();
        assert!(said.starts_with(output), "{said}");
        assert_eq!(client.result(&prompt), json!({"status": "finished"}));
        client.finish();
    }
}

#[test]
fn a_client_that_shows_no_questions_is_asked_none() {
    let ask =
        json!({"questions": [{"question": "Which?", "options": [{"label": "A"}, {"label": "B"}]}]});
    let ask = ask.to_string();
    let server = ModelServer::start(move |_: &Recorded, at: usize| match at {
        0 => Reply::new().tool_call("c1", "AskUserQuestion", &ask),
        _ => Reply::new().text("I see."),
    });
    let home = Home::new(&server.url());
    // It never says what it shows, so that the tool is there and fails.
    let mut client = Client::start(&home, &[]);
    let prompt = client.prompt("ask");
    let result = client.event("ToolResult");
    let message = result["return_value"]["message"].as_str().unwrap();
    assert!(message.contains("does not support interactive questions"), "{message}");
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    client.finish();
}

/// A model that plans before it is done.
pub fn planning() -> ModelServer {
    let plan_file = |request: &Recorded| {
        let text = request.body.to_string();
        let end = text.find(".md`").expect("a plan file is named") + 3;
        let start = text[..end].rfind('`').expect("a name") + 1;
        text[start..end].to_owned()
    };
    ModelServer::start(move |request: &Recorded, at: usize| match at {
        0 => Reply::new().tool_call("a", "EnterPlanMode", "{}"),
        1 => {
            let write = json!({"path": plan_file(request), "content": "# The plan"});
            Reply::new().tool_call("b", "WriteFile", &write.to_string())
        }
        2 => Reply::new().tool_call("c", "ExitPlanMode", "{}"),
        _ => Reply::new().text("Done."),
    })
}

#[test]
fn a_plan_is_proposed_shown_and_approved() {
    let server = planning();
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let prompt = client.prompt("plan it");
    let (id, payload) = client.request("QuestionRequest");
    assert_eq!(payload["questions"][0]["question"], "Enter plan mode?");
    client.reply(&id, json!({"request_id": id, "answers": {"Enter plan mode?": "Yes"}}));
    let on = client.until(|it| it["params"]["payload"]["plan_mode"] == true);
    assert_eq!(on["params"]["type"], "StatusUpdate");
    assert_eq!(client.shape().iter().rev().nth(1).unwrap(), "ToolResult", "{:?}", client.shape());
    let shown = client.event("PlanDisplay");
    assert_eq!(shown["content"], "# The plan");
    assert!(shown["file_path"].as_str().unwrap().ends_with(".md"));
    let (id, payload) = client.request("QuestionRequest");
    assert_eq!(payload["questions"][0]["question"], "Approve this plan");
    assert_eq!(payload["questions"][0]["header"], "Plan");
    client.reply(&id, json!({"request_id": id, "answers": {"Approve this plan": "Approve"}}));
    client.until(|it| it["params"]["payload"]["plan_mode"] == false);
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    client.finish();
}
