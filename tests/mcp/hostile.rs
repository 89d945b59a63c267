//! Servers that break the protocol on purpose.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kimi_tui::mcp::server::Status;
use kimi_tui::protocol::ToolReturnValue;
use serde_json::{Value, json};

use super::server::Script;
use super::world::{PATIENCE, World};

/// A server that says what it is told to say with `say`, and its log.
async fn speaker(more: Value) -> (World, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut tools = vec![json!({"name": "say", "inputSchema": {"type": "object"}})];
    tools.extend(more.as_array().cloned().unwrap_or_default());
    let entry = Script::new().raw_tools(tools.into()).log(&log).entry();
    let mode = kimi_tui::config::McpMode::Deferred;
    let world = World::with(dir, json!({"s": entry}), mode, Default::default()).settled().await;
    world.until("s", Status::Connected).await;
    (world, log)
}

fn result(id: Value, text: &str) -> String {
    let result = json!({"content": [{"type": "text", "text": text}]});
    format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

async fn say(world: &World, bytes: &str, times: usize) -> ToolReturnValue {
    world.mcp_call("say", json!({"bytes": bytes, "times": times})).await
}

/// The server still answers.
async fn alive(world: &World) {
    let said = world.mcp_call("echo", json!({"text": "well"})).await;
    assert_eq!((said.is_error, said.output.text().as_str()), (false, "well"), "{said:?}");
}

async fn wait_for(log: &Path, what: &str, fits: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !fits(&std::fs::read_to_string(log).unwrap_or_default()) {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_nobody_and_second_answers_are_ignored() {
    let (world, _log) = speaker(json!([])).await;
    let strange = [json!(99_999), json!("seven"), Value::Null, json!(-1), json!(1.5), json!([])];
    let strange: String = strange.into_iter().map(|id| result(id, "false")).collect();
    assert_eq!(say(&world, &strange, 1).await.output.text(), "said");
    // All ids that were ever given out and the next ones: too late, twice, too early.
    let all: String = (0..40).map(|id| result(json!(id), "forged")).collect();
    let forged = say(&world, &all, 2).await;
    // It may forge its own answers, and no more than that.
    assert!(["said", "forged"].contains(&forged.output.text().as_str()), "{forged:?}");
    for _ in 0..80 {
        // Once it has said all of it.
        let echoed = world.mcp_call("echo", json!({"text": "x"})).await;
        assert!(!echoed.is_error, "{echoed:?}");
    }
    alive(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_a_server_are_answered_or_refused() {
    let (world, log) = speaker(json!([])).await;
    let methods = ["ping", "sampling/createMessage", "roots/list", "shutdown/now", ""];
    let request = |(n, method): (usize, &&str)| {
        let params = json!({"messages": [], "maxTokens": 5});
        let id = format!("from-server-{n}");
        format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    };
    let requests: String = methods.iter().enumerate().map(request).collect();
    assert_eq!(say(&world, &requests, 1).await.output.text(), "said");
    for n in 0..methods.len() {
        let id = format!("\"from-server-{n}\"");
        let answered =
            |log: &str| log.lines().any(|line| line.contains(&id) && !line.contains("tools/call"));
        wait_for(&log, &format!("an answer to {n}"), answered).await;
    }
    alive(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_text_and_no_message_is_passed_over() {
    let (world, _log) = speaker(json!([])).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for garbage in [
        "\u{ff}\u{fe}\u{0}{\"jsonrpc\"\n".to_owned(),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/\u{ff}\"}\n".to_owned(),
        format!("{deep}\n"),
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{deep}}}\n"),
        "null\n5\n\"x\"\n[]\n{}\n[[]]\n[{}]\n".to_owned(),
        format!("{}\n", "x".repeat(1 << 20)),
        "\r\n\r\n \t\n".to_owned(),
    ] {
        assert_eq!(say(&world, &garbage, 1).await.output.text(), "said");
        alive(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_nested_too_deeply_is_an_error_of_the_tool() {
    let (world, _log) = speaker(json!([])).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let answer =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":\"$ID\",\"result\":{{\"content\":{deep}}}}}\n");
    let told = say(&world, &answer, 1).await;
    assert!(told.is_error && told.message.contains("no valid JSON"), "{told:?}");
    for content in ["7", "\"x\"", "null", "[7,null,{}]", "{\"a\":1}"] {
        let answer = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"$ID\",\"result\":{{\"content\":{content}}}}}\n"
        );
        // Whatever is made of it: the call ends.
        say(&world, &answer, 1).await;
        alive(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_notifications_are_over_soon() {
    let (world, _log) = speaker(json!([])).await;
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/message",
        "params": {"level": "info", "data": "y"}});
    let before = Instant::now();
    for times in [10_000, 100_000] {
        let said = say(&world, &format!("{notice}\n"), times).await;
        assert_eq!(said.output.text(), "said", "{said:?}");
        println!("an answer behind {times} notifications: after {:?}", before.elapsed());
    }
    alive(&world).await;
    assert!(before.elapsed() < PATIENCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_changed_lists_is_looked_at_now_and_then() {
    let (world, log) = speaker(json!([])).await;
    let lists = |log: &str| log.matches("tools/list").count();
    let before = lists(&std::fs::read_to_string(&log).unwrap());
    let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    let start = Instant::now();
    say(&world, &format!("{changed}\n"), 2_000).await;
    alive(&world).await;
    let looked = {
        let text = std::fs::read_to_string(&log).unwrap();
        // Calls are in the log as well.
        text.lines().filter(|line| line.contains("\"method\":\"tools/list\"")).count() - before
    };
    let most = 2 + start.elapsed().as_millis() / 200;
    assert!(looked as u128 <= most, "{looked} lists in {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_collide_and_names_of_ours_stay_apart() {
    let none = || json!({"type": "object"});
    let names = ["Shell", "a b", "a_b", "a.b", "a/b", "mcp_call", "\u{202e}lls", "mcp__s__echo"];
    let tools: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "inputSchema": none()})).collect();
    let (world, _log) = speaker(tools.into()).await;
    let catalog = world.servers.catalog();
    let mut qualified: Vec<&str> = catalog.tools().map(|tool| tool.qualified).collect();
    let count = qualified.len();
    qualified.dedup();
    assert_eq!(qualified.len(), count);
    let plain = |name: &&str| {
        name.starts_with("mcp__s__")
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    assert!(qualified.iter().all(plain), "{qualified:?}");
    for name in names {
        let tool = catalog.tools().find(|tool| tool.name == name).expect(name);
        let said = world.mcp_call(tool.qualified, json!({})).await;
        assert_eq!(said.output.text(), format!("{name} called"), "{}", tool.qualified);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_that_are_traps_cost_little() {
    let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}});
    let text = |pattern: &str| json!({"type": "object", "properties": {"text": {"type": "string", "pattern": pattern}}});
    let mut wide = json!({"type": "string"});
    for _ in 0..30 {
        wide = json!({"anyOf": [wide.clone(), wide]});
        if wide.to_string().len() > 100_000 {
            break;
        }
    }
    let (world, _log) = speaker(json!([
        {"name": "self", "inputSchema": {"$ref": "#"}},
        {"name": "circle", "inputSchema": {"$defs": {"node": node}, "$ref": "#/$defs/node"}},
        {"name": "ring", "inputSchema": {"type": "object", "properties": {"text": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}},
        {"name": "bomb", "inputSchema": text("^(a+)+$")},
        {"name": "large", "inputSchema": text("((a{1,1000}){1,1000}){1,1000}")},
        {"name": "broken_pattern", "inputSchema": text("(")},
        {"name": "wide", "inputSchema": {"type": "object", "properties": {"text": wide}}},
        {"name": "far", "inputSchema": {"type": "object", "properties": {"text": {"$ref": "http://127.0.0.1:9/x"}}}},
    ]))
    .await;
    let mut next = json!({});
    for _ in 0..100 {
        next = json!({"next": next});
    }
    let before = Instant::now();
    for tool in ["self", "circle", "ring", "bomb", "large", "broken_pattern", "wide", "far"] {
        let found = world.call("mcp_search", json!({"query": tool})).await.output.text();
        assert!(found.len() < 40_000, "{tool}: {}", found.len());
        let text = format!("{}!", "a".repeat(5_000));
        for arguments in [json!({"text": text}), next.clone(), json!({})] {
            world.mcp_call(tool, arguments).await;
        }
    }
    println!("traps cost {:?}", before.elapsed());
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    alive(&world).await;
}
