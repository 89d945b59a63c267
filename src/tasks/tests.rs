use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::Background;
use crate::platform::env::SystemClock;
use crate::platform::env::fixed;
use crate::platform::process::Running;

const PATIENCE: Duration = Duration::from_secs(20);

fn tasks(dir: &std::path::Path) -> Tasks {
    tasks_with(dir, Background { kill_grace_period_ms: 200, ..Background::default() })
}

fn tasks_with(dir: &std::path::Path, settings: Background) -> Tasks {
    let mut env = fixed::env(dir, &[]);
    env.clock = Arc::new(SystemClock);
    let options = TaskOptions {
        session_id: "s".to_owned(),
        session_dir: dir.to_path_buf(),
        settings,
        program: "/nonexistent/kimi".into(),
    };
    Tasks::new(env, options)
}

fn agent(what: &str) -> NewAgent {
    let payload = AgentPayload {
        agent_id: "a1".to_owned(),
        subagent_type: "explore".to_owned(),
        ..AgentPayload::default()
    };
    let description = what.to_owned();
    NewAgent { description, tool_call_id: "c".to_owned(), payload, timeout: None }
}

async fn until_status(tasks: &Tasks, id: &str, status: Status) -> Arc<View> {
    let mut changes = tasks.changes();
    let reached = async {
        loop {
            match tasks.get(id).await {
                Some(view) if view.runtime.status == status => return view,
                _ => changes.changed().await.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("the status never came")
}

#[tokio::test]
async fn an_agent_writes_asks_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    let (go, gate) = tokio::sync::oneshot::channel::<()>();
    let (went, passed) = tokio::sync::oneshot::channel::<()>();
    let view = tasks
        .start_agent(agent("look"), |run| async move {
            run.output.write("[stage] started\n");
            let asking = run.awaiting_approval();
            gate.await.unwrap();
            drop(asking);
            passed.await.unwrap();
            AgentEnd::Completed
        })
        .await
        .unwrap();
    let id = view.spec.id.clone();
    assert!(id.starts_with("agent-"));
    assert_eq!(view.spec.timeout_s, Some(900));
    until_status(&tasks, &id, Status::AwaitingApproval).await;
    assert_eq!(tasks.counts(), Counts { commands: 0, agents: 1 });
    go.send(()).unwrap();
    until_status(&tasks, &id, Status::Running).await;
    went.send(()).unwrap();
    let view = tasks.wait(&id, PATIENCE).await.unwrap();
    assert_eq!(view.runtime.status, Status::Completed);
    assert_eq!(tasks.tail(&id, 100).await.unwrap().text, "[stage] started\n");
    assert_eq!(tasks.counts(), Counts::default());
    let told = block(&view);
    assert!(told.contains("agent_id: a1\nsubagent_type: explore"), "{told}");
}

#[tokio::test]
async fn an_agent_that_breaks_fails_and_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    let broken = tasks.start_agent(agent("x"), |_| async { panic!("oh") }).await.unwrap();
    let failed = tasks
        .start_agent(agent("y"), |_| async { AgentEnd::Failed("no answer".to_owned()) })
        .await
        .unwrap();
    for (view, why) in [(broken, "The agent broke"), (failed, "no answer")] {
        let view = tasks.wait(&view.spec.id, PATIENCE).await.unwrap();
        assert_eq!(view.runtime.status, Status::Failed);
        assert!(view.runtime.failure_reason.as_deref().unwrap().contains(why));
    }
}

#[tokio::test]
async fn a_stop_is_heard_and_what_does_not_hear_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    let hears = tasks
        .start_agent(agent("hears"), |run| async move {
            run.cancel.cancelled().await;
            run.output.write("heard\n");
            AgentEnd::Failed("stopped".to_owned())
        })
        .await
        .unwrap();
    let deaf = tasks.start_agent(agent("deaf"), |_| std::future::pending()).await.unwrap();
    for view in [&hears, &deaf] {
        let view = tasks.stop(&view.spec.id, "enough").await.unwrap().unwrap();
        assert_eq!(view.runtime.status, Status::Killed);
        assert_eq!(view.runtime.failure_reason.as_deref(), Some("enough"));
    }
    assert_eq!(tasks.tail(&hears.spec.id, 100).await.unwrap().text, "heard\n");
    // It is over and stays as it is.
    let again = tasks.stop(&deaf.spec.id, "again").await.unwrap().unwrap();
    assert_eq!(again.runtime.failure_reason.as_deref(), Some("enough"));
    assert!(tasks.stop("../x", "no").await.unwrap().is_none());
}

