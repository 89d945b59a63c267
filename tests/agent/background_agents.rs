//! Subagents in the background.

use std::time::Duration;

use kimi_tui::agent::Modes;
use kimi_tui::config::Hook;
use kimi_tui::protocol::{Event, HookEvent, Message, Notification, Op, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, Gate, Live, PATIENCE, Say, calls, text, usage};
use super::subagents::{bench, folders, meta, report, result};

fn agent(id: &str, prompt: &str, in_background: bool) -> Vec<Say> {
    let arguments = json!({"description": format!("does {prompt}"), "prompt": prompt,
        "run_in_background": in_background});
    calls(&[(id, "Agent", &arguments.to_string())])
}

/// Waits for the news that a task has ended.
async fn news(live: &mut Live) -> Notification {
    let is_news = |message: &Message| matches!(message, Message::Event(Event::Notification(_)));
    match live.until("news", is_news).await.0.pop() {
        Some(Message::Event(Event::Notification(news))) => news,
        other => panic!("{other:?}"),
    }
}

/// Waits until this subagent has sent so many requests.
async fn asked(bench: &Bench, word: &str, many: usize) {
    let asked = async {
        while bench.model.asked_by(word).len() < many {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("requests");
}

fn runtime(live: &Live, task: &str) -> Value {
    let path = live.handle.session().dir.join("tasks").join(task).join("runtime.json");
    serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default()
}

async fn until_status(live: &Live, task: &str, status: &str) {
    let there = async {
        while runtime(live, task)["status"] != status {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap_or_else(|_| panic!("{status}"));
}

fn task_id(told: &str) -> String {
    let id = told.lines().find_map(|line| line.strip_prefix("task_id: "));
    id.unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[tokio::test]
async fn it_outlives_the_turn_and_its_approvals_say_where_they_come_from() {
    let mut bench = bench();
    bench.modes = Modes::default();
    bench.model.reply(agent("c1", "TASK", true));
    bench.model.reply([text("It works.")]);
    let gate = Gate::new();
    let command = json!({"command": "echo inside"}).to_string();
    let mut first = vec![Say::Wait(gate.clone())];
    first.extend(calls(&[("s1", "Shell", &command)]));
    bench.model.reply_to("TASK", [first, vec![text(&report("TASK"))]]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    let told = result(&heard, "c1").output.text();
    let id = folders(&live).remove(0).file_name().unwrap().to_str().unwrap().to_owned();
    for line in [
        "kind: agent",
        "description: does TASK",
        &format!("agent_id: {id}"),
        "actual_subagent_type: coder",
        "automatic_notification: true",
        &format!("resume=\"{id}\""),
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let task = task_id(&told);
    assert!(task.starts_with("agent-"), "{task}");

    gate.open();
    let (heard, request) = live.asked().await;
    assert!(!heard.events().any(|event| matches!(event, Event::SubagentEvent { .. })));
    assert_eq!(request.source_kind.as_deref(), Some("background_agent"));
    assert_eq!(request.source_id.as_deref(), Some(task.as_str()));
    assert_eq!(request.agent_id.as_deref(), Some(id.as_str()));
    until_status(&live, &task, "awaiting_approval").await;
    assert_eq!(meta(&folders(&live)[0])["status"], "running_background");

    // The end of another turn is none of its business.
    bench.model.reply([text("Hello.")]);
    live.prompt("hello").await.finished();
    live.answer(&request.id, Verdict::Approve, "");
    let news = news(&mut live).await;
    assert_eq!((news.kind.as_str(), news.source_id.as_str()), ("task.completed", task.as_str()));
    let meta = meta(&folders(&live)[0]);
    assert_eq!((&meta["status"], &meta["last_task_id"]), (&json!("idle"), &json!(task)));
    let log = live.handle.session().dir.join("tasks").join(&task).join("output.log");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.starts_with("[stage] started\n[tool] Shell\n"), "{log}");
    assert!(log.contains("[summary]\nReport of TASK."), "{log}");
}

#[tokio::test]
async fn one_in_the_foreground_is_sent_there() {
    let bench = bench();
    bench.model.reply(agent("c1", "TASK", false));
    bench.model.reply([text("Then I go on.")]);
    let gate = Gate::new();
    let mut last = vec![Say::Wait(gate.clone())];
    last.push(text(&report("TASK")));
    let command = json!({"command": "echo inside"}).to_string();
    bench.model.reply_to("TASK", [calls(&[("s1", "Shell", &command)]), last]);
    let mut live = bench.open();
    live.send("go");
    asked(&bench, "TASK", 2).await;
    live.handle.submit(Op::ToBackground);
    let heard = live.end().await;
    heard.finished();
    let value = result(&heard, "c1");
    assert!(value.message.contains("sent the agent to the background"), "{value:?}");
    let task = task_id(&value.output.text());
    until_status(&live, &task, "running").await;
    assert_eq!(meta(&folders(&live)[0])["status"], "running_background");
    gate.open();
    assert_eq!(news(&mut live).await.kind, "task.completed");
    assert_eq!(meta(&folders(&live)[0])["status"], "idle");
    let log = live.handle.session().dir.join("tasks").join(&task).join("output.log");
    assert!(std::fs::read_to_string(log).unwrap().contains("Report of TASK."));
}

#[tokio::test]
async fn one_that_is_stopped_is_killed_and_at_work_until_then() {
    let bench = bench();
    bench.model.reply(agent("c1", "TASK", true));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", [vec![Say::Wait(Gate::new())]]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let task = task_id(&result(&heard, "c1").output.text());
    asked(&bench, "TASK", 1).await;
    let id = folders(&live).remove(0).file_name().unwrap().to_str().unwrap().to_owned();
    let again = json!({"description": "d", "prompt": "p", "resume": id}).to_string();
    let stop = json!({"task_id": task}).to_string();
    bench.model.reply(calls(&[("c2", "Agent", &again), ("c3", "TaskStop", &stop)]));
    bench.model.reply([text("stopped")]);
    let heard = live.prompt("stop it").await;
    let busy = result(&heard, "c2");
    assert!(busy.is_error && busy.message.contains(&format!("Agent {id} is at work")), "{busy:?}");
    assert!(!result(&heard, "c3").is_error, "{:?}", result(&heard, "c3"));
    until_status(&live, &task, "killed").await;
    assert_eq!(meta(&folders(&live)[0])["status"], "killed");
}

#[tokio::test]
async fn no_more_than_there_is_room_for() {
    let bench = bench();
    let arguments = |n: usize| {
        json!({"description": "d", "prompt": format!("TASK{n}"), "run_in_background": true})
            .to_string()
    };
    let all: Vec<(String, String)> = (0..5).map(|n| (format!("c{n}"), arguments(n))).collect();
    let all: Vec<_> = all.iter().map(|(id, it)| (id.as_str(), "Agent", it.as_str())).collect();
    bench.model.reply(calls(&all));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", (0..5).map(|_| vec![Say::Wait(Gate::new())]));
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    let refused: Vec<String> = heard
        .results()
        .into_iter()
        .filter(|(_, value)| value.is_error)
        .map(|(_, value)| value.message)
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains("4 background tasks are running"), "{refused:?}");
    live.handle.shutdown(None).await;
}

#[tokio::test]
async fn the_end_of_the_session_stops_it_and_its_hook_hears_so_first() {
    let mut bench = bench();
    let keep = |event: HookEvent| Hook {
        event,
        command: "line=$(cat); printf '%s\\n' \"$line\" >> heard".to_owned(),
        matcher: String::new(),
        timeout: 30,
        fail_closed: false,
    };
    bench.hooks = [HookEvent::SubagentStop, HookEvent::SessionEnd].map(keep).to_vec();
    bench.model.reply(agent("c1", "TASK", true));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", [vec![Say::Wait(Gate::new())]]);
    let mut live = bench.open();
    live.prompt("go").await.finished();
    asked(&bench, "TASK", 1).await;
    let stopped = live.handle.shutdown(None).await;
    assert_eq!(stopped.len(), 1, "who leaves is told of it");
    let heard = crate::support::program::json_lines(&bench.work_dir().join("heard"));
    let names: Vec<&Value> = heard.iter().map(|it| &it["hook_event_name"]).collect();
    assert_eq!(names, ["SubagentStop", "SessionEnd"]);
}

#[tokio::test]
async fn one_that_works_for_a_goal_is_bound_by_its_budget_when_the_turn_is_over() {
    let bench = bench();
    let look = |id: &str, output: u64| {
        let mut says = calls(&[(id, "Glob", r#"{"pattern":"*.rs"}"#)]);
        says.push(usage(10, output));
        says
    };
    let limited = |mut says: Vec<Say>, output: u64| {
        says.push(usage(10, output));
        says
    };
    let limit = calls(&[("b", "SetGoalBudget", r#"{"value":100,"unit":"tokens"}"#)]);
    bench.model.reply(limited(limit, 5));
    bench.model.reply(limited(agent("c1", "TASK", true), 5));
    bench.model.reply(limited(calls(&[("u", "UpdateGoal", r#"{"status":"blocked"}"#)]), 5));
    bench.model.reply(limited(vec![text("It waits.")], 5));
    let gate = Gate::new();
    let mut second = vec![Say::Wait(gate.clone())];
    second.extend(look("g2", 60));
    bench.model.reply_to("TASK", [look("g1", 60), second, look("g3", 60)]);
    let mut live = bench.open();
    live.prompt("/goal do it").await.finished();
    asked(&bench, "TASK", 2).await;
    gate.open();
    let news = news(&mut live).await;
    assert!(news.body.contains("The budget of the goal is reached: 100 output tokens"), "{news:?}");
    assert_eq!(bench.model.asked_by("TASK").len(), 2);
    let goal = live.handle.goal().snapshot.expect("a goal");
    assert_eq!((goal.used.tokens_used, goal.used.subagent_tokens_used), (140, 120));
    live.handle.shutdown(None).await;
}
