//! Calls over every transport, and servers that fail in the middle of one.

use std::time::{Duration, Instant};

use kimi_tui::mcp::server::Status;
use kimi_tui::protocol::{DisplayBlock, ToolOutput, ToolReturnValue};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::authority::Authority;
use super::server::{HttpServer, Script};
use super::world::{PATIENCE, World};

fn text(value: &ToolReturnValue) -> String {
    assert!(!value.is_error, "{value:?}");
    value.output.text()
}

#[track_caller]
fn failed(value: &ToolReturnValue, why: &str) {
    assert!(value.is_error && value.message.contains(why), "{value:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transport_keeps_one_session() {
    let http = HttpServer::start(Script::new());
    let world = World::new(json!({
        "stdio": Script::new().entry(),
        "http": {"url": http.url("/mcp"), "headers": {"x-key": "v"}},
        "events": {"url": http.url("/events"), "transport": "http"},
        "old": {"url": http.url("/sse")},
    }))
    .settled()
    .await;
    for server in ["stdio", "http", "events", "old"] {
        let name = format!("{server}.echo");
        let said = world.mcp_call(&name, json!({"text": "hello 你好"})).await;
        assert_eq!(text(&said), "hello 你好", "{server}");
    }
    // A new session would count from one again.
    for n in 2..4 {
        assert_eq!(text(&world.mcp_call("stdio.count", json!({})).await), n.to_string());
    }
    let seen = http.seen();
    let greetings = seen.iter().filter(|(_, body)| body.contains("\"initialize\"")).count();
    assert_eq!(greetings, 3);
    let keys = seen.iter().filter(|(head, _)| head.contains("x-key: v")).count();
    assert!(keys >= 3, "{seen:?}");
    let calls = seen.iter().filter(|(_, body)| body.contains("tools/call"));
    for (head, _) in calls.filter(|(head, _)| head.starts_with("POST /mcp")) {
        assert!(head.to_ascii_lowercase().contains("mcp-session-id: s1"), "{head}");
    }
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_server_tool_and_arguments() {
    let world = World::new(json!({"my server": Script::new()
        .raw_tools(json!([{"name": "forbidden", "inputSchema": {"type": "object"}}]))
        .entry()}))
    .settled()
    .await;
    text(&world.mcp_call("echo", json!({"text": "a\nb"})).await);
    let asked = world.asked.lock().unwrap().remove(0);
    assert_eq!(asked.action, "mcp:my server:echo");
    assert_eq!(asked.sender, "mcp__my_server__echo");
    assert!(asked.description.contains("`echo`") && asked.description.contains("`my server`"));
    let [DisplayBlock::Brief { text }] = &asked.display[..] else { panic!("{asked:?}") };
    assert!(text.contains("\"text\": \"a\\nb\""), "{text}");
    let refused = world.mcp_call("forbidden", json!({})).await;
    failed(&refused, "rejected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_are_checked_before_anybody_is_asked() {
    let world = World::new(json!({"s": Script::new().entry()})).settled().await;
    let wrong = world.mcp_call("echo", json!({"text": 7})).await;
    failed(&wrong, "`text`");
    failed(&wrong, "string");
    failed(&world.mcp_call("echo", json!({})).await, "`text`");
    let unknown = world.mcp_call("ecco", json!({})).await;
    failed(&unknown, "mcp__s__echo");
    assert!(world.asked.lock().unwrap().is_empty());
    // A tool called as if it were one of ours.
    let direct = world.call("mcp__s__echo", json!({"text": "x"})).await;
    assert_eq!(text(&direct), "x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_in_a_call_is_an_error_and_comes_back() {
    let world = World::new(json!({"s": Script::new().entry()})).settled().await;
    let died = world.mcp_call("die", json!({})).await;
    failed(&died, "segmentation fault");
    failed(&died, "status 9");
    // The next call brings it back without waiting for the next attempt.
    assert_eq!(text(&world.mcp_call("echo", json!({"text": "again"})).await), "again");
    world.until("s", Status::Connected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_in_a_call_is_told_that_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut entry = Script::new().log(&log).entry();
    // Enough for a call that is answered, on a busy machine.
    entry["timeout"] = json!(2_000);
    let world = World::new(json!({"s": entry})).settled().await;
    failed(&world.mcp_call("hang", json!({})).await, "Timeout");
    wait_for(&log, "notifications/cancelled").await;
    // A person's cancel does the same.
    std::fs::write(&log, "").unwrap();
    let cancel = CancellationToken::new();
    let later = cancel.clone();
    let wait = wait_for(&log, "tools/call");
    let arguments = json!({"name": "hang", "arguments": {}});
    let (called, ()) = tokio::join!(world.call_with("mcp_call", arguments, &cancel), async {
        wait.await;
        later.cancel();
    });
    assert!(called.is_error);
    wait_for(&log, "notifications/cancelled").await;
    assert_eq!(text(&world.mcp_call("echo", json!({"text": "x"})).await), "x");
}

async fn wait_for(log: &std::path::Path, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(log).unwrap_or_default().contains(text) {
        assert!(Instant::now() < deadline, "no {text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_and_broken_answers_are_tool_errors() {
    let world = World::new(json!({"s": Script::new().entry()})).settled().await;
    failed(&world.mcp_call("huge", json!({})).await, "larger than 16 MiB");
    failed(&world.mcp_call("broken", json!({})).await, "no valid JSON");
    assert_eq!(text(&world.mcp_call("flood", json!({})).await), "flooding");
    // It floods from now on, and works all the same.
    for _ in 0..3 {
        assert_eq!(text(&world.mcp_call("echo", json!({"text": "x"})).await), "x");
    }
    assert!(memory() < 600 << 20, "{} bytes", memory());
    world.servers.shutdown().await;
}

/// Bytes that this process has resident.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_result_is_cut_and_kept_whole_in_a_file() {
    let world = World::new(json!({"s": Script::new().entry()})).settled().await;
    let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let value = world.mcp_call("echo", json!({"text": lines})).await;
    let shown = text(&value);
    assert!(shown.chars().count() <= 12_000, "{}", shown.len());
    assert!(shown.contains("line 0\n") && shown.contains("line 19999"));
    let file = value.message.split('`').nth(1).unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_of_reading_tools_are_kept_when_asked_for() {
    let limits =
        kimi_tui::mcp::limits::Limits { cache_ttl: Duration::from_secs(600), ..Default::default() };
    let dir = tempfile::tempdir().unwrap();
    let entries = json!({"s": Script::new().entry()});
    let mode = kimi_tui::config::McpMode::Deferred;
    let world = World::with(dir, entries, mode, limits).settled().await;
    let count = async || text(&world.mcp_call("count", json!({})).await);
    assert_eq!((count().await, count().await), ("1".to_owned(), "1".to_owned()));
    // Another connection has other results.
    failed(&world.mcp_call("die", json!({})).await, "status 9");
    text(&world.mcp_call("echo", json!({"text": "back"})).await);
    assert_eq!(count().await, "2");
    assert!(matches!(
        world.mcp_call("echo", json!({"text": "x"})).await.output,
        ToolOutput::Text(_)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_ours_are_not_a_servers() {
    let world = World::new(json!({"s": {
        "command": "/bin/sh", "args": ["-c", "env >&2; exit 1"], "env": {"MINE": "yes"}
    }}));
    let _: Option<String> = world.until("s", Status::Failed).await;
    let log = world.dir.path().join("logs/s.log");
    wait_for(&log, "MINE=yes").await;
    let said = std::fs::read_to_string(log).unwrap();
    assert!(said.contains("PATH=") && !said.contains("hunter2"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_shown_while_a_call_runs() {
    let tool = json!([{"name": "report", "inputSchema": {"type": "object"}}]);
    let world = World::new(json!({"s": Script::new().raw_tools(tool).entry()})).settled().await;
    let cancel = CancellationToken::new();
    let arguments = json!({"name": "report", "arguments": {}});
    let (called, ()) = tokio::join!(world.call_with("mcp_call", arguments, &cancel), async {
        let deadline = Instant::now() + PATIENCE;
        while world.shown.lock().unwrap().is_empty() {
            assert!(Instant::now() < deadline, "nothing is shown");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    });
    assert!(called.is_error);
    assert_eq!(*world.shown.lock().unwrap(), "1/4 on it\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_result_of_a_tool_is_a_failure() {
    let say = json!([{"name": "say", "inputSchema": {"type": "object"}}]);
    let world = World::new(json!({"s": Script::new().raw_tools(say).entry()})).settled().await;
    for (result, why) in [
        (json!({"content": "done"}), "its content is no list but \"done\""),
        (json!({"content": [], "isError": "no"}), "its isError is no yes or no"),
    ] {
        let answer = json!({"jsonrpc": "2.0", "id": "$ID", "result": result}).to_string();
        let said = world.mcp_call("say", json!({"bytes": format!("{answer}\n")})).await;
        failed(&said, why);
        assert!(said.message.contains("may have had an effect"), "{said:?}");
    }
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_a_server_that_is_not_there_says_how_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let starts = dir.path().join("starts");
    let authority = Authority::new(json!({}));
    let locked = HttpServer::behind(&authority);
    let counted = format!("echo x >> {}; echo no licence >&2; exit 3", starts.display());
    let world = World::new(json!({
        "broken": {"command": "/bin/sh", "args": ["-c", counted]},
        "locked": {"url": locked.url("/mcp"), "auth": "oauth"},
        "off": {"command": "/bin/true", "enabled": false},
        "good": Script::new().entry(),
    }))
    .settled()
    .await;
    world.until("broken", Status::Failed).await;
    let starts = || std::fs::read_to_string(&starts).unwrap_or_default().lines().count();
    let before = starts();
    let said = world.mcp_call("mcp__broken__do_it", json!({})).await;
    failed(&said, "The MCP server `broken` is not connected: ");
    failed(&said, "no licence");
    assert!(starts() > before, "it was tried once more");
    for name in ["locked.read", "locked/read", "mcp__locked__read"] {
        let said = world.mcp_call(name, json!({})).await;
        let begin = "The MCP server `locked` is not connected: it asks for authorization; run: \
                     kimi mcp auth locked. Only the user can do that";
        assert!(said.is_error && said.message.starts_with(begin), "{said:?}");
    }
    failed(&world.mcp_call("off.read", json!({})).await, "it is switched off. The user can");
    // A wrong name on one that is there is about the name.
    failed(&world.mcp_call("good.eko", json!({})).await, "No MCP tool is called `good.eko`");
    world.servers.shutdown().await;
}
