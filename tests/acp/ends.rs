//! The end of the editor, and of us.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::editor::Editor;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};
use crate::wire::turns::{is_alive, wait_for_pid};

/// Editors kill us after some seconds. The machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(3 * 4);

#[test]
fn every_way_to_end_is_a_good_one() {
    for how in ["hang up", "interrupt", "terminate"] {
        let server =
            ModelServer::start(|request: &Recorded, _| match request.last_user_text().as_str() {
                "run" => Reply::new().tool_call(
                    "c1",
                    "Shell",
                    r#"{"command":"echo $$ > pid; trap '' TERM; sleep 86399"}"#,
                ),
                _ => Reply::new().text("begun").stall(),
            });
        let home = Home::new(&server.url());
        let mut editor = Editor::ready(&home, &["--yolo"]);
        let (one, other, empty) =
            (editor.session(&home), editor.session(&home), editor.session(&home));
        let prompts = [editor.prompt(&one, "run"), editor.prompt(&other, "talk")];
        editor.update("agent_message_chunk");
        let pid = wait_for_pid(&home);
        let since = Instant::now();
        let signal = |signal| {
            kill_process(Pid::from_raw(editor.pid().cast_signed()).unwrap(), signal).unwrap();
        };
        match how {
            "hang up" => editor.hang_up(),
            "interrupt" => signal(Signal::INT),
            _ => signal(Signal::TERM),
        }
        let (code, err) = editor.ended();
        assert_eq!((code, err.as_str()), (Some(0), ""), "{how}");
        assert!(since.elapsed() < PATIENCE, "{how}: {:?}", since.elapsed());
        assert!(!is_alive(pid), "{how}: the command runs on");
        for prompt in prompts {
            let answer = editor.seen.iter().find(|it| it["id"] == prompt).expect("an answer");
            assert_eq!(answer["result"], json!({"stopReason": "cancelled"}), "{how}");
        }
        let sessions = home.sessions();
        assert_eq!(sessions.len(), 2, "the empty one is gone: {empty}");
        for session in sessions {
            let record = json_lines(&session.join("wire.jsonl"));
            assert_eq!(record.last().unwrap()["message"]["type"], "TurnEnd", "{how}");
        }
    }
}

#[test]
fn an_editor_that_no_longer_reads_holds_no_end_up() {
    let text = "0123456789abcdef".repeat(1 << 16);
    let server = ModelServer::start(move |_: &Recorded, _| Reply::new().text(&text));
    let home = Home::new(&server.url());
    let session = {
        let mut editor = Editor::ready(&home, &[]);
        let session = editor.session(&home);
        for _ in 0..2 {
            let prompt = editor.prompt(&session, "x");
            editor.stopped(prompt);
        }
        editor.finish();
        session
    };
    let mut child = home
        .command(&["acp"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let cwd = home.path("project");
    for call in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "session/load",
            "params": {"sessionId": session, "cwd": cwd, "mcpServers": []}}),
    ] {
        std::io::Write::write_all(&mut stdin, format!("{call}\n").as_bytes()).unwrap();
    }
    let stdout = child.stdout.take().unwrap();
    let mut lines = BufReader::new(stdout);
    let mut line = String::new();
    // It is in the middle of the replay: this is the first line of it.
    for _ in 0..2 {
        line.clear();
        lines.read_line(&mut line).unwrap();
    }
    assert!(line.contains("user_message_chunk"), "{line}");
    let since = Instant::now();
    drop(stdin);
    while child.try_wait().unwrap().is_none() {
        assert!(since.elapsed() < PATIENCE, "it does not end");
        std::thread::yield_now();
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(lines);
}

#[test]
fn an_end_in_the_middle_of_an_opening_leaves_nothing() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut editor = Editor::ready(&home, &[]);
    for _ in 0..5 {
        editor.begin("session/new", json!({"cwd": home.path("project"), "mcpServers": []}));
    }
    editor.finish();
    assert!(home.sessions().is_empty(), "{:?}", home.sessions());
}