#[tokio::test]
async fn time_is_up_for_an_agent_too() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    let new = NewAgent { timeout: Some(Duration::ZERO), ..agent("slow") };
    let view = tasks.start_agent(new, |_| std::future::pending()).await.unwrap();
    let view = tasks.wait(&view.spec.id, PATIENCE).await.unwrap();
    assert_eq!(view.runtime.terminal_reason(), Some("timed_out"));
    assert!(view.runtime.interrupted && view.runtime.status == Status::Failed);
}

#[tokio::test]
async fn an_agent_that_shall_stop_knows_whether_its_time_was_up() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    for late in [true, false] {
        let (tell, told) = tokio::sync::oneshot::channel();
        let timeout = late.then_some(Duration::ZERO);
        let new = NewAgent { timeout, ..agent("slow") };
        let work = |run: AgentRun| async move {
            run.cancel.cancelled().await;
            tell.send(run.is_late()).unwrap();
            AgentEnd::Failed("stopped".to_owned())
        };
        let view = tasks.start_agent(new, work).await.unwrap();
        if !late {
            tasks.stop(&view.spec.id, "enough").await.unwrap();
        }
        assert_eq!(told.await, Ok(late));
    }
}

#[tokio::test]
async fn an_agent_that_asks_at_once_is_seen_to_wait() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    let mut asking = None;
    let view = tasks
        .start_agent(agent("asks"), |run| {
            asking = Some(run.awaiting_approval());
            std::future::pending()
        })
        .await
        .unwrap();
    until_status(&tasks, &view.spec.id, Status::AwaitingApproval).await;
    drop(asking);
    until_status(&tasks, &view.spec.id, Status::Running).await;
}

#[tokio::test]
async fn the_limit_and_the_time_of_agents_are_the_configured_ones() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        Background { max_running_tasks: 1, agent_task_timeout_s: 77, ..Background::default() };
    let tasks = tasks_with(dir.path(), settings);
    let first = tasks.start_agent(agent("x"), |_| std::future::pending()).await.unwrap();
    assert_eq!(first.spec.timeout_s, Some(77));
    let refused = tasks.start_agent(agent("x"), |_| std::future::pending()).await;
    assert!(matches!(refused, Err(StartError::TooMany(1))));
    let refused = tasks.start_command(command("true")).await.unwrap_err();
    assert!(refused.to_string().starts_with("1 background tasks are running"), "{refused}");
    // One that is over leaves its place.
    tasks.stop(&first.spec.id, "enough").await.unwrap();
    assert!(tasks.start_agent(agent("x"), |_| std::future::pending()).await.is_ok());
}

#[tokio::test]
async fn the_limit_holds_and_the_end_ends_all() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    for _ in 0..4 {
        tasks.start_agent(agent("x"), |_| std::future::pending()).await.unwrap();
    }
    let refused = tasks.start_agent(agent("x"), |_| std::future::pending()).await;
    assert!(matches!(refused, Err(StartError::TooMany(4))));
    let stopped = tasks.shutdown(PATIENCE).await;
    assert_eq!(stopped.len(), 4);
    assert!(tasks.active().is_empty());
    let late = tasks.start_agent(agent("x"), |_| std::future::pending()).await;
    assert!(matches!(late, Err(StartError::Ending)));
    // Another process finds them as they were left.
    let later = self::tasks(dir.path());
    later.load().await;
    assert!(later.list().iter().all(|view| view.runtime.status == Status::Killed));
}

#[tokio::test]
async fn a_command_without_a_worker_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    let new = command("true");
    assert!(matches!(tasks.start_command(new).await, Err(StartError::Io(_))));
    let list = tasks.list();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].runtime.status, Status::Failed);
}

fn command(line: &str) -> NewCommand {
    NewCommand {
        command: line.to_owned(),
        description: "d".to_owned(),
        tool_call_id: "c".to_owned(),
        shell: "/bin/sh".into(),
        cwd: "/".into(),
        timeout_s: None,
        environment: Vec::new(),
    }
}

fn sh(line: &str) -> std::process::Command {
    let mut command = std::process::Command::new("/bin/sh");
    command.arg("-c").arg(line);
    command
}

#[tokio::test]
async fn an_adopted_command_keeps_its_output_and_is_past_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    for _ in 0..4 {
        tasks.start_agent(agent("x"), |_| std::future::pending()).await.unwrap();
    }
    let running = Running::start(sh("echo more; exit 7")).unwrap();
    let view = tasks.adopt(command("x"), running, b"before\n".to_vec()).await;
    let view = view.map_err(|(_, error)| error).unwrap();
    let view = tasks.wait(&view.spec.id, PATIENCE).await.unwrap();
    assert_eq!((view.runtime.status, view.runtime.exit_code), (Status::Failed, Some(7)));
    assert_eq!(tasks.tail(&view.spec.id, 100).await.unwrap().text, "before\nmore\n");
}

