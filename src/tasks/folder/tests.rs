use super::*;
use crate::platform::env::fixed;
use crate::tasks::record::Status;
use serde_json::{Value, json};

fn world() -> (tempfile::TempDir, Env) {
    let dir = tempfile::tempdir().unwrap();
    let env = fixed::env(dir.path(), &[]);
    (dir, env)
}

fn task(tasks: &Path, env: &Env) -> (Folder, Spec) {
    let (id, folder) = Folder::create(tasks, Kind::Bash, env).unwrap();
    let spec: Spec =
        serde_json::from_value(json!({"id": id, "kind": "bash", "created_at": 100.0})).unwrap();
    folder.write_spec(&spec).unwrap();
    (folder, spec)
}

#[test]
fn ids_are_names_and_never_paths() {
    for id in ["bash-a1b2c3d4", "agent-00000000", "ab", "a-1"] {
        assert!(is_task_id(id), "{id}");
    }
    let long = "a".repeat(26);
    for id in ["", "a", "..", "../x", "a/b", "-ab", "Bash-1", "bash_1", "a.b", "a\0b", "ä1", &long]
    {
        assert!(!is_task_id(id), "{id:?}");
        assert_eq!(Folder::of(Path::new("/tmp"), id), None);
    }
    let (_dir, env) = world();
    for kind in [Kind::Bash, Kind::Agent] {
        let id = new_id(kind, &env);
        assert!(is_task_id(&id) && id.starts_with(kind.word()), "{id}");
        assert_eq!(id.len(), kind.word().len() + 9);
    }
}

#[test]
fn records_of_other_versions_are_read() {
    let (dir, env) = world();
    let (folder, _) = task(&dir.path().join("tasks"), &env);
    let put = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    put(
        "runtime.json",
        json!({"status": "completed", "exit_code": 0, "worker_pid": null, "new": 1}),
    );
    put("control.json", json!({"kill_requested_at": 5.5}));
    let runtime = folder.runtime();
    assert_eq!((runtime.status, runtime.exit_code), (Status::Completed, Some(0)));
    assert_eq!(folder.control().kill_requested_at, Some(5.5));
    for damage in ["", "{", "[]", "\"x\"", "{\"status\": \"unheard of\"}"] {
        std::fs::write(folder.path().join("runtime.json"), damage).unwrap();
        assert_eq!(folder.runtime(), Runtime::default(), "{damage}");
    }
}

#[test]
fn records_are_written_in_the_shapes_of_kimi_cli() {
    let (dir, env) = world();
    let (folder, spec) = task(&dir.path().join("tasks"), &env);
    let control = Control {
        kill_requested_at: Some(7.5),
        kill_reason: Some("enough".to_owned()),
        force: false,
    };
    folder.write_runtime(&Runtime::default()).unwrap();
    folder.write_control(&control).unwrap();
    folder.write_consumer(&Consumer { last_seen_output_size: 3, last_viewed_at: None }).unwrap();
    // Every key is there, also where there is nothing to say.
    for (name, expected) in [
        (
            "spec.json",
            json!({"version": 1, "id": spec.id, "kind": "bash", "session_id": "",
                "description": "", "tool_call_id": "", "owner_role": "", "created_at": 100.0,
                "command": null, "shell_name": null, "shell_path": null, "cwd": null,
                "timeout_s": null, "kind_payload": null}),
        ),
        (
            "runtime.json",
            json!({"status": "created", "worker_pid": null, "child_pid": null,
                "child_pgid": null, "started_at": null, "heartbeat_at": null, "updated_at": 0.0,
                "finished_at": null, "exit_code": null, "interrupted": false, "timed_out": false,
                "failure_reason": null}),
        ),
        (
            "control.json",
            json!({"kill_requested_at": 7.5, "kill_reason": "enough", "force": false}),
        ),
        ("consumer.json", json!({"last_seen_output_size": 3, "last_viewed_at": null})),
    ] {
        let written = std::fs::read(folder.path().join(name)).unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        let keys =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        assert_eq!((&written, keys(&written)), (&expected, keys(&expected)), "{name}");
    }
    let words = [
        (Status::Created, "created"),
        (Status::Starting, "starting"),
        (Status::Running, "running"),
        (Status::AwaitingApproval, "awaiting_approval"),
        (Status::Completed, "completed"),
        (Status::Failed, "failed"),
        (Status::Killed, "killed"),
        (Status::Lost, "lost"),
    ];
    for (n, (status, word)) in words.into_iter().enumerate() {
        assert_eq!((serde_json::to_value(status).unwrap(), status.word()), (json!(word), word));
        assert_eq!(status.is_over(), n > 3, "{word}");
    }
}

#[test]
fn who_runs_a_task_is_left_alone() {
    let (dir, env) = world();
    let (folder, spec) = task(&dir.path().join("tasks"), &env);
    let mut runtime = Runtime { status: Status::Running, updated_at: 100.0, ..Default::default() };
    folder.write_runtime(&runtime).unwrap();
    let lock = folder.lock().unwrap().unwrap();
    // Silent for long, but it holds the lock: it is slow, or stopped.
    assert_eq!(folder.settled(&spec, 10_000.0, 15.0).status, Status::Running);
    drop(lock);
    assert_eq!(folder.settled(&spec, 110.0, 15.0).status, Status::Running, "heard of just now");
    let lost = folder.settled(&spec, 116.0, 15.0);
    assert_eq!((lost.status, lost.finished_at), (Status::Lost, Some(116.0)));
    assert_eq!(folder.runtime(), lost, "and it is written down");
    // A process that is gone is not waited for.
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    runtime.worker_pid = i32::try_from(gone.id()).ok();
    gone.wait().unwrap();
    folder.write_runtime(&runtime).unwrap();
    assert_eq!(folder.settled(&spec, 101.0, 15.0).status, Status::Lost);
}

#[test]
fn a_lost_task_that_was_to_stop_is_killed() {
    let (dir, env) = world();
    let (folder, spec) = task(&dir.path().join("tasks"), &env);
    let reason = Some("enough".to_owned());
    folder
        .write_control(&Control { kill_requested_at: Some(1.0), kill_reason: reason, force: false })
        .unwrap();
    let runtime = folder.settled(&spec, 200.0, 15.0);
    assert_eq!(runtime.status, Status::Killed);
    assert_eq!(runtime.failure_reason.as_deref(), Some("enough"));
    assert!(runtime.interrupted);
}

#[test]
fn a_spec_counts_only_in_its_own_directory() {
    let (dir, env) = world();
    let tasks = dir.path().join("tasks");
    assert!(all(&tasks).is_empty());
    let (folder, spec) = task(&tasks, &env);
    std::fs::rename(folder.path(), tasks.join("bash-elsewher")).unwrap();
    assert!(all(&tasks).is_empty(), "{spec:?}");
    std::os::unix::fs::symlink("/dev/zero", tasks.join("bash-link")).unwrap();
    std::fs::create_dir(tasks.join("bash-empty")).unwrap();
    std::fs::create_dir(tasks.join("bash-pipe")).unwrap();
    let pipe = tasks.join("bash-pipe/spec.json");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert!(all(&tasks).is_empty());
}
