//! What other programs see of a run, and what they may do to it.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::*;
use crate::front::control::hex_sha256;
use crate::platform::env::fixed;
use crate::protocol::control::{Instance, State};
use crate::protocol::{SessionInfo, StopReason};
use crate::store::{RunDir, Session, ShareDir};

/// A run whose session the test plays by hand.
struct Bench {
    home: tempfile::TempDir,
    run: RunDir,
    asked: UnboundedReceiver<Op>,
    answers: UnboundedSender<Arc<Message>>,
    _raise: UnboundedSender<Signal>,
    ended: tokio::task::JoinHandle<ExitCode>,
}

impl Bench {
    fn start(options: PrintOptions, stdin: impl AsyncBufRead + Send + 'static) -> Self {
        let home = tempfile::tempdir().unwrap();
        let env = fixed::env(home.path(), &[("KIMI_STATE_FILE", "state.json")]);
        let share = ShareDir::from_env(&env);
        let dir = home.path().to_path_buf();
        let session = Session { id: "s-1".to_owned(), dir: dir.clone(), work_dir: dir };
        let (ops, asked) = unbounded_channel();
        let (answers, messages) = unbounded_channel();
        let (raise, signals) = unbounded_channel();
        let door = Door::open(&env, &share, &session, &SessionInfo::default());
        let streams = Streams { stdin, stdout: Shared::default(), stderr: Shared::default() };
        let link = Link { ops, messages, background: None };
        let ended = tokio::spawn(run(options, link, Some(door), streams, signals));
        let run = RunDir::new(&share, &env);
        Self { home, run, asked, answers, _raise: raise, ended }
    }

    fn say(&self, step: Step) {
        let Step::Say(message) = step else { panic!("not a message") };
        self.answers.send(message).unwrap();
    }

    fn end(&self, id: &str, outcome: Outcome) {
        let op_id = id.to_owned();
        self.answers.send(Arc::new(Message::Outcome { op_id, outcome })).unwrap();
    }

    async fn said(&self, what: impl Fn(&Instance) -> bool) -> Instance {
        let start = Instant::now();
        loop {
            let instance = self.run.read(std::process::id());
            if let Some(instance) = instance.filter(&what) {
                return instance;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "it was never said");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Shuts the session down and returns how the run ended and its last word.
    async fn finish(mut self) -> (ExitCode, Instance) {
        while self.asked.recv().await.unwrap() != Op::Shutdown {}
        drop(self.answers);
        let code = self.ended.await.unwrap();
        assert_eq!(std::fs::read_dir(self.run.path()).unwrap().count(), 0);
        let state = std::fs::read(self.home.path().join("state.json")).unwrap();
        (code, serde_json::from_slice(&state).unwrap())
    }
}

async fn ask(instance: &Instance, command: &str) -> String {
    let mut stream = UnixStream::connect(instance.socket.as_ref().unwrap()).await.unwrap();
    stream.write_all(command.as_bytes()).await.unwrap();
    stream.write_all(b"\n").await.unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    line
}

#[tokio::test]
async fn a_turn_is_seen_from_its_beginning_to_its_end() {
    let bench = Bench::start(prompt("hi"), tokio::io::empty());
    let busy = bench.said(|it| it.turn == 1).await;
    assert_eq!((busy.state, &busy.phase), (State::Busy, &None));
    let receipt = busy.input.clone().unwrap();
    assert_eq!((receipt.n, receipt.bytes, receipt.turn), (1, 2, Some(1)));
    assert_eq!(receipt.sha256, hex_sha256(b"hi"));
    for (step, phase) in [
        (step(1), "work"),
        (think("hm"), "think"),
        (text("I look."), "write"),
        (call("c1", "Shell", "{}"), "tool:Shell"),
        (call("c2", "Glob", "{}"), "tools:2"),
        (step(2), "work"),
        (text("lost"), "write"),
        (retry(), "retry"),
        (text("Found "), "write"),
    ] {
        bench.say(step);
        bench.said(|it| it.phase.as_deref() == Some(phase)).await;
    }
    bench.say(text("it."));
    for command in ["{\"op\":\"send\",\"text\":\"x\"}", "{\"op\":\"answer\"}"] {
        let refused = ask(&busy, command).await;
        assert!(refused.contains("\"code\":\"not_here\""), "{refused}");
    }
    bench.end("print-1", Outcome::Finished { stop: StopReason::NoToolCalls });
    let (code, left) = bench.finish().await;
    assert_eq!((code, left.state), (ExitCode::Success, State::Exited));
    let last = left.last.unwrap();
    assert_eq!((last.turn, last.sha256), (1, Some(hex_sha256(b"Found it."))));
    assert!(Path::new(&last.path.unwrap()).ends_with("last_message.md"));
}

#[tokio::test]
async fn an_interrupt_from_outside_stops_the_turn() {
    let mut bench = Bench::start(prompt("hi"), tokio::io::empty());
    let busy = bench.said(|it| it.turn == 1 && it.socket.is_some()).await;
    assert!(ask(&busy, "{\"op\":\"interrupt\"}").await.contains("\"ok\":true"));
    while bench.asked.recv().await.unwrap() != Op::Cancel {}
    bench.end("print-1", Outcome::Cancelled);
    let (code, left) = bench.finish().await;
    assert_eq!(code, ExitCode::Failure);
    let last = left.last.unwrap();
    assert_eq!((last.finish, last.path), (crate::protocol::control::Finish::Cancelled, None));
}

#[tokio::test]
async fn between_the_lines_of_its_input_it_is_idle() {
    let (mut stdin, ours) = tokio::io::duplex(1 << 10);
    let options =
        PrintOptions { input_format: Format::StreamJson, prompt: None, ..PrintOptions::default() };
    let bench = Bench::start(options, BufReader::new(ours));
    let idle = bench.said(|it| it.state == State::Idle && it.socket.is_some()).await;
    let refused = ask(&idle, "{\"op\":\"interrupt\"}").await;
    assert!(refused.contains("\"code\":\"wrong_state\""), "{refused}");
    stdin.write_all(b"{\"role\":\"user\",\"content\":\"one\"}\n").await.unwrap();
    bench.said(|it| it.state == State::Busy && it.turn == 1).await;
    bench.end("print-1", Outcome::Finished { stop: StopReason::NoToolCalls });
    let ended = bench.said(|it| it.state == State::Idle && it.turn == 1).await;
    assert_eq!(ended.last.map(|last| (last.turn, last.path)), Some((1, None)));
    drop(stdin);
    assert_eq!(bench.finish().await.0, ExitCode::Success);
}
