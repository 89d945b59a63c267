use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::front::control::portrait::{Facts, Portrait};
use crate::front::control::testing::status;
use crate::platform::env::fixed;
use crate::protocol::control::{Mode, State};

/// A served socket.
struct Bench {
    _dir: tempfile::TempDir,
    path: PathBuf,
    tell: watch::Sender<Portrait>,
    asked: UnboundedReceiver<Asked>,
    served: JoinHandle<()>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let (tell, seen) = watch::channel(Portrait::default());
        let (asked_of, asked) = unbounded_channel();
        let served = tokio::spawn(serve(listener, States(seen), asked_of));
        let bench = Self { _dir: dir, path, tell, asked, served };
        bench.say(State::Idle, 0);
        bench
    }

    fn say(&self, state: State, turn: u64) {
        let facts = Facts::new(Mode::Tui, &fixed::env("/h", &[]));
        self.tell.send_if_modified(|portrait| portrait.update(&status(state, turn), &facts, 0.0));
    }

    async fn caller(&self) -> Caller {
        Caller(BufReader::new(UnixStream::connect(&self.path).await.unwrap()))
    }

    /// Returns when so many callers are in the middle of a command, and nobody else is there.
    async fn are_waiting(&self, callers: usize) {
        // The server looks twice at the state, a connection too, and once more during a command.
        let waiting = async {
            while self.tell.receiver_count() < 2 + 3 * callers {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
    }

    async fn stop(self) {
        self.tell.send_if_modified(|portrait| portrait.leave(0.0));
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, self.served).await.unwrap().unwrap();
    }
}

struct Caller(BufReader<UnixStream>);

impl Caller {
    async fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    async fn ask(&mut self, command: &Value) -> Value {
        self.write(format!("{command}\n").as_bytes()).await;
        self.read().await.unwrap()
    }

    /// The next line; `None` at the end.
    async fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line);
        let read = tokio::time::timeout(Duration::from_secs(30), read).await.unwrap();
        (read.unwrap_or(0) > 0).then(|| serde_json::from_str(&line).unwrap())
    }
}

fn code(answer: &Value) -> &str {
    assert_eq!(answer["ok"], json!(answer["error"].is_null()), "{answer}");
    answer["error"]["code"].as_str().unwrap_or("ok")
}

#[tokio::test]
async fn commands_are_answered_with_the_state() {
    let mut bench = Bench::new();
    let mut caller = bench.caller().await;
    let answer = caller.ask(&json!({"op": "state"})).await;
    assert_eq!((code(&answer), &answer["state"]["state"]), ("ok", &json!("idle")));
    let answer = caller.ask(&json!({"op": "last"})).await;
    assert_eq!((code(&answer), &answer["state"]["seq"]), ("no_answer", &json!(1)));
    let answer = caller.ask(&json!({"op": "wait", "until": ["busy"], "timeout_ms": 1})).await;
    assert_eq!((code(&answer), &answer["state"]["seq"]), ("timeout", &json!(1)));

    caller.write(b"{\"op\":\"send\",\"text\":\"hi\"}\n{\"op\":\"interrupt\"}\n").await;
    let asked = bench.asked.recv().await.unwrap();
    assert_eq!(asked.command, Command::Send { text: "hi".to_owned(), steer: false });
    bench.say(State::Busy, 1);
    asked.reply.send(Answer::ok()).unwrap();
    let answer = caller.read().await.unwrap();
    assert_eq!((code(&answer), &answer["state"]["turn"]), ("ok", &json!(1)));
    // The front end drops one: it is leaving.
    let asked = bench.asked.recv().await.unwrap();
    assert_eq!(asked.command, Command::Interrupt);
    drop(asked);
    assert_eq!(code(&caller.read().await.unwrap()), "leaving");
    bench.stop().await;
    assert!(caller.read().await.is_none());
}

#[tokio::test]
async fn nonsense_is_refused_and_the_connection_lives_on() {
    let bench = Bench::new();
    let mut caller = bench.caller().await;
    let long = format!("{{\"op\":\"{}\"}}", "x".repeat(1 << 20));
    let deep = "[".repeat(1 << 16);
    for line in [
        "",
        "state",
        "{",
        "null",
        "[]",
        "{\"op\":1}",
        "{\"op\":\"dance\"}",
        "{\"op\":\"send\"}",
        "{\"op\":\"send\",\"text\":1}",
        "{\"op\":\"wait\",\"until\":\"idle\"}",
        "{\"op\":\"wait\",\"turn\":-1}",
        "{\"op\":\"state\"} {\"op\":\"state\"}",
        "{\"op\":\"\\u001b[2J\"}",
        &long,
        &deep,
    ] {
        caller.write(format!("{line}\n").as_bytes()).await;
        let answer = caller.read().await.unwrap();
        let message = answer["error"]["message"].as_str().unwrap();
        assert_eq!(code(&answer), "bad_command", "{message}");
        assert!(message.len() < 400 && !message.contains(char::is_control), "{message}");
    }
    let answer = caller.ask(&json!({"op": "state", "more": {"of": "it"}})).await;
    assert_eq!(code(&answer), "ok");
    // The last line needs no end.
    caller.write(b"{\"op\":\"state\"}").await;
    caller.0.get_mut().shutdown().await.unwrap();
    assert_eq!(code(&caller.read().await.unwrap()), "ok");
    assert!(caller.read().await.is_none());
}

