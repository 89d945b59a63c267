//! The side door of the screen: another program sends, answers and interrupts through the socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{Kimi, World, composed, echoes};
use crate::support::model_server::{Gate, Reply};
use crate::support::screen::{is_busy, is_idle};

/// Long enough for a machine under load.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the socket of the running instance.
struct Line(BufReader<UnixStream>);

impl Line {
    /// Waits until there is an instance that names its socket.
    fn open(world: &World) -> Self {
        let until = Instant::now() + PATIENCE;
        loop {
            let files =
                std::fs::read_dir(world.share().join("run")).into_iter().flatten().flatten();
            let socket = files
                .filter(|file| file.path().extension().is_some_and(|ext| ext == "json"))
                .filter_map(|file| std::fs::read(file.path()).ok())
                .filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
                .find_map(|state| Some(state["socket"].as_str()?.to_owned()));
            if let Some(stream) = socket.and_then(|path| UnixStream::connect(path).ok()) {
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                return Self(BufReader::new(stream));
            }
            assert!(Instant::now() < until, "no socket");
            std::thread::yield_now();
        }
    }

    fn ask(&mut self, command: Value) -> Value {
        self.0.get_mut().write_all(format!("{command}\n").as_bytes()).expect("written");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn wait(&mut self, state: &str) -> Value {
        let answer = self.ask(json!({"op": "wait", "until": [state], "timeout_ms": 25_000}));
        assert_eq!(answer["ok"], true, "{answer}");
        answer["state"].clone()
    }

    fn send(&mut self, text: &str) -> Value {
        self.ask(json!({"op": "send", "text": text}))
    }

    #[track_caller]
    fn refused(&mut self, command: Value, code: &str) -> String {
        let answer = self.ask(command);
        assert_eq!(
            (&answer["ok"], &answer["error"]["code"]),
            (&json!(false), &json!(code)),
            "{answer}"
        );
        answer["error"]["message"].as_str().expect("words").to_owned()
    }
}

#[test]
fn a_program_sends_answers_and_reads_the_exact_answer() {
    let answer = "First.\n\n    indented ✨ line\n\tand a tab";
    let world = World::new(vec![
        Reply::new().tool_call("c1", "Shell", r#"{"command":"echo ran >> ran.txt"}"#),
        Reply::new().text(answer),
    ]);
    let mut kimi = world.start(&[]);
    let mut line = Line::open(&world);
    assert_eq!(line.wait("idle")["turn"], 0);
    line.refused(json!({"op": "interrupt"}), "wrong_state");
    line.refused(json!({"op": "answer", "choices": [{"numbers": [1]}]}), "no_such_ask");
    kimi.send("my draft");
    kimi.wait_text("my draft");

    let text = "run\r\nit";
    let sent = line.send(text);
    assert_eq!(sent["ok"], true, "{sent}");
    assert_eq!((&sent["receipt"]["n"], &sent["receipt"]["turn"]), (&json!(1), &json!(1)));
    assert_eq!(sent["receipt"]["bytes"], "run\nit".len());
    assert_ne!(sent["state"]["state"], "idle", "{sent}");

    let state = line.wait("ask");
    let ask = &state["ask"];
    assert_eq!((&ask["kind"], &ask["options"][2]["name"]), (&json!("approval"), &json!("reject")));
    assert!(ask["text"].as_str().expect("words").contains("$ echo ran"), "{ask}");
    kimi.wait_text("1. Approve once");
    let id = ask["id"].clone();
    let wrong = json!({"op": "answer", "id": id, "choices": [{"numbers": [7]}]});
    assert!(line.refused(wrong, "bad_choice").contains("1 approve"));
    line.refused(
        json!({"op": "answer", "id": "other", "choices": [{"numbers": [1]}]}),
        "no_such_ask",
    );
    let yes = json!({"op": "answer", "id": id, "choices": [{"names": ["approve"]}]});
    assert_eq!(line.ask(yes.clone())["ok"], true);
    line.refused(yes, "no_such_ask");

    let state = line.wait("idle");
    assert_eq!((&state["last"]["turn"], &state["last"]["finish"]), (&json!(1), &json!("done")));
    assert_eq!(line.ask(json!({"op": "last"}))["text"], answer);
    let path = state["last"]["path"].as_str().expect("a file");
    assert_eq!(std::fs::read_to_string(path).expect("the file"), format!("{answer}\n"));
    let rows = kimi.wait_text("my draft");
    assert_eq!(composed(&rows).lines().next(), Some("my draft"), "{rows:?}");
    assert_eq!(std::fs::read_to_string(world.work().join("ran.txt")).expect("ran"), "ran\n");
    let body = world.server().wait_for(1)[0].body.to_string();
    assert!(body.contains("run\\nit"), "{body}");
}

fn idle(world: &World) -> (Kimi, Line) {
    let kimi = world.start(&[]);
    let mut line = Line::open(world);
    line.wait("idle");
    (kimi, line)
}

#[test]
fn slash_commands_of_a_program() {
    let world = World::new(vec![Reply::new().text("Hello.")]);
    let (mut kimi, mut line) = idle(&world);
    for overlay in ["/help", "/model", "/sessions", "/theme", "/transcript"] {
        line.refused(json!({"op": "send", "text": overlay}), "not_here");
    }
    line.refused(json!({"op": "send", "text": " \r\n\u{1b}"}), "bad_command");
    let why = line.refused(json!({"op": "send", "text": "/modle"}), "bad_command");
    assert!(why.contains("/model"), "{why}");
    line.refused(json!({"op": "send", "text": "/model nonsense"}), "bad_command");
    let answer = line.send("/model other");
    assert!(answer["ok"] == true && answer["receipt"].is_null(), "{answer}");
    let before = line.ask(json!({"op": "state"}))["state"]["session"].clone();
    let after = line.send("/new");
    assert!(after["ok"] == true && after["state"]["session"] != before, "{after}");
    assert_eq!(line.send("hello")["receipt"]["n"], 1);
    kimi.wait_history_echo();
    assert_eq!(line.wait("idle")["last"]["finish"], "done");
    assert_eq!(line.send("/exit")["ok"], true);
    assert_eq!(kimi.wait_exit(), 0);
}

#[test]
fn a_turn_is_interrupted_and_messages_queue() {
    let world = World::new(vec![
        Reply::new().tool_call("c1", "Shell", r#"{"command":"true"}"#),
        Reply::new().text("Second."),
    ]);
    let (_kimi, mut line) = idle(&world);
    line.send("one");
    line.wait("ask");
    let queued = line.send("two");
    assert_eq!((&queued["receipt"]["n"], &queued["receipt"]["turn"]), (&json!(2), &Value::Null));
    assert_eq!(queued["state"]["queued"], 1, "{queued}");
    assert_eq!(line.ask(json!({"op": "interrupt"}))["ok"], true);
    // Nobody sits there to send the second one again.
    let state = line.wait("idle");
    assert_eq!((&state["last"]["finish"], &state["last"]["turn"]), (&json!("done"), &json!(2)));
    assert_eq!((&state["queued"], &state["input"]["turn"]), (&json!(0), &json!(2)));
    assert_eq!(line.ask(json!({"op": "last"}))["text"], "Second.");
}

#[test]
fn a_turn_without_an_answer_has_none() {
    let call = Reply::new().tool_call("c1", "Shell", r#"{"command":"true"}"#);
    let world = World::new(vec![call]);
    let (_kimi, mut line) = idle(&world);
    line.send("one");
    line.wait("ask");
    assert_eq!(line.ask(json!({"op": "interrupt"}))["ok"], true);
    let state = line.wait("idle");
    assert_eq!((&state["last"]["finish"], &state["queued"]), (&json!("cancelled"), &json!(0)));
    assert!(state["last"]["path"].is_null(), "no answer: {state}");
    line.refused(json!({"op": "last"}), "no_answer");
}

impl Kimi {
    fn wait_history_echo(&self) {
        self.wait_for_history("an echo", |rows| echoes(rows) > 0);
    }
}

/// An overlay makes way for a turn that a program begins, and for the end of every turn.
#[test]
fn no_overlay_hides_the_beginning_or_the_end_of_a_turn() {
    let gate = Gate::new();
    let world = World::new(vec![
        Reply::new().text("Hello."),
        Reply::new().text("Busy.\n\n").wait(&gate).text("Over."),
    ]);
    let (mut kimi, mut line) = idle(&world);
    kimi.turn("hello");
    kimi.send("/transcript\r");
    kimi.wait_for("the pager", |screen| screen.alternate_screen());
    assert_eq!(line.send("go")["ok"], true);
    let rows = kimi.wait_text("Busy.");
    assert!(is_busy(&rows), "{rows:?}");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
    // The person looks again while it runs.
    kimi.send("/help\r");
    kimi.wait_for("the pager", |screen| screen.alternate_screen());
    gate.open();
    kimi.wait_for("the end", |screen| !screen.alternate_screen());
    let rows = kimi.wait_closed(2);
    assert!(is_idle(&rows), "{rows:?}");
}
