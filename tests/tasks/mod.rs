//! Background tasks through the real binary.

mod print;
mod screen;
mod worker;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::model_server::{Recorded, Reply};

/// No wait takes longer.
const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until there is something.
fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A command that says its number and goes on until the file is there.
fn until_file(go: &Path) -> String {
    format!("echo pid $$; until [ -e {} ]; do sleep 0.02; done; echo gone on", go.display())
}

/// A reply that starts this command in the background.
fn background(id: &str, command: &str) -> Reply {
    let arguments = json!({"command": command, "run_in_background": true, "description": "the job",
        "timeout": 600});
    Reply::new().tool_call(id, "Shell", &arguments.to_string())
}

/// The directories of a session's tasks.
fn tasks_of(session: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(session.join("tasks")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// A record of a task; `Null` until it is there.
fn record(task: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(task.join(name)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The result of the newest call, as the model got it.
fn result(request: &Recorded) -> String {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    let last = messages.iter().rev().find(|message| message["role"] == "tool");
    last.map(|message| message["content"].to_string()).unwrap_or_default()
}

/// The id of the task in that result.
fn task_id(request: &Recorded) -> String {
    let text = result(request);
    let rest = text.split_once("task_id: ").map(|(_, rest)| rest).unwrap_or_default();
    rest.chars().take_while(|ch| ch.is_ascii_alphanumeric() || *ch == '-').collect()
}

/// Whether a process runs; one that is dead and not collected does not.
fn runs(pid: i64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

fn kill(pid: i64) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