#[tokio::test]
async fn an_adopted_command_comes_back_when_it_cannot_be_taken() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tasks"), "in the way").unwrap();
    let tasks = tasks(dir.path());
    let running = Running::start(sh("sleep 100")).unwrap();
    let back = tasks.adopt(command("x"), running, Vec::new()).await;
    let (running, error) = back.expect_err("a refusal");
    assert!(matches!(error, StartError::Io(_)));
    assert!(running.id().is_some_and(crate::platform::process::is_alive));
}

#[tokio::test]
async fn the_end_of_the_process_ends_an_adopted_command() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = tasks(dir.path());
    let running = Running::start(sh("trap '' TERM; while :; do sleep 0.1; done")).unwrap();
    let pid = running.id().unwrap();
    let view = tasks.adopt(command("x"), running, Vec::new()).await;
    view.map_err(|(_, error)| error).unwrap();
    let stopped = tasks.shutdown(Duration::from_millis(1)).await;
    assert_eq!(stopped.len(), 1);
    let gone = || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .map_or(true, |stat| stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
    };
    for _ in 0..1_000 {
        if gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it goes on");
}

#[tokio::test]
async fn who_works_shows_signs_of_life() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Background { worker_heartbeat_interval_ms: 10, ..Background::default() };
    let tasks = tasks_with(dir.path(), settings);
    let view = tasks.start_agent(agent("x"), |_| std::future::pending()).await.unwrap();
    let (id, started) = (&view.spec.id, view.runtime.started_at);
    let beats = async {
        while tasks.get(id).await.unwrap().runtime.heartbeat_at <= started {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, beats).await.expect("a sign of life");
    let now = tasks.get(id).await.unwrap();
    assert!(now.is_active() && now.runtime.updated_at >= now.runtime.heartbeat_at.unwrap());
}

#[tokio::test]
async fn a_wish_that_another_process_writes_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Background { worker_heartbeat_interval_ms: 10, ..Background::default() };
    let tasks = tasks_with(dir.path(), settings);
    let view = tasks.start_agent(agent("x"), |_| std::future::pending()).await.unwrap();
    let wish = r#"{"kill_requested_at": 1.5, "kill_reason": "from elsewhere"}"#;
    let control = tasks.output_path(&view.spec.id).with_file_name("control.json");
    std::fs::write(control, wish).unwrap();
    let view = tasks.wait(&view.spec.id, PATIENCE).await.unwrap();
    assert_eq!(view.runtime.status, Status::Killed);
    assert_eq!(view.runtime.failure_reason.as_deref(), Some("from elsewhere"));
}

/// A task as it is on disk.
fn stored(spec: serde_json::Value, runtime: serde_json::Value) -> Arc<View> {
    Arc::new(View {
        spec: serde_json::from_value(spec).unwrap(),
        runtime: serde_json::from_value(runtime).unwrap(),
    })
}

#[test]
fn a_task_is_told_in_lines_and_those_that_run_as_a_list() {
    use serde_json::json;
    let command = stored(
        json!({"id": "bash-1", "kind": "bash", "description": "build", "command": "make"}),
        json!({"status": "failed", "exit_code": 2, "failure_reason": "Failed with exit code 2"}),
    );
    let of_command = "task_id: bash-1\nkind: bash\nstatus: failed\ndescription: build\n\
        command: make\nexit_code: 2\nreason: Failed with exit code 2";
    assert_eq!(block(&command), of_command);
    let agent = stored(
        json!({"id": "agent-1", "kind": "agent", "description": "look",
            "kind_payload": {"agent_id": "a1", "subagent_type": "plan"}}),
        json!({"status": "awaiting_approval"}),
    );
    let of_agent = "task_id: agent-1\nkind: agent\nstatus: awaiting_approval\n\
        description: look\nagent_id: a1\nsubagent_type: plan";
    assert_eq!(block(&agent), of_agent);
    assert_eq!(active_list(&[]), None);
    let list = format!(
        "<active-background-tasks>\n{of_command}\n\n{of_agent}\n</active-background-tasks>"
    );
    assert_eq!(active_list(&[command, agent]), Some(list));
}

#[test]
fn times_are_told_short() {
    for (seconds, told) in [(0.2, "0s"), (59.4, "59s"), (200.0, "3m 20s"), (7_500.0, "2h 5m")] {
        assert_eq!(duration(seconds), told);
    }
}
