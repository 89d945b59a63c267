//! One-shot runs: tasks are waited for, watched, and told of truthfully.

use serde_json::{Value, json};

use super::{background, kill, record, result, runs, task_id, tasks_of, until_file, wait_for};
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

const RUN: [&str; 5] = ["--print", "--output-format", "stream-json", "-p", "go"];

#[test]
fn a_run_waits_for_its_tasks_and_lets_the_model_see_to_them() {
    let home = Home::bare();
    let go = home.path("go");
    let wait = format!("until [ -e {} ]; do sleep 0.02; done", go.display());
    let command = format!("{wait}; echo built; echo \"$KIMI_TASK_ID\" >id; exit 3");
    let server = ModelServer::start(move |_: &Recorded, index: usize| match index {
        0 => background("c1", &command),
        1 => {
            // Not before the model was asked, or it would be told already.
            std::fs::write(&go, "").unwrap();
            Reply::new().text("launched")
        }
        _ => Reply::new().text("It failed."),
    });
    home.write("share/config.toml", Home::config(&server.url()));
    let ran = home.run(&RUN);
    ran.well();
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let started = result(&requests[1]);
    for line in ["status: ", "automatic_notification: true", "description: the job", "kind: bash"] {
        assert!(started.contains(line), "{started}");
    }
    let id = task_id(&requests[1]);
    assert!(id.starts_with("bash-") && id.len() == 13, "{id}");
    let told = serde_json::to_string(&requests[2].body["messages"]).unwrap();
    for part in ["<notification id=", "type=\\\"task.failed\\\"", "Exit code: 3", "built"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(std::fs::read_to_string(home.path("project/id")).unwrap().trim(), id);
    let records = ran.records();
    let news: Vec<&Value> = records.iter().filter(|it| it["category"] == "task").collect();
    assert_eq!(news.len(), 1, "{records:?}");
    assert_eq!(news[0]["payload"]["exit_code"], 3);
    assert_eq!(news[0]["payload"]["terminal_reason"], "failed");
    assert_eq!(news[0]["source_id"], json!(id));
    let task = home.session().join("tasks").join(&id);
    let spec = record(&task, "spec.json");
    assert_eq!((&spec["version"], &spec["timeout_s"]), (&json!(1), &json!(600)));
    assert_eq!(record(&task, "runtime.json")["status"], "failed");
    assert_eq!(std::fs::read_to_string(task.join("output.log")).unwrap(), "built\n");
}

#[test]
fn a_fifth_task_is_refused_and_so_are_ids_that_are_paths() {
    let home = Home::bare();
    let go = home.path("go");
    let command = until_file(&go);
    let server = ModelServer::start(move |request: &Recorded, index: usize| match index {
        0 => (0..5).fold(Reply::new(), |reply, n| {
            let arguments = json!({"command": command, "run_in_background": true,
                "description": format!("job {n}"), "timeout": 100});
            reply.tool_call(&format!("c{n}"), "Shell", &arguments.to_string())
        }),
        1 => {
            assert!(
                result(request).contains("4 background tasks are running"),
                "{}",
                result(request)
            );
            Reply::new().tool_call("l", "TaskList", "{}")
        }
        2 => {
            let list = result(request);
            assert!(list.contains("active_background_tasks: 4"), "{list}");
            Reply::new().tool_call("o", "TaskOutput", r#"{"task_id": "../../x"}"#)
        }
        3 => {
            assert!(result(request).contains("There is no task"), "{}", result(request));
            Reply::new().tool_call("s", "TaskStop", r#"{"task_id": "bash-../../../x"}"#)
        }
        4 => {
            assert!(result(request).contains("There is no task"), "{}", result(request));
            std::fs::write(&go, "").unwrap();
            Reply::new().text("launched")
        }
        _ => Reply::new().text("all done"),
    });
    home.write("share/config.toml", Home::config(&server.url()));
    home.run(&RUN).well();
    let tasks = tasks_of(&home.session());
    assert_eq!(tasks.len(), 4);
    for task in tasks {
        assert_eq!(record(&task, "runtime.json")["status"], "completed");
    }
}

#[test]
fn a_worker_that_is_killed_leaves_a_lost_task_and_nothing_that_runs() {
    let home = Home::bare();
    let share = home.path("share");
    let command = "echo $$ >pid; while :; do sleep 0.1; done";
    let pid_file = home.path("project/pid");
    let pid = pid_file.clone();
    let server = ModelServer::start(move |request: &Recorded, index: usize| match index {
        0 => background("c1", command),
        1 => {
            let id = task_id(request);
            let worker = wait_for("the worker", || {
                let found = find(&share, &id)?;
                std::fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n'))?;
                record(&found, "runtime.json")["worker_pid"].as_i64()
            });
            kill(worker);
            Reply::new().text("launched")
        }
        _ => Reply::new().text("lost, I see"),
    });
    home.write("share/config.toml", Home::config(&server.url()));
    let ran = home.run(&RUN);
    ran.well();
    let told = serde_json::to_string(&server.requests()[2].body["messages"]).unwrap();
    assert!(told.contains("task.lost"), "{told}");
    let task = tasks_of(&home.session()).remove(0);
    let runtime = record(&task, "runtime.json");
    assert_eq!(runtime["status"], "lost");
    let pid: i64 = std::fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
    wait_for("the end of the command", || (!runs(pid)).then_some(()));
}

/// The directory of a task, wherever its session is.
fn find(share: &std::path::Path, id: &str) -> Option<std::path::PathBuf> {
    let below = |dir: std::path::PathBuf| {
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    let mut sessions = below(share.join("sessions")).flat_map(below);
    sessions.find_map(|session| Some(session.join("tasks").join(id)).filter(|task| task.is_dir()))
}

#[test]
fn a_kimi_that_is_killed_leaves_its_task_running_and_finds_it_again() {
    let home = Home::bare();
    let go = home.path("go");
    let (command, open) = (until_file(&go), go.clone());
    let server = ModelServer::start(move |request: &Recorded, index: usize| match index {
        0 => background("c1", &command),
        1 => Reply::new().text("launched"),
        2 => Reply::new().tool_call("l", "TaskList", "{}"),
        3 => {
            assert!(result(request).contains("status: running"), "{}", result(request));
            std::fs::write(&open, "").unwrap();
            Reply::new().text("It still runs.")
        }
        _ => Reply::new().text("Now it is done."),
    });
    home.write("share/config.toml", Home::config(&server.url()));
    let mut first = home.start(&RUN);
    server.wait_for(2);
    let task = wait_for("the task", || tasks_of(&home.session()).pop());
    wait_for("its start", || (record(&task, "runtime.json")["status"] == "running").then_some(()));
    first.kill();
    let id = home.session().file_name().unwrap().to_str().unwrap().to_owned();
    let ran = home.run(&["--print", "--session", &id, "-p", "and now?"]);
    ran.well();
    assert!(ran.out.contains("It still runs.") && ran.out.contains("Now it is done."), "{ran:?}");
    assert_eq!(record(&task, "runtime.json")["status"], "completed");
    let log = std::fs::read_to_string(task.join("output.log")).unwrap();
    assert!(log.ends_with("gone on\n"), "{log}");
}

#[test]
fn a_flood_is_bounded_and_says_so() {
    let server = ModelServer::start(vec![
        background(
            "c1",
            "echo first; yes 0123456789012345678901234567890 | head -c 40000000; echo last",
        ),
        Reply::new().text("launched"),
        Reply::new().text("done"),
    ]);
    let home = Home::new(&server.url());
    home.run(&RUN).well();
    let task = tasks_of(&home.session()).remove(0);
    let log = std::fs::read_to_string(task.join("output.log")).unwrap();
    assert!(log.len() <= 16 << 20, "{}", log.len());
    assert!(log.starts_with("first\n") && log.ends_with("last\n"));
    assert!(log.contains("bytes left out"));
}

#[test]
fn a_task_that_does_not_want_to_end_is_killed() {
    let home = Home::bare();
    let command = "trap 'echo no' TERM; echo pid $$; while :; do sleep 0.05; done";
    let share = home.path("share");
    let server = ModelServer::start(move |request: &Recorded, index: usize| match index {
        0 => background("c1", command),
        1 => {
            let id = task_id(request);
            wait_for("the trap", || {
                let log = find(&share, &id)?.join("output.log");
                std::fs::read_to_string(log).ok().filter(|text| text.starts_with("pid "))
            });
            let arguments = json!({"task_id": id, "reason": "no longer wanted"});
            Reply::new().tool_call("s", "TaskStop", &arguments.to_string())
        }
        2 => {
            let stopped = result(request);
            assert!(stopped.contains("status: killed"), "{stopped}");
            assert!(stopped.contains("reason: no longer wanted"), "{stopped}");
            Reply::new().text("stopped")
        }
        _ => Reply::new().text("noted"),
    });
    home.write(
        "share/config.toml",
        Home::config(&server.url()) + "[background]\nkill_grace_period_ms = 300\n",
    );
    home.run(&RUN).well();
    let task = tasks_of(&home.session()).remove(0);
    let log = std::fs::read_to_string(task.join("output.log")).unwrap();
    assert!(log.ends_with("no\n"), "it heard the signal: {log}");
    let pid: i64 = log.lines().next().unwrap()["pid ".len()..].parse().unwrap();
    assert!(!runs(pid));
    assert_eq!(record(&task, "runtime.json")["interrupted"], true);
}

#[test]
fn a_run_does_not_wait_for_ever() {
    let server = ModelServer::start(vec![
        background("c1", "while :; do sleep 0.1; done"),
        Reply::new().text("launched"),
        Reply::new().text("too slow"),
    ]);
    let home = Home::bare();
    home.write(
        "share/config.toml",
        Home::config(&server.url())
            + "[background]\nprint_wait_ceiling_s = 1\nkill_grace_period_ms = 300\n",
    );
    let ran = home.run(&["--print", "-p", "go"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let line = "timed out waiting for background tasks (1s), killed 1 tasks";
    assert!(ran.err.contains(line), "{}", ran.err);
    assert!(ran.out.contains("too slow"), "{}", ran.out);
    let task = tasks_of(&home.session()).remove(0);
    assert_eq!(record(&task, "runtime.json")["status"], "killed");
}

#[test]
fn a_notification_has_as_much_of_the_output_as_is_configured() {
    let go = tempfile::tempdir().unwrap();
    let file = go.path().join("go");
    let wait = format!("until [ -e {} ]; do sleep 0.02; done", file.display());
    let long = "seq 100 199; printf 'Z%.0s' $(seq 400); echo; echo last";
    let command = format!("{wait}; {long}");
    let server = ModelServer::start(move |_: &Recorded, index: usize| match index {
        0 => background("c1", &command),
        1 => {
            std::fs::write(&file, "").unwrap();
            Reply::new().text("launched")
        }
        _ => Reply::new().text("done"),
    });
    let home = Home::bare();
    let few = "[background]\nnotification_tail_lines = 3\n";
    home.write("share/config.toml", Home::config(&server.url()) + few);
    home.run(&RUN).well();
    let messages = server.requests()[2].body["messages"].to_string();
    let (_, told) = messages.split_once("TaskOutput shows more):").expect("a notification");
    let (output, _) = told.split_once("</task-notification>").expect("its end");
    assert!(output.contains("199") && output.contains("last"), "{output}");
    assert!(!output.contains("198"), "{output}");
}

/// `--timeout` is that of the run: the wait for tasks counts, and none outlives it.
#[test]
fn the_time_limit_bounds_the_wait_for_tasks() {
    let server = ModelServer::start(vec![
        background("c1", "while :; do sleep 0.1; done"),
        Reply::new().text("launched"),
        Reply::new().text("never asked"),
    ]);
    let home = Home::new(&server.url());
    let begun = std::time::Instant::now();
    let ran = home.run(&["--print", "-p", "go", "--timeout", "5s"]);
    assert_eq!(ran.code, Some(124), "{ran:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(ran.err.matches("The time limit of 5 s is reached.").count(), 1, "{}", ran.err);
    assert_eq!(server.requests().len(), 2, "no model is asked beyond it");
    let task = tasks_of(&home.session()).remove(0);
    assert_eq!(record(&task, "runtime.json")["status"], "killed");
}

#[test]
fn what_is_kept_alive_outlives_the_run() {
    let home = Home::bare();
    let go = home.path("go");
    let server =
        ModelServer::start(vec![background("c1", &until_file(&go)), Reply::new().text("launched")]);
    home.write(
        "share/config.toml",
        Home::config(&server.url()) + "[background]\nkeep_alive_on_exit = true\n",
    );
    home.run(&RUN).well();
    let task = tasks_of(&home.session()).remove(0);
    assert_eq!(record(&task, "runtime.json")["status"], "running");
    std::fs::write(&go, "").unwrap();
    wait_for("its end", || (record(&task, "runtime.json")["status"] == "completed").then_some(()));
}

#[test]
fn damaged_records_harm_nobody() {
    let server = ModelServer::start(vec![
        Reply::new().text("one"),
        Reply::new().tool_call("l", "TaskList", r#"{"active_only": false}"#),
        Reply::new().text("two"),
    ]);
    let home = Home::new(&server.url());
    home.run(&RUN).well();
    let session = home.session();
    let id = session.file_name().unwrap().to_str().unwrap().to_owned();
    let spec = |id: &str| json!({"id": id, "kind": "bash", "description": "old", "command": "x"});
    for (name, text) in [
        ("bash-aaaaaaaa/spec.json", "{".to_owned()),
        ("bash-bbbbbbbb/spec.json", spec("bash-cccccccc").to_string()),
        ("bash-dddddddd/spec.json", spec("bash-dddddddd").to_string()),
        ("bash-dddddddd/runtime.json", "\0\0".to_owned()),
        ("NOT-AN-ID/spec.json", spec("NOT-AN-ID").to_string()),
    ] {
        let path = session.join("tasks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    home.run(&["--print", "--session", &id, "-p", "list"]).well();
    let list = result(&server.requests()[2]);
    assert!(list.contains("background_tasks: 1\\n"), "{list}");
    assert!(list.contains("bash-dddddddd") && list.contains("status: lost"), "{list}");
}
