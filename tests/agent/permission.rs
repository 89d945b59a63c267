//! Rules and approvals for the session, at the core.

use kimi_tui::agent::Modes;
use kimi_tui::customize::{Agent, Builtin};
use kimi_tui::permission::{Rule, Rules};
use kimi_tui::protocol::{Message, Op, Request, Verdict};
use serde_json::json;

use super::bench::{Bench, Say, calls, text};
use super::subagents::{agent as order, agents, report, result};

fn shell(id: &str, command: &str) -> Vec<Say> {
    calls(&[(id, "Shell", &json!({"command": command}).to_string())])
}

fn bench(replies: Vec<Vec<Say>>) -> Bench {
    let mut bench = Bench::with(replies);
    bench.real_tools = true;
    bench
}

fn rules(allow: &[&str], ask: &[&str], deny: &[&str]) -> Rules {
    let all = |texts: &[&str]| texts.iter().map(|text| Rule::parse(text).unwrap()).collect();
    Rules { allow: all(allow), ask: all(ask), deny: all(deny) }
}

fn is_ask(message: &Message) -> bool {
    matches!(message, Message::Request(Request::ApprovalRequest(_)))
}

#[tokio::test]
async fn an_approval_for_the_session_is_for_this_command() {
    let bench = bench(vec![
        shell("a", "echo one"),
        shell("b", "echo one"),
        shell("c", "echo one; echo two"),
        vec![text("ok")],
        shell("d", "echo one"),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    live.send("go");
    let (_, request) = live.asked().await;
    assert_eq!((request.tool_call_id.as_str(), request.action.as_str()), ("a", "run command"));
    assert_eq!(request.session_scope(), Some("this command only"));
    live.answer(&request.id, Verdict::ApproveForSession, "");
    let (_, request) = live.asked().await;
    assert_eq!(request.tool_call_id, "c");
    live.answer(&request.id, Verdict::Approve, "");
    live.end().await.finished();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    // It is remembered.
    let mut live = bench.reopen(session);
    let heard = live.prompt("go").await;
    heard.finished();
    assert!(!heard.0.iter().any(is_ask));
}

#[tokio::test]
async fn what_was_approved_can_be_taken_back() {
    let mut bench = bench(vec![
        shell("a", "echo one"),
        vec![text("ok")],
        shell("b", "echo one"),
        vec![text("ok")],
    ]);
    bench.rules = rules(&[], &[], &["Shell(rm:*)"]);
    let mut live = bench.open();
    live.send("go");
    let (_, request) = live.asked().await;
    live.answer(&request.id, Verdict::ApproveForSession, "");
    live.end().await.finished();
    let told = live.prompt("/permissions").await.text();
    assert!(told.contains("deny: `Shell(rm:*)`"), "{told}");
    assert!(told.contains("1. `run command: echo one`"), "{told}");
    let told = live.prompt("/permissions forget 2").await.text();
    assert!(told.contains("from 1 to 1"), "{told}");
    let told = live.prompt("/permissions forget 1").await.text();
    assert!(told.contains("No longer approved"), "{told}");
    let told = live.prompt("/permissions").await.text();
    assert!(told.contains("Nothing is approved for the session."), "{told}");
    live.send("go");
    let (_, request) = live.asked().await;
    assert_eq!(request.tool_call_id, "b");
    live.answer(&request.id, Verdict::Approve, "");
    live.end().await.finished();
}

#[tokio::test]
async fn what_kimi_cli_stored_for_all_commands_allows_none() {
    let bench = bench(vec![vec![text("ok")], shell("a", "echo one"), vec![text("ok")]]);
    let mut live = bench.open();
    live.prompt("hello").await.finished();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    let path = session.dir.join("state.json");
    let mut state: serde_json::Value = serde_json::from_slice(
        &std::fs::read(&path).unwrap_or_else(|_| b"{\"version\":1}".to_vec()),
    )
    .unwrap();
    state["approval"]["auto_approve_actions"] = json!(["run command"]);
    std::fs::write(&path, state.to_string()).unwrap();
    let mut live = bench.reopen(session.clone());
    live.send("go");
    let (_, request) = live.asked().await;
    live.answer(&request.id, Verdict::ApproveForSession, "");
    live.end().await.finished();
    live.handle.shutdown(None).await;
    let state = std::fs::read_to_string(path).unwrap();
    assert!(state.contains("\"run command\""), "kimi-cli still finds its own: {state}");
    assert!(state.contains("run command: echo one"), "{state}");
}

#[tokio::test]
async fn yolo_stops_at_deny_and_at_ask() {
    let mut bench = bench(vec![
        calls(&[
            ("a", "ReadFile", r#"{"path":"secret/key"}"#),
            ("b", "Shell", r#"{"command":"echo free"}"#),
            ("c", "Shell", r#"{"command":"echo $(git push)"}"#),
            ("d", "FetchURL", r#"{"url":"http://127.0.0.1:9/"}"#),
        ]),
        vec![text("ok")],
    ]);
    bench.modes = Modes { yolo: true, ..Modes::default() };
    bench.rules = rules(&[], &["FetchURL"], &["ReadFile(secret/**)", "Shell(git push:*)"]);
    let mut live = bench.open();
    live.send("go");
    let (before, request) = live.asked().await;
    assert_eq!((request.tool_call_id.as_str(), request.sender.as_str()), ("d", "FetchURL"));
    // Who leaves is not there to be asked.
    live.handle.submit(Op::SetApproval { yolo: None, afk: Some(true) });
    let heard = live.end().await;
    heard.finished();
    let results = [before.results(), heard.results()].concat();
    let message = |id: &str| &results.iter().find(|(call, _)| call == id).unwrap().1.message;
    assert!(message("a").contains("`ReadFile(secret/**)` forbids"), "{}", message("a"));
    assert!(message("b").contains("successfully"), "{}", message("b"));
    assert!(message("c").contains("`Shell(git push:*)` forbids"), "{}", message("c"));
    assert!(message("d").contains("nobody is there"), "{}", message("d"));
}

#[tokio::test]
async fn a_rule_that_is_approved_lets_go_what_it_covers() {
    let bench = bench(vec![
        shell("a", "ls -a && pwd"),
        shell("b", "pwd; ls"),
        shell("c", "pwd > out"),
        vec![text("ok")],
    ]);
    let mut live = bench.open();
    live.send("go");
    let (_, request) = live.asked().await;
    assert_eq!(request.session_scope(), Some("ls …, pwd …"));
    live.answer(&request.id, Verdict::ApproveForSession, "");
    let (_, request) = live.asked().await;
    assert_eq!(request.tool_call_id, "c");
    assert_eq!(request.why(), Some("no rule allows: > out"));
    live.answer(&request.id, Verdict::Reject, "");
    live.end().await;
}

#[tokio::test]
async fn a_rule_about_agents_is_about_one_type_of_them() {
    let agent = |id: &'static str, tool: &'static str, arguments: serde_json::Value| {
        calls(&[(id, tool, &arguments.to_string())])
    };
    let task = |kind: &str| json!({"description": "d", "prompt": "p", "subagent_type": kind});
    let swarm = json!({
        "description": "d", "prompt_template": "p {{item}}", "items": ["a", "b"]
    });
    let mut bench = bench(vec![
        agent("a", "Agent", task("coder")),
        // The type that is taken where none is named.
        agent("b", "Agent", json!({"description": "d", "prompt": "p"})),
        agent("c", "AgentSwarm", swarm),
        agent("d", "Agent", task("nobody")),
        vec![text("ok")],
    ]);
    bench.crew = Some(Agent::builtin(Builtin::Default).unwrap());
    bench.rules = rules(&["Agent"], &[], &["Agent(coder)"]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    for id in ["a", "b", "c"] {
        let said = result(&heard, id).message;
        assert!(said.contains("`Agent(coder)` forbids this"), "{id} {said}");
    }
    // Another type is none of the rule's business.
    let said = result(&heard, "d").message;
    assert!(said.contains("There is no subagent type"), "{said}");
}

#[tokio::test]
async fn an_agent_that_goes_on_is_what_it_was() {
    let mut bench = super::subagents::bench();
    bench.model.reply(agents(&[order("c1", "TASK", json!({"subagent_type": "plan"}))]));
    bench.model.reply([text("ok")]);
    bench.model.reply_to("TASK", [vec![text(&report("TASK"))]]);
    let mut live = bench.open();
    let heard = live.prompt("go").await;
    heard.finished();
    let told = result(&heard, "c1").output.text();
    let id = told.lines().find_map(|line| line.strip_prefix("agent_id: ")).unwrap().to_owned();
    let session = live.handle.session().clone();
    live.handle.shutdown(None).await;
    bench.rules = rules(&[], &[], &["Agent(plan)"]);
    let mut live = bench.reopen(session);
    let more = json!({"subagent_type": "explore", "resume": id});
    bench.model.reply(agents(&[order("c2", "MORE", more)]));
    bench.model.reply([text("ok")]);
    let heard = live.prompt("again").await;
    let said = result(&heard, "c2").message;
    assert!(said.contains("`Agent(plan)` forbids this"), "{said}");
}
