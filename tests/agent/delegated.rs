//! What holds for the session's own agent holds for those that it starts: hooks, rules, plan mode, goals,
//! and the way back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kimi_tui::agent::Target;
use kimi_tui::config::Hook;
use kimi_tui::customize::Agent;
use kimi_tui::permission::{Rule, Rules};
use kimi_tui::protocol::{
    Event, Hand, HookEvent, Message, Op, Outcome, RewindRequest, RewindScope, ToolReturnValue,
    Verdict,
};
use serde_json::{Value, json};

use super::bench::{Bench, Gate, Live, PATIENCE, Say, calls, text, usage};
use super::subagents::{agent, agents, bench, folders, report, result, shell};

fn hook(event: HookEvent, matcher: &str, command: &str) -> Hook {
    let (matcher, command) = (matcher.to_owned(), command.to_owned());
    Hook { event, command, matcher, timeout: 30, fail_closed: false }
}

/// A hook that keeps what it is given in `heard`.
fn listener(event: HookEvent) -> Hook {
    hook(event, "", "line=$(cat); printf '%s\\n' \"$line\" >> heard")
}

fn write(id: &str, path: &str) -> Vec<Say> {
    calls(&[(id, "WriteFile", &json!({"path": path, "content": "new\n"}).to_string())])
}

/// Starts this agent and says that it is done.
fn delegates(bench: &Bench, more: Value) {
    bench.model.reply(agents(&[agent("c1", "TASK", more)]));
    bench.model.reply([text("ok")]);
}

/// What the subagent of `TASK` was told of its calls, in the order of its requests.
fn told(bench: &Bench) -> Vec<String> {
    let asked = bench.model.asked_by("TASK");
    asked.last().unwrap().messages.iter().map(|message| message.text()).collect()
}

