//! With the real side door, and a front end behind it that is made up.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use super::{World, ended, receipt};
use crate::cli::ctl::link::{Link, Until};
use crate::front::control::{Control, Status};
use crate::protocol::control::{
    Answer, AskKind, AskOption, Command, Finish, Mode, OpenAsk, RefusalCode, State,
};
use crate::store::ShareDir;

/// An instance on a thread of its own; it leaves when it is told to.
struct Running {
    leave: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Answers `hold` never, asks at `ask`, and repeats everything else.
    fn start(world: &World) -> Self {
        let (leave, mut left) = oneshot::channel();
        let (env, share) = (world.env.clone(), ShareDir::from_env(&world.env));
        let file = world.path("last_message.md");
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async {
                let (control, mut asked) = Control::start(Mode::Tui, &env, &share);
                let mut status = idle();
                control.publish(&status);
                loop {
                    let asked = tokio::select! {
                        _ = &mut left => break,
                        Some(asked) = asked.recv() => asked,
                    };
                    let answer = take(&mut status, &asked.command);
                    control.publish(&status);
                    let _ = asked.reply.send(answer);
                    if status.state == State::Busy && status.phase.as_deref() != Some("hold") {
                        finish(&mut status, &file);
                        control.publish(&status);
                    }
                }
                control.stop().await;
            });
        });
        let running = Self { leave, thread };
        let deadline = Instant::now() + Duration::from_secs(20);
        while world.ctl(&["state"]).code != 0 {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(2));
        }
        running
    }

    fn leave(self) {
        self.leave.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn idle() -> Status {
    Status {
        state: State::Idle,
        turn: 0,
        phase: None,
        session: "the-session".to_owned(),
        session_dir: "/nowhere".to_owned(),
        cwd: "/".to_owned(),
        model: None,
        context: 0.0,
        queued: 0,
        input: None,
        ask: None,
        last: None,
    }
}

fn take(status: &mut Status, command: &Command) -> Answer {
    match command {
        Command::Send { text, .. } => {
            status.turn += 1;
            status.state = if text == "ask" { State::Ask } else { State::Busy };
            status.phase = Some(if text == "hold" { "hold" } else { "write" }.to_owned());
            status.input = Some(receipt(status.turn, text, Some(status.turn)));
            status.ask = (text == "ask").then(approval);
            Answer { receipt: status.input.clone(), ..Answer::ok() }
        }
        Command::Answer { id, choices } => {
            assert_eq!(
                (id.as_deref(), choices[0].names.first().unwrap().as_str()),
                (Some("a7"), "approve")
            );
            (status.state, status.ask) = (State::Busy, None);
            Answer::ok()
        }
        Command::Interrupt if status.state == State::Busy => {
            let cancelled = Finish::Cancelled;
            let last = crate::protocol::control::LastTurn {
                finish: cancelled,
                sha256: None,
                path: None,
                ..ended(status.turn, "")
            };
            (status.state, status.phase, status.last) = (State::Idle, None, Some(last));
            Answer::ok()
        }
        _ => Answer::refused(RefusalCode::WrongState, "No turn runs."),
    }
}

fn approval() -> OpenAsk {
    let option = AskOption {
        n: 1,
        name: "approve".to_owned(),
        label: "Approve once".to_owned(),
        description: String::new(),
        takes_text: false,
    };
    OpenAsk {
        id: "a7".to_owned(),
        kind: AskKind::Approval,
        text: "May I?".to_owned(),
        options: vec![option],
        questions: Vec::new(),
        behind: 0,
    }
}

fn finish(status: &mut Status, file: &PathBuf) {
    let text = format!("  answer {}\n\tend", status.turn);
    std::fs::write(file, format!("{text}\n")).unwrap();
    let mut last = ended(status.turn, &text);
    last.path = Some(file.display().to_string());
    (status.state, status.phase, status.last) = (State::Idle, None, Some(last));
}

#[test]
fn the_commands_and_the_side_door_understand_each_other() {
    let world = World::new();
    let instance = Running::start(&world);
    assert!(world.ctl(&["list"]).out.contains("the-session"));
    assert!(world.ctl(&["state"]).out.starts_with("idle turn=0 for="));
    assert_eq!(world.ctl(&["wait"]).out, "idle\n");
    let none = world.ctl(&["last"]);
    assert_eq!((none.code, &*none.out), (1, ""), "{none:?}");

    let ran = world.ctl(&["send", "--wait", "hello"]);
    assert_eq!((ran.code, &*ran.out), (0, "  answer 1\n\tend"), "{ran:?}");
    assert_eq!(world.ctl(&["last"]).out, "  answer 1\n\tend");
    assert_eq!(world.ctl(&["wait", "--turn", "1"]).out, "idle\n");

    let ran = world.ctl(&["send", "--wait", "ask"]);
    assert!(ran.code == 10 && ran.err.contains("  May I?\n    1. Approve once"), "{ran:?}");
    assert_eq!(world.ctl(&["wait"]).code, 10);
    assert_eq!(world.ctl(&["answer", "approve"]).out, "answered: May I?\n");
    assert_eq!(world.ctl(&["wait", "--turn", "2"]).code, 0);
    assert!(world.ctl(&["answer", "approve"]).err.contains("it asks nothing"));
    instance.leave();
    assert_eq!(world.ctl(&["list"]).err, "no running instance\n");
}

#[test]
fn what_waits_is_told_of_an_interrupt_and_of_the_end() {
    let world = World::new();
    let instance = Running::start(&world);
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| world.ctl(&["send", "--wait", "hold"]));
        assert_eq!(world.ctl(&["wait", "--state", "busy"]).out, "busy\n");
        assert_eq!(world.ctl(&["wait", "--timeout", "0.05"]).code, 124);
        assert_eq!(world.ctl(&["interrupt"]).out, "interrupted turn 1\n");
        let sent = sent.join().unwrap();
        assert!(sent.code == 11 && sent.err.ends_with("turn 1 was interrupted\n"), "{sent:?}");
    });
    let ran = world.ctl(&["interrupt"]);
    assert!(ran.code == 1 && ran.err.ends_with("refuses: No turn runs.\n"), "{ran:?}");

    std::thread::scope(|scope| {
        let sent = scope.spawn(|| world.ctl(&["send", "--wait", "hold"]));
        assert_eq!(world.ctl(&["wait", "--state", "busy"]).out, "busy\n");
        let listed = world.run_dir().read_all().unwrap().remove(0);
        let link = || Link::open(&listed, &world.env, world.patience).unwrap();
        let (mut watch, mut waits) = (link(), link());
        watch.send(&Command::Watch).unwrap();
        let mut last = watch.next(Until::Patience).unwrap();
        let busy = Command::Wait { until: vec![], turn: None, after_seq: None, timeout_ms: None };
        waits.send(&busy).unwrap();
        instance.leave();
        let sent = sent.join().unwrap();
        assert_eq!((sent.code, &*sent.out), (12, ""), "{sent:?}");
        while let Some(next) = watch.next(Until::Patience).unwrap() {
            last = Some(next);
        }
        let last: Value = serde_json::from_str(&last.unwrap().state_json()).unwrap();
        assert_eq!(last["state"], "exited");
        match waits.next(Until::Patience) {
            Ok(None) => {}
            Err(trouble) => assert_eq!(trouble.code().status(), 12, "{trouble}"),
            Ok(Some(reply)) => assert_eq!(reply.answer.state.unwrap().state, State::Exited),
        }
    });
}