#[tokio::test]
async fn a_line_without_end_is_refused_when_it_ends() {
    let bench = Bench::new();
    let mut caller = bench.caller().await;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..17 {
        caller.write(&piece).await;
    }
    caller.write(b"\n").await;
    let answer = caller.read().await.unwrap();
    assert_eq!(code(&answer), "bad_command");
    assert_eq!(answer["error"]["message"], "The line is longer than 16 MiB.");
    assert_eq!(code(&caller.ask(&json!({"op": "state"})).await), "ok");
}

#[tokio::test]
async fn a_watcher_sees_the_newest_state_and_the_last() {
    let bench = Bench::new();
    let mut watcher = bench.caller().await;
    let first = watcher.ask(&json!({"op": "watch"})).await;
    assert_eq!(first["state"]["seq"], 1);
    bench.say(State::Busy, 1);
    assert_eq!(watcher.read().await.unwrap()["state"]["state"], "busy");
    let mut early = bench.caller().await;
    early.write(b"{\"op\":\"wait\",\"until\":[\"ask\"]}\n").await;
    let mut other = bench.caller().await;
    other.write(b"{\"op\":\"wait\",\"turn\":9}\n").await;
    bench.are_waiting(3).await;
    bench.stop().await;
    assert_eq!(watcher.read().await.unwrap()["state"]["state"], "exited");
    assert!(watcher.read().await.is_none());
    assert_eq!(code(&early.read().await.unwrap()), "leaving");
    let other = other.read().await.unwrap();
    assert_eq!((code(&other), &other["state"]["state"]), ("ok", &json!("exited")));
}

#[tokio::test]
async fn who_does_not_read_stops_nobody() {
    let bench = Bench::new();
    let mut deaf = bench.caller().await;
    deaf.write(b"{\"op\":\"watch\"}\n").await;
    let mut caller = bench.caller().await;
    // More than any socket holds.
    for turn in 1..4000 {
        bench.say(State::Busy, turn);
        if turn % 100 == 0 {
            let answer = caller.ask(&json!({"op": "state"})).await;
            assert_eq!(answer["state"]["turn"], turn);
        }
    }
    bench.stop().await;
}

#[tokio::test]
async fn callers_that_hang_up_make_room() {
    let bench = Bench::new();
    let mut waiting = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut caller = bench.caller().await;
        assert_eq!(code(&caller.ask(&json!({"op": "state"})).await), "ok");
        caller.write(b"{\"op\":\"wait\",\"until\":[\"error\"]}\n").await;
        waiting.push(caller);
    }
    let mut late = bench.caller().await;
    let refused = late.read().await.unwrap();
    assert_eq!(code(&refused), "not_allowed");
    assert!(late.read().await.is_none());
    waiting.truncate(MAX_CONNECTIONS - 2);
    // The server hears of it in its own time.
    let again = async {
        loop {
            let mut caller = bench.caller().await;
            caller.write(b"{\"op\":\"state\"}\n").await;
            if caller.read().await.is_some_and(|answer| code(&answer) == "ok") {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn who_has_only_ended_his_side_is_answered() {
    let bench = Bench::new();
    let mut caller = bench.caller().await;
    caller.write(b"{\"op\":\"wait\",\"turn\":1}\n").await;
    caller.0.get_mut().shutdown().await.unwrap();
    bench.are_waiting(1).await;
    bench.say(State::Idle, 1);
    assert_eq!(code(&caller.read().await.unwrap()), "ok");
    assert!(caller.read().await.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, every line has one answer, and the next command is understood.
    #[test]
    fn any_bytes_have_one_answer_a_line(
        lines in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "\\{\"op\":\"(state|last|wait|send|x)\",\"(text|until|turn)\":[\\[\\]{}0-9a-z\",.-]{0,12}\\}"
                    .prop_map(String::into_bytes),
            ],
            1..8,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new();
            // Nobody takes what is for the front end.
            bench.asked.close();
            let mut caller = bench.caller().await;
            for line in &lines {
                // Those would wait.
                let line: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'\n').collect();
                if matches!(parse(&line), Ok(Command::Wait { .. } | Command::Watch)) {
                    continue;
                }
                caller.write(&line).await;
                caller.write(b"\n").await;
                let answer = caller.read().await.unwrap();
                code(&answer);
            }
            let answer = caller.ask(&json!({"op": "state"})).await;
            assert_eq!(code(&answer), "ok");
        });
    }
}
