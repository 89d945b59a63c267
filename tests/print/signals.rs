//! Signals.

use rustix::process::Signal;

use crate::agent::bench::strict;
use crate::support::model_server::{Gate, ModelServer, Reply};
use crate::support::program::{Home, Running};

#[test]
fn an_interrupt_keeps_what_was_said() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![
        Reply::new().text("Half an answer").wait(&gate).text("never"),
        Reply::new().text("Going on."),
    ]);
    let home = Home::new(&server.url());
    let running = home.start(&["--print", "-p", "x"]);
    running.wait_out("Half an answer");
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "Half an answer\n"), "{ran:#?}");
    assert_eq!(ran.err.matches("Interrupted by user").count(), 1, "{}", ran.err);
    assert!(ran.err.contains("kimi -r"), "{}", ran.err);
    home.run(&["--print", "-C", "-p", "go on"]).well();
    let sent = server.requests()[1].body["messages"].clone();
    strict(&sent);
    assert!(sent.to_string().contains("Half an answer"), "{sent}");
}

#[test]
fn a_termination_ends_soon_and_takes_the_children_along() {
    let command = r#"{"command":"echo $$ > pid; echo started; sleep 600"}"#;
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "Shell", command),
        Reply::new().text("Going on."),
    ]);
    let home = Home::new(&server.url());
    let running = home.start(&["--print", "--output-format", "stream-json", "-p", "x"]);
    let pid_file = home.path("project/pid");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let pid: i32 = loop {
        let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
        if let Ok(pid) = text.trim().parse() {
            break pid;
        }
        assert!(std::time::Instant::now() < deadline, "the command does not start");
        std::thread::yield_now();
    };
    running.signal(Signal::TERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(143), "{ran:#?}");
    ran.records();
    let group = rustix::process::Pid::from_raw(pid).unwrap();
    while rustix::process::test_kill_process(group).is_ok() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A dead child that nobody has asked about is no process any more.
        if status.is_empty() || status.contains(") Z ") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the command lives on");
        std::thread::yield_now();
    }
    home.run(&["--print", "-C", "-p", "go on"]).well();
    let sent = server.requests()[1].body["messages"].clone();
    strict(&sent);
    assert!(sent.to_string().contains("interrupted"), "{sent}");
}

/// Programs that end us wait about two seconds before they kill.
#[test]
fn a_child_that_ignores_the_termination_does_not_hold_it_up() {
    let command = r#"{"command":"trap '' TERM; echo $$ > pid; sleep 60"}"#;
    let server = ModelServer::start(vec![Reply::new().tool_call("c1", "Shell", command)]);
    let home = Home::new(&server.url());
    let running = home.start(&["--print", "-p", "x"]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::fs::read_to_string(home.path("project/pid")).unwrap_or_default().is_empty() {
        assert!(std::time::Instant::now() < deadline, "the command does not start");
        std::thread::yield_now();
    }
    let sent = std::time::Instant::now();
    running.signal(Signal::TERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(143), "{ran:#?}");
    let took = sent.elapsed();
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

#[test]
fn an_interrupt_while_stdin_is_awaited() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let running = home.start(&["--print"]);
    // The session is open when its directory is there: signals are listened to soon after.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while home.sessions().is_empty() {
        assert!(std::time::Instant::now() < deadline, "no session");
        std::thread::yield_now();
    }
    running.signal(Signal::TERM);
    let ran = running.end();
    // Before or after the program listens: it ends either way.
    assert!(matches!(ran.code, Some(143) | None), "{ran:#?}");
    assert_eq!(ran.out, "");
}

#[test]
fn an_interrupt_while_the_server_says_nothing() {
    let server = ModelServer::start(vec![Reply::hang(), Reply::new().text("Now.")]);
    let home = Home::new(&server.url());
    let running = home.start(&["--quiet", "-p", "x"]);
    server.wait_for(1);
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:#?}");
    assert_eq!(ran.err.matches("Interrupted by user").count(), 1, "{}", ran.err);
    assert_eq!(home.run(&["--quiet", "-C", "-p", "y"]).well().out, "Now.\n");
}

/// As `nohup` starts a program, and a script its background jobs.
#[test]
fn signals_that_were_ignored_at_the_start_stay_so() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![Reply::new().text("first").wait(&gate).text(" second")]);
    let home = Home::new(&server.url());
    let running = Running::start(home.shell("trap '' HUP INT; exec \"$0\" --print -p x"));
    running.wait_out("first");
    running.signal(Signal::HUP);
    running.signal(Signal::INT);
    gate.open();
    let ran = running.end();
    assert_eq!(ran.well().out, "first second\n");
}

#[test]
fn a_hangup_ends_like_a_termination() {
    let server = ModelServer::start(vec![Reply::new().text("first").wait(&Gate::new())]);
    let home = Home::new(&server.url());
    let running = home.start(&["--print", "-p", "x"]);
    running.wait_out("first");
    running.signal(Signal::HUP);
    assert_eq!(running.end().code, Some(143));
}