fn heard(bench: &Bench) -> Vec<Value> {
    let text = std::fs::read_to_string(bench.work_dir().join("heard")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until something is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let there = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap_or_else(|_| panic!("{what}"));
}

fn is_restriction(value: &ToolReturnValue) -> bool {
    let display = serde_json::to_value(&value.display).unwrap();
    value.is_error && display[0]["text"] == "Plan mode restriction"
}

/// An agent with a type `kind` of its own that has these tools.
fn crew(dir: &Path, kind: &str, tools: &str) -> Agent {
    std::fs::write(dir.join("prompt.md"), "You are it.").unwrap();
    let own =
        format!("agent:\n  name: {kind}\n  system_prompt_path: ./prompt.md\n  tools: [{tools}]\n");
    std::fs::write(dir.join("kind.yaml"), own).unwrap();
    let file = dir.join("agent.yaml");
    let root = format!(
        "agent:\n  extend: default\n  subagents:\n    {kind}: {{path: kind.yaml, description: d}}\n"
    );
    std::fs::write(&file, root).unwrap();
    Agent::load(&file, &Vec::new).unwrap()
}

#[tokio::test]
async fn a_hook_that_forbids_forbids_inside_in_the_background_too() {
    for in_background in [false, true] {
        let mut bench = bench();
        bench.hooks = vec![
            hook(HookEvent::PreToolUse, "Shell|WriteFile", "echo 'not here' >&2; exit 2"),
            listener(HookEvent::PreToolUse),
            listener(HookEvent::PostToolUse),
        ];
        delegates(&bench, json!({"run_in_background": in_background}));
        bench.model.reply_to(
            "TASK",
            [
                shell("s1", "touch made"),
                write("s2", "made"),
                calls(&[("s3", "Glob", r#"{"pattern":"*"}"#)]),
                vec![text(&report("TASK"))],
            ],
        );
        let mut live = bench.open();
        live.prompt("go").await.finished();
        until("the last request", || bench.model.asked_by("TASK").len() == 4).await;
        assert!(!bench.work_dir().join("made").exists());
        let told = told(&bench);
        assert_eq!(told.iter().filter(|text| text.contains("not here")).count(), 2, "{told:?}");
        live.handle.shutdown(None).await;
        let heard = heard(&bench);
        let of = |event: &str, id: &str| {
            heard.iter().any(|it| it["hook_event_name"] == event && it["tool_call_id"] == id)
        };
        assert!(of("PreToolUse", "s1") && of("PreToolUse", "s3") && of("PostToolUse", "s3"));
        assert!(!of("PostToolUse", "s1"), "it did not run: {heard:?}");
    }
}

#[tokio::test]
async fn hooks_hear_of_begin_and_end() {
    let mut bench = bench();
    bench.hooks = vec![listener(HookEvent::SubagentStart), listener(HookEvent::SubagentStop)];
    let long = format!("TASK {}", "x".repeat(600));
    bench.model.reply(agents(&[agent("c1", &long, json!({"subagent_type": "explore"}))]));
    bench.model.reply([text("ok")]);
    let said = format!("Report. {}", "y".repeat(600));
    bench.model.reply_to("TASK", [vec![text(&said)]]);
    let mut live = bench.open();
    live.prompt("go").await.finished();
    let session = live.handle.session().id.clone();
    live.handle.shutdown(None).await;
    let cut = |text: &str| text.chars().take(500).collect::<String>();
    let base = |event: &str| {
        json!({"hook_event_name": event, "session_id": session, "cwd": bench.work_dir(),
            "agent_name": "explore"})
    };
    let (mut start, mut stop) = (base("SubagentStart"), base("SubagentStop"));
    start["prompt"] = json!(cut(&long));
    stop["response"] = json!(cut(&said));
    assert_eq!(heard(&bench), [start, stop]);
}

#[tokio::test]
async fn the_matcher_is_the_type_and_one_that_fails_has_its_end_too() {
    let mut bench = bench();
    let touch = |event, matcher: &str| hook(event, matcher, &format!("touch {matcher}"));
    bench.hooks = vec![
        touch(HookEvent::SubagentStart, "plan"),
        touch(HookEvent::SubagentStart, "coder"),
        listener(HookEvent::SubagentStop),
    ];
    delegates(&bench, json!({}));
    bench.model.reply_to("TASK", []);
    let mut live = bench.open();
    live.prompt("go").await.finished();
    live.handle.shutdown(None).await;
    let there = |name: &str| bench.work_dir().join(name).exists();
    assert!(there("coder") && !there("plan"));
    let heard = heard(&bench);
    assert_eq!(heard.len(), 1);
    assert!(heard[0]["response"].as_str().unwrap().contains("HTTP 400"), "{heard:?}");
}

#[tokio::test]
async fn what_a_hook_tells_about_a_call_it_tells_the_one_who_calls() {
    let mut bench = bench();
    let says = r#"echo '{"hookSpecificOutput":{"additionalContext":"mind the gap"}}'"#;
    bench.hooks = vec![hook(HookEvent::PreToolUse, "Shell", says)];
    delegates(&bench, json!({}));
    bench.model.reply_to("TASK", [shell("s1", "true"), vec![text(&report("TASK"))]]);
    let mut live = bench.open();
    live.prompt("go").await.finished();
    let told = told(&bench);
    assert!(told.iter().any(|text| text.contains("A hook says: mind the gap")), "{told:?}");
    let root = bench.model.asked().into_iter().rfind(|asked| !asked.system.contains("coder"));
    let root = root.unwrap().messages;
    assert!(!root.iter().any(|message| message.text().contains("mind the gap")));
}

#[tokio::test]
async fn rules_judge_its_calls_and_the_question_says_who_asks() {
    let mut bench = bench();
    let rule = |text: &str| vec![Rule::parse(text).unwrap()];
    bench.rules = Rules { allow: vec![], ask: rule("FetchURL"), deny: rule("Shell(touch:*)") };
    delegates(&bench, json!({"subagent_type": "explore"}));
    let fetch = calls(&[("s2", "FetchURL", r#"{"url":"http://127.0.0.1:9/"}"#)]);
    bench
        .model
        .reply_to("TASK", [shell("s1", "echo a; touch made"), fetch, vec![text(&report("TASK"))]]);
    let mut live = bench.open();
    live.send("go");
    // Approved is everything else: a rule stands above it.
    let (_, request) = live.asked().await;
    assert_eq!(request.tool_call_id, "s2");
    assert_eq!(request.subagent_type.as_deref(), Some("explore"));
    live.answer(&request.id, Verdict::Reject, "");
    live.end().await.finished();
    assert!(!bench.work_dir().join("made").exists());
    let told = told(&bench);
    assert!(told.iter().any(|text| text.contains("`Shell(touch:*)` forbids this")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("Go on with what can be done")), "{told:?}");
}

/// What it is there for holds without plan mode and with everything approved.
#[tokio::test]
async fn a_type_that_only_reads_changes_nothing() {
    let mut bench = bench();
    bench.modes.yolo = true;
    delegates(&bench, json!({"subagent_type": "explore"}));
    bench.model.reply_to(
        "TASK",
        [shell("s1", "touch made"), shell("s2", "echo seen"), vec![text(&report("TASK"))]],
    );
    bench.open().prompt("go").await.finished();
    let told = told(&bench);
    let refusal = "Agents of your type only read: `touch made`";
    assert!(told.iter().any(|text| text.contains(refusal)), "{told:?}");
    assert!(told.iter().any(|text| text.contains("seen")), "{told:?}");
    assert!(!bench.work_dir().join("made").exists());
}

#[tokio::test]
async fn in_plan_mode_types_that_write_do_not_begin_and_others_only_read() {
    let mut bench = bench();
    bench.plan = true;
    delegates(&bench, json!({}));
    let swarm =
        json!({"description": "d", "prompt_template": "TASK {{item}}", "items": ["a", "b"]});
    bench.model.reply(calls(&[("c2", "AgentSwarm", &swarm.to_string())]));
    bench.model.reply([text("ok")]);
    bench.model.reply(agents(&[agent("c3", "TASK", json!({"subagent_type": "explore"}))]));
    bench.model.reply([text("ok")]);
    bench.model.reply_to(
        "TASK",
        [shell("s1", "touch made"), shell("s2", "echo seen"), vec![text(&report("TASK"))]],
    );
    let mut live = bench.open();
    let first = live.prompt("go").await;
    let second = live.prompt("go").await;
    for value in [result(&first, "c1"), result(&second, "c2")] {
        assert!(is_restriction(&value), "{value:?}");
        let told = "a `coder` agent changes files. Types that only read: explore, plan";
        assert!(value.message.contains(told), "{}", value.message);
    }
    assert!(bench.model.asked_by("TASK").is_empty());
    let third = live.prompt("go").await;
    assert!(!result(&third, "c3").is_error);
    let told = told(&bench);
    assert!(told.iter().any(|text| text.contains("`touch made`")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("seen")), "{told:?}");
    assert!(!told.iter().any(|text| text.contains("system-reminder")), "{told:?}");
    assert!(!bench.work_dir().join("made").exists());
}

#[tokio::test]
async fn in_plan_mode_a_name_is_not_taken_for_what_a_type_may_do() {
    let mut bench = bench();
    bench.crew = Some(crew(bench.dir.path(), "explore", "ReadFile, WriteFile"));
    bench.plan = true;
    delegates(&bench, json!({"subagent_type": "explore"}));
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let value = result(&heard, "c1");
    assert!(is_restriction(&value) && value.message.contains("a `explore` agent changes files."));
}

#[tokio::test]
async fn in_plan_mode_who_is_resumed_is_what_it_was() {
    let bench = bench();
    delegates(&bench, json!({}));
    bench.model.reply_to("TASK", [vec![text(&report("TASK"))], vec![text(&report("more"))]]);
    let mut live = bench.open();
    live.prompt("go").await.finished();
    let id = folders(&live).remove(0).file_name().unwrap().to_str().unwrap().to_owned();
    live.handle.submit(Op::SetPlanMode { enabled: true });
    for (call, id) in [("c2", id.clone()), ("c3", format!(" {id} "))] {
        let lie = json!({"subagent_type": "explore", "resume": id});
        bench.model.reply(agents(&[agent(call, "MORE", lie)]));
        bench.model.reply([text("ok")]);
        let heard = live.prompt("go").await;
        let value = result(&heard, call);
        assert!(is_restriction(&value) && value.message.contains("`coder`"), "{value:?}");
    }
    assert_eq!(bench.model.asked_by("TASK").len(), 1);
}

#[tokio::test]
async fn plan_mode_catches_up_with_who_has_begun_and_leaves_the_plan_to_its_caller() {
    let bench = bench();
    let gate = Gate::new();
    delegates(&bench, json!({"run_in_background": true}));
    let mut live = bench.open();
    let mut first = vec![Say::Wait(gate.clone())];
    first.extend(write("s1", "made"));
    bench.model.reply_to("TASK", [first]);
    live.prompt("go").await.finished();
    live.handle.submit(Op::SetPlanMode { enabled: true });
    let is_on = |message: &Message| match message {
        Message::Event(Event::StatusUpdate(status)) => status.plan_mode == Some(true),
        _ => false,
    };
    live.until("plan mode", is_on).await;
    let state = live.handle.session().dir.join("state.json");
    let stored: Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
    let plan = bench.plans_dir().join(format!("{}.md", stored["plan_slug"].as_str().unwrap()));
    let second = write("s2", plan.to_str().unwrap());
    bench.model.reply_to("TASK", [second, vec![text(&report("TASK"))]]);
    gate.open();
    until("the last request", || bench.model.asked_by("TASK").len() == 3).await;
    let told = told(&bench);
    let refused = told.iter().filter(|text| text.contains("Plan mode is on")).count();
    assert_eq!(refused, 2, "{told:?}");
    assert!(!bench.work_dir().join("made").exists() && !plan.exists());
}

#[tokio::test]
async fn what_it_did_to_files_goes_back_with_the_turn() {
    let bench = bench();
    let at = |name: &str| -> PathBuf { bench.work_dir().join(name) };
    for name in ["edited", "run"] {
        std::fs::write(at(name), "old\n").unwrap();
    }
    bench.model.reply([text("hello")]);
    delegates(&bench, json!({}));
    bench.model.reply_to(
        "TASK",
        [
            write("s1", "edited"),
            write("s2", "made"),
            shell("s3", "echo new > run"),
            vec![text(&report("TASK"))],
        ],
    );
    let mut live = bench.open();
    // What is there is seen before the turn that changes it.
    live.prompt("hello").await.finished();
    let rewinder = live.handle.rewinder().unwrap();
    rewinder.settle().await;
    live.prompt("go").await.finished();
    let plan = {
        let rewinder = rewinder.clone();
        tokio::task::spawn_blocking(move || rewinder.plan(Target::Point(2))).await.unwrap().unwrap()
    };
    let files: Vec<&str> = plan.files.iter().map(|file| file.shown.as_str()).collect();
    assert_eq!(files, ["edited", "made", "run"], "{plan:?}");
    // Whose doing a command's change is goes by the time, which stands still here.
    assert!(plan.files.iter().take(2).all(|file| file.hand == Hand::Agent), "{plan:?}");
    let request = RewindRequest {
        plan: plan.id,
        scope: RewindScope::Files,
        keep: Vec::new(),
        keep_files: Vec::new(),
    };
    live.handle.submit(Op::Rewind { id: "r".to_owned(), request });
    assert!(matches!(live.end().await.outcome(), Outcome::Finished { .. }));
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    assert_eq!([read("edited"), read("run")], ["old\n", "old\n"]);
    assert!(!at("made").exists());
}

#[tokio::test]
async fn what_it_uses_counts_for_the_goal_and_ends_with_its_budget() {
    let bench = bench();
    bench.model.reply(calls(&[("b", "SetGoalBudget", r#"{"value":100,"unit":"tokens"}"#)]));
    let mut first = agents(&[agent("c1", "TASK", json!({}))]);
    first.push(usage(10, 5));
    bench.model.reply(first);
    bench.model.reply([text("That was all.")]);
    let mut inner = shell("s1", "true");
    inner.push(usage(10, 200));
    bench.model.reply_to("TASK", [inner, vec![text(&report("TASK"))]]);
    let mut live = bench.open();
    let heard = live.prompt("/goal do it").await;
    let value = result(&heard, "c1");
    assert!(value.is_error, "{value:?}");
    assert!(
        value.message.contains("budget of the goal is reached: 100 output tokens"),
        "{value:?}"
    );
    assert_eq!(bench.model.asked_by("TASK").len(), 1);
    let goal = live.handle.goal().snapshot.unwrap();
    assert!(goal.used.tokens_used >= 205, "{goal:?}");
}

/// Undoes to this point of the session, or takes that back.
async fn go(live: &mut Live, target: Target) {
    let rewinder = live.handle.rewinder().unwrap();
    rewinder.settle().await;
    let plan = tokio::task::spawn_blocking(move || rewinder.plan(target)).await.unwrap().unwrap();
    let request = RewindRequest {
        plan: plan.id,
        scope: RewindScope::Conversation,
        keep: Vec::new(),
        keep_files: Vec::new(),
    };
    live.handle.submit(Op::Rewind { id: "r".to_owned(), request });
    let heard = live.end().await;
    assert!(matches!(heard.outcome(), Outcome::Finished { .. }), "{:?}", heard.outcome());
}

/// Gives the agent more to do; what its model was asked then, in one text.
async fn told_more(bench: &Bench, live: &mut Live, id: &str, words: &str) -> String {
    bench.model.reply(agents(&[agent("m", words, json!({"resume": id}))]));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", [vec![text(&report(words))]]);
    live.prompt("more").await.finished();
    let asked = bench.model.asked_by("TASK").pop().unwrap();
    asked.messages.iter().map(|message| message.text()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_agent_that_is_resumed_does_not_know_what_was_undone() {
    let bench = bench();
    delegates(&bench, json!({}));
    bench.model.reply_to("TASK", [vec![text(&report("TASK"))]]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    let told = result(&heard, "c1").output.text();
    let id = told.lines().find_map(|line| line.strip_prefix("agent_id: ")).unwrap().to_owned();
    let knows = |asked: &str, words: &[&str]| {
        for word in ["TASK", "ORANGE", "PLUM", "PEAR", "FIG"] {
            assert_eq!(asked.contains(word), words.contains(&word), "{word}: {asked}");
        }
    };
    knows(&told_more(&bench, &mut live, &id, "ORANGE").await, &["TASK", "ORANGE"]);
    // Undone and done again: nothing is lost.
    go(&mut live, Target::Point(2)).await;
    go(&mut live, Target::Redo).await;
    knows(&told_more(&bench, &mut live, &id, "PLUM").await, &["TASK", "ORANGE", "PLUM"]);
    go(&mut live, Target::Point(2)).await;
    knows(&told_more(&bench, &mut live, &id, "PEAR").await, &["TASK", "PEAR"]);
    // What is new counts from there on, also for another process.
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let mut live = bench.reopen(session);
    knows(&told_more(&bench, &mut live, &id, "FIG").await, &["TASK", "PEAR", "FIG"]);
    // The turn that started it is undone: nobody can know of it.
    go(&mut live, Target::Point(1)).await;
    bench.model.reply(agents(&[agent("n", "TASK again", json!({"resume": id}))]));
    bench.model.reply([text("ok")]);
    let asked = bench.model.asked_by("TASK").len();
    let heard = live.prompt("more").await;
    let value = result(&heard, "n");
    assert!(value.is_error && value.message.contains("was undone"), "{value:?}");
    assert_eq!(bench.model.asked_by("TASK").len(), asked);
}

#[tokio::test]
async fn a_todo_list_of_its_own_is_kept_beside_it() {
    let mut bench = bench();
    bench.crew = Some(crew(bench.dir.path(), "lister", "SetTodoList"));
    delegates(&bench, json!({"subagent_type": "lister"}));
    let list = json!([{"title": "Dig", "status": "in_progress"}]);
    let set = json!({"todos": list}).to_string();
    bench.model.reply_to(
        "TASK",
        [
            calls(&[("s1", "SetTodoList", &set)]),
            vec![text(&report("TASK"))],
            calls(&[("s2", "SetTodoList", "{}")]),
            vec![text(&report("more"))],
        ],
    );
    let mut live = bench.open();
    live.prompt("go").await.finished();
    let folder = folders(&live).remove(0);
    let todos = |dir: &Path| -> Value {
        let text = std::fs::read_to_string(dir.join("state.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&text).unwrap_or_default();
        state["todos"].clone()
    };
    assert_eq!(todos(&folder), list);
    assert_ne!(todos(&live.handle.session().dir), list, "its caller's is another");
    // It knows of it when it goes on.
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    bench.model.reply(agents(&[agent("c2", "MORE", json!({"resume": id}))]));
    bench.model.reply([text("ok")]);
    live.prompt("again").await.finished();
    let told = told(&bench);
    assert!(told.iter().any(|text| text.contains("- [in_progress] Dig")), "{told:?}");
}
