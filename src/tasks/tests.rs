use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::Background;
use crate::platform::env::SystemClock;
use crate::platform::env::fixed;
use crate::platform::process::Running;

const PATIENCE: Duration = Duration::from_secs(20);

fn tasks(dir: &std::path::Path) -> Tasks {
    let mut env = fixed::env(dir, &[]);
    env.clock = Arc::new(SystemClock);
    let settings = Background { kill_grace_period_ms: 200, ..Background::default() };
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

#[test]
fn times_are_told_short() {
    for (seconds, told) in [(0.2, "0s"), (59.4, "59s"), (200.0, "3m 20s"), (7_500.0, "2h 5m")] {
        assert_eq!(duration(seconds), told);
    }
}
