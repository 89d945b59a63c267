//! The process that attends one command, by itself.

use serde_json::{Value, json};

use super::{record, runs, wait_for};
use crate::support::program::{Home, Running};

/// A task that runs this command, as whoever starts a worker leaves it.
fn task(home: &Home, command: &str) -> std::path::PathBuf {
    let spec = json!({"version": 1, "id": "bash-0000cafe", "kind": "bash", "command": command,
        "shell_path": "/bin/sh", "cwd": home.path("project")});
    home.write("tasks/bash-0000cafe/spec.json", spec.to_string());
    let starting = json!({"status": "starting", "updated_at": 1.0});
    home.write("tasks/bash-0000cafe/runtime.json", starting.to_string());
    home.path("tasks/bash-0000cafe")
}

fn worker(home: &Home, task: &std::path::Path) -> Running {
    home.start(&[
        "__background-task-worker",
        "--task-dir",
        task.to_str().unwrap(),
        "--heartbeat-interval-ms",
        "100",
        "--control-poll-interval-ms",
        "50",
        "--kill-grace-period-ms",
        "200",
    ])
}

#[test]
fn it_shows_signs_of_life_and_ends_what_it_attends_when_asked() {
    let home = Home::bare();
    let task = task(&home, "echo out; echo err >&2; while :; do sleep 0.05; done");
    let first = worker(&home, &task);
    let running = wait_for("a sign of life", || {
        let runtime = record(&task, "runtime.json");
        let [beat, start] = ["heartbeat_at", "started_at"].map(|key| runtime[key].as_f64());
        (beat? > start? + 0.05).then_some(runtime)
    });
    assert_eq!(running["status"], "running");
    assert_eq!(running["worker_pid"], first.child.id());
    let child = running["child_pid"].as_i64().unwrap();
    assert!(runs(child) && running["child_pgid"] == running["child_pid"]);
    // Nobody else attends it meanwhile.
    let second = worker(&home, &task).end();
    assert!(second.code != Some(0) && second.err.contains("attended already"), "{second:?}");

    let wish = json!({"kill_requested_at": 5.0, "kill_reason": "enough", "force": false});
    home.write("tasks/bash-0000cafe/control.json", wish.to_string());
    assert_eq!(first.end().code, Some(0));
    let ended = record(&task, "runtime.json");
    assert_eq!((&ended["status"], &ended["failure_reason"]), (&json!("killed"), &json!("enough")));
    assert_eq!((&ended["interrupted"], &ended["exit_code"]), (&json!(true), &Value::Null));
    assert!(!runs(child));
    let log = std::fs::read_to_string(task.join("output.log")).unwrap();
    assert_eq!(log, "out\nerr\n");
    // One that is over is not begun again.
    let again = worker(&home, &task).end();
    assert!(again.code != Some(0) && again.err.contains("started before"), "{again:?}");
    assert_eq!(record(&task, "runtime.json"), ended);
}

#[test]
fn a_command_that_cannot_be_started_has_failed() {
    let home = Home::bare();
    let task = task(&home, "true");
    let mut spec = record(&task, "spec.json");
    spec["cwd"] = json!("/no/such/place");
    home.write("tasks/bash-0000cafe/spec.json", spec.to_string());
    assert_eq!(worker(&home, &task).end().code, Some(0));
    let ended = record(&task, "runtime.json");
    assert_eq!(ended["status"], "failed");
    let why = ended["failure_reason"].as_str().unwrap();
    assert!(why.starts_with("The command could not be started: "), "{why}");
}
