//! A record that cannot be written.

use std::os::unix::process::CommandExt;

use crate::agent::bench::strict;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, Running};

/// Runs the program with a limit on the size of the files it writes: to it, the disk is full.
fn run_limited(home: &Home, words: &[&str], bytes: u64) -> crate::support::program::Ran {
    let mut command = home.command(words);
    let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // SAFETY: both calls are async-signal-safe. The signal is ignored so that the write fails.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).map_err(Into::into)
        });
    }
    let mut running = Running::start(command);
    running.feed(b"");
    running.end()
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let long = "word ".repeat(2_000);
    let answer = long.clone();
    let server = ModelServer::start(move |_: &Recorded, _: usize| {
        Reply::new().text(&answer).tool_call("c1", "Shell", r#"{"command":"echo done"}"#)
    });
    let home = Home::new(&server.url());
    let ran = run_limited(&home, &["--quiet", "-p", "the task"], 64 * 1024);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let told = ran.err.matches("the conversation cannot be recorded").count();
    assert_eq!(told, 1, "{ran:#?}");
    assert!(ran.err.contains("context.jsonl"), "{}", ran.err);
    let answered = server.requests().len();
    assert!(answered > 2, "{answered}");
    // With room again everything before the failure is there.
    let server = ModelServer::start(vec![Reply::new().text("Going on.")]);
    home.write("share/config.toml", Home::config(&server.url()));
    let ran = home.run(&["--quiet", "-C", "-p", "go on"]);
    assert_eq!(ran.well().out, "Going on.\n");
    let sent = server.requests()[0].body["messages"].clone();
    strict(&sent);
    let sent = sent.as_array().unwrap();
    let answers = sent.iter().filter(|message| message["role"] == "assistant").count();
    assert_eq!(answers, answered - 1, "the one that could not be written is missing");
    assert!(
        sent.iter().filter(|m| m["role"] == "assistant").all(|m| m["content"] == long.as_str())
    );
}

/// The session in the same process goes on as well, once there is room.
#[test]
fn no_room_at_all_is_one_clear_line() {
    let server = ModelServer::start(vec![Reply::new().text("yes")]);
    let home = Home::new(&server.url());
    let ran = run_limited(&home, &["--quiet", "-p", "the task"], 0);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:#?}");
    assert!(ran.err.contains("context.jsonl") || ran.err.contains("cannot"), "{}", ran.err);
    assert!(ran.err.lines().count() <= 4, "{}", ran.err);
    assert_eq!(server.requests().len(), 0);
}
