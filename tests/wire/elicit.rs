//! MCP servers that ask the person at a client of the wire.

use serde_json::{Value, json};

use super::client::Client;
use crate::acp::elicit::{asking, heard, wanting, yes_or_no};
use crate::mcp::lifecycle::wait_until;
use crate::mcp::server::Script;
use crate::support::program::Home;

/// A home with a server `lab` that asks this.
fn home(model: &str, params: Value) -> Home {
    let home = Home::new(model);
    let script = Script::new().asks(params, 1).log(&home.path("lab.log"));
    home.write("share/mcp.json", json!({"mcpServers": {"lab": script.entry()}}).to_string());
    home
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.path("lab.log")).unwrap_or_default()
}

fn claims(home: &Home) -> bool {
    let log = log(home);
    log.lines().find(|line| line.contains("\"initialize\"")).unwrap().contains("elicitation")
}

/// What was said in the turn that this call has begun.
#[track_caller]
fn said(client: &mut Client, prompt: &str) -> String {
    assert_eq!(client.result(prompt), json!({"status": "finished"}));
    let texts = client.seen.iter().map(|it| it["params"]["payload"]["text"].as_str());
    texts.map(Option::unwrap_or_default).collect()
}

#[test]
fn a_client_that_shows_questions_is_asked() {
    let model = asking();
    let fields = json!({"name": {"type": "string", "minLength": 2}, "ok": {"type": "boolean"}});
    let home = home(&model.url(), wanting(fields));
    let mut client = Client::ready(&home, &["--yolo"]);
    let prompt = client.prompt("go");
    let (id, asked) = client.request("QuestionRequest");
    let text = asked["questions"][0]["question"].as_str().unwrap();
    assert!(text.starts_with("MCP server lab asks: Tell me."), "{text}");
    client.reply(&id, json!({"request_id": id, "answers": {text: "Answer"}}));
    let (id, asked) = client.request("QuestionRequest");
    let text = |at: usize| asked["questions"][at]["question"].as_str().unwrap();
    client.reply(&id, json!({"request_id": id, "answers": {text(0): "Xenia", text(1): "No"}}));
    let content = json!({"name": "Xenia", "ok": false});
    assert_eq!(
        heard(&said(&mut client, &prompt)),
        json!([{"action": "accept", "content": content}])
    );
    assert!(claims(&home));
    // Dismissed, and answered with nonsense.
    for answer in [json!({"request_id": "x", "answers": {}}), json!(["Answer"])] {
        let prompt = client.prompt("again");
        let (id, _) = client.request("QuestionRequest");
        client.reply(&id, answer.clone());
        assert_eq!(heard(&said(&mut client, &prompt)), json!([{"action": "cancel"}]), "{answer}");
    }
    client.finish();
}

#[test]
fn a_client_that_shows_none_is_not_and_no_server_is_told_otherwise() {
    for introduced in [true, false] {
        let model = asking();
        let home = home(&model.url(), yes_or_no());
        let mut client = Client::start(&home, &["--yolo"]);
        if introduced {
            client.initialize(json!({"capabilities": {"supports_question": false}}));
        }
        let prompt = client.prompt("go");
        assert_eq!(heard(&said(&mut client, &prompt)), json!([{"action": "decline"}]));
        assert!(!claims(&home));
        assert!(!client.shape().contains(&"QuestionRequest".to_owned()));
        client.finish();
    }
}

#[test]
fn a_question_that_nobody_answers_any_more_is_cancelled() {
    for how in ["cancel", "hang up"] {
        let model = asking();
        let home = home(&model.url(), yes_or_no());
        let mut client = Client::ready(&home, &["--yolo"]);
        let prompt = client.prompt("go");
        let (id, asked) = client.request("QuestionRequest");
        if how == "cancel" {
            let cancel = client.call("cancel", json!({}));
            assert_eq!(client.result(&cancel), json!({}));
            assert_eq!(client.result(&prompt), json!({"status": "cancelled"}));
            let text = asked["questions"][0]["question"].as_str().unwrap();
            client.reply(&id, json!({"request_id": id, "answers": {text: "Yes"}}));
            wait_until("the server has heard", || log(&home).contains(r#""action":"cancel""#));
        }
        client.finish();
        assert!(log(&home).contains(r#""action":"cancel""#), "{how}: {}", log(&home));
        assert!(!log(&home).contains("accept"), "{how}");
        assert_eq!(model.requests().len(), 1, "{how}");
    }
}
