//! `kimi ctl` against real instances in pseudo-terminals.

mod asks;
mod finding;
mod print;
mod queue;
mod turns;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::program::Ran;
use crate::tui::world::World;

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// `kimi ctl` with these words, in the world's project directory.
fn ctl(world: &World, words: &[&str]) -> Ran {
    ctl_with(world, words, "")
}

/// The same with this on stdin.
fn ctl_with(world: &World, words: &[&str], stdin: &str) -> Ran {
    end(start(world, words, stdin))
}

/// Starts it, for a command that takes its time.
fn start(world: &World, words: &[&str], stdin: &str) -> std::process::Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kimi"))
        .arg("ctl")
        .args(words)
        .current_dir(world.work())
        .env_clear()
        .envs(world.env())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read it is no failure.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child
}

fn end(child: std::process::Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The instances, as soon as there are so many, each with its socket.
#[track_caller]
fn listed(world: &World, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ran = ctl(world, &["list", "--json"]);
        let all: Vec<Value> = serde_json::from_str(&ran.well().out).unwrap();
        if all.len() == count && all.iter().all(|instance| instance["socket"].is_string()) {
            return all;
        }
        assert!(Instant::now() < deadline, "waited for {count} instances: {all:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the only instance says of itself.
#[track_caller]
fn state(world: &World) -> Value {
    serde_json::from_str(&ctl(world, &["state", "--json"]).well().out).unwrap()
}
