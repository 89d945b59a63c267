//! Commands in the background: what their start tells, how they end, what is written of them.

use kimi_tui::agent::Modes;
use serde_json::{Value, json};

use super::background_agents::{news, runtime, task_id};
use super::bench::{Bench, Live, Say, calls, text};
use super::subagents::result;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.real_tools = true;
    bench.modes = Modes { yolo: true, ..Modes::default() };
    bench
}

fn background(command: &str, timeout: u64) -> Vec<Say> {
    let arguments = json!({"command": command, "run_in_background": true, "timeout": timeout,
        "description": " the job "});
    calls(&[("c1", "Shell", &arguments.to_string())])
}

/// A record of a task.
fn record(live: &Live, task: &str, name: &str) -> Value {
    let path = live.handle.session().dir.join("tasks").join(task).join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The result of this call about the task, in a turn of its own.
async fn asked(bench: &Bench, live: &mut Live, tool: &str, arguments: Value) -> String {
    bench.model.reply(calls(&[("t", tool, &arguments.to_string())]));
    bench.model.reply([text("ok")]);
    let heard = live.prompt("and now?").await;
    heard.finished();
    result(&heard, "t").output.text()
}

#[tokio::test]
async fn the_start_tells_what_runs_and_how_to_follow_it() {
    let bench = bench();
    let command = "until [ -e go ]; do sleep 0.02; done; echo $GIT_TERMINAL_PROMPT $SHELL; pwd";
    bench.model.reply(background(command, 600));
    bench.model.reply([text("ok")]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    let value = result(&heard, "c1");
    let told = value.output.text();
    let task = task_id(&told);
    assert!(task.starts_with("bash-") && task.len() == 13, "{task}");
    let lines: Vec<(&str, &str)> = told.lines().filter_map(|line| line.split_once(": ")).collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "task_id",
            "kind",
            "status",
            "description",
            "command",
            "automatic_notification",
            "next_step",
            "next_step",
            "next_step",
            "human_shell_hint"
        ]
    );
    let status = lines[2].1;
    assert!(matches!(status, "starting" | "running"), "{told}");
    assert_eq!((lines[1].1, lines[3].1, lines[4].1), ("bash", "the job", command));
    assert_eq!(lines[5].1, "true");
    let hint = lines[9].1;
    assert!(hint.contains("/task") && !told.replace(hint, "").contains("/task"), "{told}");
    assert_eq!((value.is_error, value.message.as_str()), (false, "Background task started."));
    assert_eq!(
        serde_json::to_value(&value.display).unwrap(),
        json!([
            {"type": "background_task", "task_id": task, "kind": "bash", "status": status,
             "description": "the job"},
            {"type": "brief", "text": format!("Started {task}")},
        ])
    );
    let spec = record(&live, &task, "spec.json");
    let shell = spec["shell_path"].as_str().unwrap().to_owned();
    assert_eq!(
        spec,
        json!({"version": 1, "id": task, "kind": "bash", "session_id": live.handle.session().id,
            "description": "the job", "tool_call_id": "c1", "owner_role": "root",
            "created_at": bench.env.unix_now(), "command": command,
            "shell_name": shell.rsplit('/').next(), "shell_path": shell,
            "cwd": bench.work_dir(), "timeout_s": 600, "kind_payload": null})
    );
    std::fs::write(bench.work_dir().join("go"), "").unwrap();
    assert_eq!(news(&mut live).await.kind, "task.completed");
    let ended = runtime(&live, &task);
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("completed"), &json!(0)));
    assert_eq!(ended["child_pid"], ended["child_pgid"], "a group of its own");
    assert_ne!(ended["worker_pid"], ended["child_pid"]);
    for time in ["started_at", "heartbeat_at", "updated_at", "finished_at"] {
        assert!(ended[time].is_f64(), "{time}: {ended}");
    }
    for (name, none) in [
        ("interrupted", json!(false)),
        ("timed_out", json!(false)),
        ("failure_reason", Value::Null),
    ] {
        assert_eq!(ended[name], none, "{name}");
    }
    // In the same surroundings as in the foreground.
    let log = live.handle.session().dir.join("tasks").join(&task).join("output.log");
    let expected = format!("0 {shell}\n{}\n", bench.work_dir().display());
    assert_eq!(std::fs::read_to_string(log).unwrap(), expected);
}

#[tokio::test]
async fn one_whose_time_is_up_has_failed_and_was_interrupted() {
    let bench = bench();
    bench.model.reply(background("echo pid $$; sleep 100; echo never", 1));
    bench.model.reply([text("ok")]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let task = task_id(&result(&heard, "c1").output.text());
    let news = news(&mut live).await;
    assert_eq!((news.kind.as_str(), news.severity.as_str()), ("task.timed_out", "error"));
    assert_eq!(news.payload["terminal_reason"], "timed_out");
    let ended = runtime(&live, &task);
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("failed"), &Value::Null));
    assert_eq!((&ended["interrupted"], &ended["timed_out"]), (&json!(true), &json!(true)));
    assert_eq!(ended["failure_reason"], "Not done within 1s");
    let told = asked(&bench, &mut live, "TaskOutput", json!({"task_id": task})).await;
    assert!(told.starts_with("retrieval_status: success\n"), "{told}");
    let ending = "interrupted: true\ntimed_out: true\nterminal_reason: timed_out\n\
        reason: Not done within 1s\n\n";
    assert!(told.contains("\nstatus: failed\n") && told.contains(ending), "{told}");
    let (_, output) = told.split_once("[output]\npid ").unwrap();
    let pid = output.trim_end();
    let alive = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"));
    assert!(!alive, "{pid} goes on");
}

#[tokio::test]
async fn one_that_fails_is_told_with_its_code_and_one_that_is_stopped_with_the_wish() {
    let bench = bench();
    bench.model.reply(background("echo no >&2; exit 3", 60));
    bench.model.reply([text("ok")]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let task = task_id(&result(&heard, "c1").output.text());
    let wait = json!({"task_id": task, "block": true});
    let told = asked(&bench, &mut live, "TaskOutput", wait).await;
    let ending = "command: echo no >&2; exit 3\ninterrupted: false\ntimed_out: false\n\
        terminal_reason: failed\nexit_code: 3\nreason: Failed with exit code 3\n\n";
    assert!(told.contains(ending) && told.ends_with("[output]\nno\n"), "{told}");
    let seen = json!({"last_seen_output_size": 3, "last_viewed_at": bench.env.unix_now()});
    assert_eq!(record(&live, &task, "consumer.json"), seen);

    bench.model.reply(background("sleep 100", 60));
    bench.model.reply([text("ok")]);
    let heard = live.prompt("go").await;
    let task = task_id(&result(&heard, "c1").output.text());
    let stop = json!({"task_id": task, "reason": " no longer wanted "});
    let told = asked(&bench, &mut live, "TaskStop", stop).await;
    assert!(
        told.contains("status: killed") && told.ends_with("reason: no longer wanted"),
        "{told}"
    );
    assert_eq!(
        record(&live, &task, "control.json"),
        json!({"kill_requested_at": bench.env.unix_now(), "kill_reason": "no longer wanted",
            "force": false})
    );
    let ended = runtime(&live, &task);
    assert_eq!((&ended["interrupted"], &ended["timed_out"]), (&json!(true), &json!(false)));
}
