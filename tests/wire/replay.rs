//! The record of a session, told again.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::client::Client;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::{Home, json_lines};

#[test]
fn a_session_is_told_again_as_it_was() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "open_in_ide", "{}"),
        Reply::new().text("Opened").text(" it."),
        Reply::new().text("Later."),
    ]);
    let home = Home::new(&server.url());
    let tools = json!({"external_tools":
        [{"name": "open_in_ide", "description": "d", "parameters": {"type": "object"}}]});
    let mut client = Client::start(&home, &["--session", "s1"]);
    client.initialize(tools);
    let empty = client.call("replay", Value::Null);
    assert_eq!(client.result(&empty), json!({"status": "finished", "events": 0, "requests": 0}));
    let prompt = client.prompt("open");
    let (id, _) = client.request("ToolCallRequest");
    client.reply(
        &id,
        json!({"return_value": {"is_error": false, "output": "", "message": "", "display": []}}),
    );
    client.result(&prompt);
    client.finish();

    let mut client = Client::start(&home, &["--session", "s1"]);
    // A session that has more in it than this version knows.
    let path = home.session().join("wire.jsonl");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("not json\n\n{\"timestamp\": 1, \"message\": {\"type\": \"FromTheFuture\", \"payload\": {}}}\n");
    std::fs::write(&path, text).unwrap();
    let replay = client.call("replay", Value::Null);
    let result = client.result(&replay);
    let (mut events, mut requests) = (Vec::new(), Vec::new());
    for message in &client.seen {
        match message["method"].as_str() {
            Some("event") => events.push(message["params"].clone()),
            Some("request") => requests.push(message["params"].clone()),
            _ => {}
        }
    }
    assert_eq!(
        result,
        json!({"status": "finished", "events": events.len(), "requests": requests.len()})
    );
    let recorded: Vec<Value> = json_lines(&path)
        .into_iter()
        .filter_map(|line| line.get("message").cloned())
        .filter(|message| message["type"] != "FromTheFuture")
        .collect();
    let told: Vec<Value> =
        client.seen.iter().filter_map(|message| message.get("params").cloned()).collect();
    assert_eq!(told.len(), recorded.len());
    for (told, recorded) in told.iter().zip(&recorded) {
        assert_eq!(told["type"], recorded["type"]);
        if told["type"] != "StatusUpdate" {
            assert_eq!(told, recorded);
        }
    }
    let texts: Vec<&Value> = events.iter().filter(|it| it["type"] == "ContentPart").collect();
    assert_eq!(texts[0]["payload"]["text"], "Opened it.");
    // Some clients answer what is replayed.
    assert_eq!(requests.len(), 1);
    client.reply(
        "c1",
        json!({"return_value": {"is_error": false, "output": "", "message": "", "display": []}}),
    );
    let prompt = client.prompt("and then?");
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    client.finish();
}

/// Writes a record of about so many bytes; returns the number of its events.
fn long_record(path: &std::path::Path, bytes: usize) -> u64 {
    let mut text = "{\"type\": \"metadata\", \"protocol_version\": \"1.10\"}\n".to_owned();
    let mut events = 0;
    while text.len() < bytes {
        let messages = [
            json!({"type": "TurnBegin", "payload": {"user_input": "go on"}}),
            json!({"type": "ContentPart", "payload": {"type": "text", "text": "lorem ipsum ".repeat(800)}}),
            json!({"type": "TurnEnd", "payload": {}}),
        ];
        for message in messages {
            let _ = writeln!(text, "{{\"timestamp\": 1795233862.05, \"message\": {message}}}");
            events += 1;
        }
    }
    std::fs::write(path, text).unwrap();
    events
}

/// The most memory that the process has had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_long_record_is_streamed() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut client = Client::start(&home, &["--session", "s1"]);
    client.initialize(json!({}));
    let events = long_record(&home.session().join("wire.jsonl"), 24 << 20);
    let before = peak(client.pid());
    let replay = client.call("replay", json!({}));
    // The client sleeps for now: what it does not read must not pile up here either.
    let busy = client.call("prompt", json!({"user_input": "x"}));
    assert_eq!(client.error(&busy).0, -32000);
    let result = client.result(&replay);
    assert_eq!(result, json!({"status": "finished", "events": events, "requests": 0}));
    let grown = peak(client.pid()) - before;
    assert!(grown < 12 * 1024, "{grown} KiB for a record of 24 MiB");
    client.finish();
}

#[test]
fn a_replay_can_be_cancelled() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut client = Client::start(&home, &["--session", "s1"]);
    client.initialize(json!({}));
    let events = long_record(&home.session().join("wire.jsonl"), 24 << 20);
    let replay = client.call("replay", json!({}));
    client.event("TurnBegin");
    let steer = client.call("steer", json!({"user_input": "x"}));
    assert_eq!(client.error(&steer).0, -32000);
    let cancel = client.call("cancel", json!({}));
    assert_eq!(client.result(&cancel), json!({}));
    let result = client.result(&replay);
    assert_eq!(result["status"], "cancelled");
    let told = client.seen.iter().filter(|it| it["method"] == "event").count() as u64;
    assert_eq!(result["events"], told);
    assert!(told < events, "it was over before");
    client.finish();
}
