//! Subagents in the background.

use std::time::Duration;

use kimi_tui::agent::Modes;
use kimi_tui::config::Hook;
use kimi_tui::protocol::{Event, HookEvent, Message, Notification, Op, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, Gate, Live, PATIENCE, Say, calls, text, usage};
use super::subagents::{bench, brief, folders, meta, report, result, shell};

fn agent(id: &str, prompt: &str, in_background: bool) -> Vec<Say> {
    let arguments = json!({"description": format!("does {prompt}"), "prompt": prompt,
        "run_in_background": in_background});
    calls(&[(id, "Agent", &arguments.to_string())])
}

/// Waits for the news that a task has ended.
pub async fn news(live: &mut Live) -> Notification {
    let is_news = |message: &Message| matches!(message, Message::Event(Event::Notification(_)));
    match live.until("news", is_news).await.0.pop() {
        Some(Message::Event(Event::Notification(news))) => news,
        other => panic!("{other:?}"),
    }
}

/// Waits until this subagent has sent so many requests.
pub async fn asked(bench: &Bench, word: &str, many: usize) {
    let asked = async {
        while bench.model.asked_by(word).len() < many {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("requests");
}

pub fn runtime(live: &Live, task: &str) -> Value {
    let path = live.handle.session().dir.join("tasks").join(task).join("runtime.json");
    serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default()
}

pub async fn until_status(live: &Live, task: &str, status: &str) {
    let there = async {
        while runtime(live, task)["status"] != status {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap_or_else(|_| panic!("{status}"));
}

pub fn task_id(told: &str) -> String {
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
    assert_eq!(brief(&busy), "Agent already running");
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
    let mut refused = heard.results();
    refused.retain(|(_, value)| value.is_error);
    assert_eq!(refused.len(), 1, "{refused:?}");
    let (_, refused) = &refused[0];
    assert!(refused.message.contains("4 background tasks are running"), "{refused:?}");
    assert_eq!(brief(refused), "Agent not started");
    assert_eq!(folders(&live).len(), 4, "who has not begun leaves nothing");
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

#[tokio::test]
async fn its_start_tells_who_it_is_and_how_to_follow_it() {
    let bench = bench();
    let wanted = |id: &str, more: Value| {
        let mut arguments = json!({"description": " does TASK ", "prompt": "TASK",
            "subagent_type": "plan", "run_in_background": true});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        calls(&[(id, "Agent", &arguments.to_string())])
    };
    bench.model.reply(wanted("c1", json!({})));
    bench.model.reply(wanted("c2", json!({"timeout": 3600, "model": "other"})));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", [vec![Say::Wait(Gate::new())]]);
    bench.other.reply_to("TASK", [vec![Say::Wait(Gate::new())]]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    for (call, timeout, model) in [("c1", 900, Value::Null), ("c2", 3600, json!("other"))] {
        let value = result(&heard, call);
        let told = value.output.text();
        let task = task_id(&told);
        let line = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name}: {told}")).to_owned()
        };
        let id = line("agent_id: ");
        let names: Vec<&str> =
            told.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "task_id",
                "kind",
                "status",
                "description",
                "agent_id",
                "subagent_type",
                "actual_subagent_type",
                "automatic_notification",
                "next_step",
                "next_step",
                "next_step",
                "resume_hint"
            ]
        );
        assert_eq!(
            (line("status: "), line("actual_subagent_type: ")),
            ("running".into(), "plan".into())
        );
        assert_eq!(value.message, "The agent works in the background.");
        assert_eq!(
            serde_json::to_value(&value.display).unwrap(),
            json!([
                {"type": "background_task", "task_id": task, "kind": "agent", "status": "running",
                 "description": "does TASK"},
                {"type": "brief", "text": format!("plan {id} works in the background as {task}")},
            ])
        );
        let path = live.handle.session().dir.join("tasks").join(&task).join("spec.json");
        let spec: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(
            spec,
            json!({"version": 1, "id": task, "kind": "agent", "session_id": live.handle.session().id,
                "description": "does TASK", "tool_call_id": call, "owner_role": "root",
                "created_at": bench.env.unix_now(), "command": null, "shell_name": null,
                "shell_path": null, "cwd": null, "timeout_s": timeout,
                "kind_payload": {"agent_id": id, "subagent_type": "plan", "prompt": "TASK",
                    "model_override": model, "launch_mode": "background"}})
        );
    }
    live.handle.shutdown(None).await;
}

#[tokio::test]
async fn one_whose_time_is_up_has_failed_in_every_record() {
    let mut bench = bench();
    bench.hasty = true;
    bench.model.reply(agent("c1", "TASK", true));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", [shell("s1", "echo begun; exec sleep 100")]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let task = task_id(&result(&heard, "c1").output.text());
    let news = news(&mut live).await;
    assert_eq!((news.kind.as_str(), news.severity.as_str()), ("task.timed_out", "error"));
    let runtime = runtime(&live, &task);
    assert_eq!(runtime["status"], "failed");
    assert_eq!((&runtime["timed_out"], &runtime["interrupted"]), (&json!(true), &json!(true)));
    assert_eq!(runtime["failure_reason"], "Not done within 1s");
    let folder = folders(&live).remove(0);
    assert_eq!(meta(&folder)["status"], "failed", "it was not stopped by anybody");
    for log in [
        folder.join("output"),
        live.handle.session().dir.join("tasks").join(&task).join("output.log"),
    ] {
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.ends_with("[error] timed out\n"), "{log}");
    }
}

#[tokio::test]
async fn one_that_an_earlier_process_left_is_lost_and_can_go_on() {
    let bench = bench();
    let live = bench.open();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    let pid = gone.id();
    gone.wait().unwrap();
    let write = |name: &str, value: Value| {
        let path = session.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    };
    write(
        "tasks/agent-0000beef/spec.json",
        json!({"id": "agent-0000beef", "kind": "agent", "description": "old",
            "kind_payload": {"agent_id": "a0000beef", "subagent_type": "plan"}}),
    );
    let running = json!({"status": "running", "worker_pid": pid, "updated_at": 1.0});
    write("tasks/agent-0000beef/runtime.json", running);
    write(
        "subagents/a0000beef/meta.json",
        json!({"agent_id": "a0000beef", "subagent_type": "plan", "status": "running_background",
            "description": "old", "created_at": 1.0, "updated_at": 1.0,
            "last_task_id": "agent-0000beef",
            "launch_spec": {"agent_id": "a0000beef", "subagent_type": "plan",
                "model_override": null, "effective_model": null, "created_at": 1.0}}),
    );
    let mut live = bench.reopen(session);
    bench.model.reply(calls(&[("l", "TaskList", r#"{"active_only": false}"#)]));
    let resume = json!({"description": "d", "prompt": "TASK", "resume": "a0000beef"}).to_string();
    bench.model.reply(calls(&[("c1", "Agent", &resume)]));
    bench.model.reply([text("ok")]);
    let gate = Gate::new();
    bench.model.reply_to("TASK", [vec![Say::Wait(gate.clone()), text(&report("TASK"))]]);
    live.send("go");
    asked(&bench, "TASK", 1).await;
    assert_eq!(runtime(&live, "agent-0000beef")["status"], "lost");
    gate.open();
    let heard = live.end().await;
    let list = result(&heard, "l").output.text();
    assert!(list.contains("task_id: agent-0000beef\nkind: agent\nstatus: lost\n"), "{list}");
    assert!(result(&heard, "c1").output.text().contains("status: completed"));
}

#[tokio::test]
async fn one_that_there_is_no_room_for_is_as_it_was() {
    let bench = bench();
    bench.model.reply(agent("c1", "EARLIER", false));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("EARLIER", [vec![text(&report("EARLIER"))], vec![text(&report("more"))]]);
    let mut live = bench.open();
    live.prompt("go").await.finished();
    let folder = folders(&live).remove(0);
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let wanted = |resume: Value| {
        json!({"description": "d", "prompt": "TASK", "resume": resume, "run_in_background": true})
            .to_string()
    };
    let new = wanted(Value::Null);
    let ids = ["b1", "b2", "b3", "b4"];
    bench.model.reply(calls(&ids.map(|id| (id, "Agent", new.as_str()))));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", ids.map(|_| vec![Say::Wait(Gate::new())]));
    live.prompt("go").await.finished();
    let before = meta(&folder);
    let again = wanted(json!(id));
    bench.model.reply(calls(&[("c2", "Agent", &again), ("c3", "Agent", &new)]));
    bench.model.reply([text("ok")]);
    let heard = live.prompt("go").await;
    for call in ["c2", "c3"] {
        assert_eq!(brief(&result(&heard, call)), "Agent not started");
    }
    assert_eq!((meta(&folder), folders(&live).len()), (before, 5));
    // And it can be given work as before.
    let resume = json!({"description": "d", "prompt": "MORE", "resume": id}).to_string();
    bench.model.reply(calls(&[("c4", "Agent", &resume)]));
    bench.model.reply([text("ok")]);
    let heard = live.prompt("go").await;
    assert!(result(&heard, "c4").output.text().contains("Report of more."));
    live.handle.shutdown(None).await;
}
