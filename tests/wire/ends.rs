//! The end of the client, and of us.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::client::Client;
use super::turns::{is_alive, wait_for_pid};
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::{Home, json_lines};

/// After which clients kill us. The machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(3 * 4);

fn signal(client: &Client, signal: Signal) {
    kill_process(Pid::from_raw(client.pid().cast_signed()).unwrap(), signal).unwrap();
}

#[test]
fn every_way_to_end_is_a_good_one() {
    for how in ["hang up", "interrupt", "terminate"] {
        let command = r#"{"command":"echo $$ > pid; trap '' TERM; sleep 86399"}"#;
        let server = ModelServer::start(vec![Reply::new().tool_call("c1", "Shell", command)]);
        let home = Home::new(&server.url());
        let mut client = Client::ready(&home, &["--yolo"]);
        client.prompt("run");
        client.event("StatusUpdate");
        let pid = wait_for_pid(&home);
        let since = Instant::now();
        match how {
            "hang up" => client.hang_up(),
            "interrupt" => signal(&client, Signal::INT),
            _ => signal(&client, Signal::TERM),
        }
        let (code, err) = client.ended();
        assert_eq!(code, Some(0), "{how}: {err}");
        assert!(since.elapsed() < PATIENCE, "{how}: {:?}", since.elapsed());
        assert!(!is_alive(pid), "{how}: the command runs on");
        assert!(err.contains("To resume this session: kimi -r "), "{how}: {err}");
        // The turn has its end, in what is written and on disk.
        let kinds = client.shape();
        assert!(kinds.contains(&"TurnEnd".to_owned()), "{how}: {kinds:?}");
        assert_eq!(client.seen.last().unwrap()["result"], json!({"status": "cancelled"}), "{how}");
        let record = json_lines(&home.session().join("wire.jsonl"));
        assert_eq!(record.last().unwrap()["message"]["type"], "TurnEnd", "{how}");
    }
}

#[test]
fn a_client_that_is_gone_ends_what_waits_for_it() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "Shell", r#"{"command":"touch made"}"#),
        Reply::new().text("on"),
    ]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    client.prompt("run");
    client.request("ApprovalRequest");
    client.hang_up();
    assert_eq!(client.ended().0, Some(0));
    assert!(!home.path("project/made").exists());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_client_that_no_longer_reads_ends_it() {
    let server = ModelServer::start(vec![Reply::new().endless("all work and no play ")]);
    let home = Home::new(&server.url());
    let mut child = home
        .command(&["--wire"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let prompt =
        json!({"jsonrpc": "2.0", "id": "1", "method": "prompt", "params": {"user_input": "x"}});
    std::io::Write::write_all(&mut stdin, format!("{prompt}\n").as_bytes()).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut some = [0; 4096];
    stdout.read_exact(&mut some).unwrap();
    drop(stdout);
    let deadline = Instant::now() + Duration::from_secs(40);
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(Instant::now() < deadline, "it does not end"),
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(0));
    drop(stdin);
}

#[test]
fn a_client_that_sleeps_holds_nothing_up_and_loses_nothing() {
    let text = "0123456789abcdef".repeat(1 << 18);
    let server = {
        let text = text.clone();
        ModelServer::start(vec![
            Reply::new().pieces_of(4096).text(text),
            Reply::new().text("And more."),
        ])
    };
    let home = Home::new(&server.url());
    let mut child = home
        .command(&["--wire", "--session", "s1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut prompt = |id: &str| {
        let call = json!({"id": id, "method": "prompt", "params": {"user_input": "x"}});
        std::io::Write::write_all(&mut stdin, format!("{call}\n").as_bytes()).unwrap();
    };
    // Nobody reads; the record tells how far the session has come.
    let deadline = Instant::now() + Duration::from_secs(60);
    prompt("1");
    let ends = || {
        let sessions = home.sessions();
        let records = sessions.iter().flat_map(|session| json_lines(&session.join("wire.jsonl")));
        records.filter(|record| record["message"]["type"] == "TurnEnd").count()
    };
    while ends() == 0 {
        assert!(Instant::now() < deadline, "the session waits for its reader");
        std::thread::yield_now();
    }
    prompt("2");
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut told = String::new();
    for line in stdout.lines() {
        let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
        told.push_str(message["params"]["payload"]["text"].as_str().unwrap_or_default());
        // The record has the end of a turn a moment before the next one may begin.
        if message["id"] == "2" && message["error"]["code"] == -32000 {
            prompt("2");
        } else if message["id"] == "2" {
            break;
        }
    }
    assert_eq!(told.len(), text.len() + "And more.".len());
    assert_eq!(told, text + "And more.");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_wrong_command_line_says_so_on_stderr() {
    let home = Home::new("http://127.0.0.1:9/v1");
    for (words, code, part) in [
        (&["--model", "none"][..], 1, "none"),
        (&["--session"], 2, "only supported for shell UI"),
        (&["--continue"], 2, "No previous session"),
    ] {
        let mut client = Client::start(&home, words);
        let (status, err) = client.ended();
        assert_eq!(status, Some(code), "{words:?}: {err}");
        assert!(err.contains(part), "{words:?}: {err}");
        assert!(client.seen.is_empty());
    }
}
