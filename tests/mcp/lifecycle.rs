//! Servers from their start to their end.

use std::path::Path;
use std::time::{Duration, Instant};

use kimi_tui::mcp::server::{Order, Status};
use serde_json::{Value, json};

use super::server::{HttpServer, Script};
use super::world::{PATIENCE, World};
use crate::support::model_server::{Gate, ModelServer, Reply};
use crate::support::program::Home;

/// Nine ways not to be a server; none of them is over soon by itself but the first three.
fn broken(port: &HttpServer) -> Vec<(String, Value)> {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    [
        Script::new().start("exit").entry(),
        Script::new().start("refuse").entry(),
        json!({"command": "/nowhere/at/all"}),
        json!({"command": "cat", "cwd": "/nowhere"}),
        json!({"url": format!("http://{closed}/mcp")}),
        json!({"url": port.url("/nothing")}),
        json!({"url": "ftp://h/"}),
        json!({"url": "http://h/${NOT_SET}"}),
        Script::new().start("hang").entry(),
        Script::new().start("deaf").entry(),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, entry)| (format!("bad{n}"), entry))
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broken_half_holds_up_nobody() {
    let http = HttpServer::start(Script::new());
    let locked = HttpServer::start(Script::new().start("locked"));
    let good = (0..10).map(|n| {
        let entry = match n {
            0 => Script::new().start("noise").entry(),
            1..5 => Script::new().entry(),
            _ => json!({"url": http.url("/mcp")}),
        };
        (format!("good{n}"), entry)
    });
    let mut entries: serde_json::Map<String, Value> =
        broken(&http).into_iter().chain(good).collect();
    entries.insert("locked".to_owned(), json!({"url": locked.url("/mcp")}));
    entries.insert("key".to_owned(), json!({"url": locked.url("/mcp"), "auth": "sesame"}));
    entries.insert("off".to_owned(), json!({"command": "/nowhere", "enabled": false}));
    let before = Instant::now();
    let world = World::new(Value::Object(entries));
    assert!(before.elapsed() < Duration::from_secs(20), "the start waits for nobody");
    for n in 0..10 {
        world.until(&format!("good{n}"), Status::Connected).await;
    }
    world.until("key", Status::Connected).await;
    world.until("locked", Status::Unauthorized).await;
    let reasons = [
        "cannot open the database",
        "no licence",
        "not found",
        "/nowhere does not exist",
        "refused",
        "405",
        "not http",
        "NOT_SET is not set",
    ];
    for (n, reason) in reasons.iter().enumerate() {
        let told = world.until(&format!("bad{n}"), Status::Failed).await.unwrap();
        assert!(told.contains(reason), "bad{n}: {told}");
    }
    // Still being waited for, and everything else works.
    for name in ["bad8", "bad9"] {
        assert_eq!(world.servers.get(name).unwrap().state().status, Status::Connecting);
    }
    let said = world.mcp_call("good7.echo", json!({"text": "x"})).await;
    assert_eq!(said.output.text(), "x");
    let searched = world.call("mcp_search", json!({"query": "repeat a text"})).await.output.text();
    assert!(searched.contains("__echo"), "{searched}");
    assert!(searched.contains("bad0 (failed, "), "{searched}");
    let status = world.servers.status().unwrap();
    assert_eq!((&status["loading"], &status["connected"]), (&json!(true), &json!(11)));
    assert_eq!(status["total"], json!(22));
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_waits_for_what_fits_and_not_for_the_rest() {
    let world = World::new(json!({
        "good": Script::new().entry(),
        "hangs": Script::new().start("hang").entry(),
    }));
    let searched = world.call("mcp_search", json!({"query": "repeat a text"})).await.output.text();
    assert!(searched.contains("mcp__good__echo"), "{searched}");
    assert!(searched.contains("hangs (still starting)"), "{searched}");
    let other = World::new(json!({
        "good": Script::new().entry(),
        "hangs": Script::new().start("hang").entry(),
    }));
    let said = other.mcp_call("good.echo", json!({"text": "at once"})).await;
    assert_eq!(said.output.text(), "at once");
    for name in ["good", "hangs"] {
        let connected = other.servers.get(name).unwrap().state().status == Status::Connected;
        assert_eq!(connected, name == "good");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_an_entry_that_is_none_waits_for_nobody() {
    let hangs = Script::new().start("hang").entry();
    let world = World::new(json!({"bad": {"command": 7}, "hangs": hangs}));
    let before = Instant::now();
    for name in ["bad.echo", "mcp__bad__echo"] {
        let said = world.mcp_call(name, json!({})).await;
        assert!(said.message.starts_with("The MCP server `bad` is not connected: "), "{said:?}");
    }
    assert!(before.elapsed() < Duration::from_secs(15));
    assert!(!world.servers.get("hangs").unwrap().state().status.is_settled());
    world.servers.shutdown().await;
}

/// Who is named is waited for, and nobody else: neither where it dies at once nor where it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_server_costs_nothing_beside_one_that_hangs() {
    let entries = || {
        json!({
            "dead": Script::new().start("exit").entry(),
            "good": Script::new().entry(),
            "hangs": Script::new().start("hang").entry(),
        })
    };
    let before = Instant::now();
    let worlds: Vec<World> = (0..3).map(|_| World::new(entries())).collect();
    let said = worlds[0].mcp_call("dead.echo", json!({})).await;
    assert!(said.message.starts_with("The MCP server `dead` is not connected: "), "{said:?}");
    let said = worlds[1].mcp_call("good.nosuch", json!({})).await;
    assert!(said.message.contains("no tool") || said.message.contains("nosuch"), "{said:?}");
    let arguments = json!({"query": "repeat a text", "server": "dead"});
    let said = worlds[2].call("mcp_search", arguments).await;
    assert!(said.message.starts_with("The MCP server `dead` is not connected: "), "{said:?}");
    assert!(before.elapsed() < Duration::from_secs(15));
    for world in &worlds {
        assert!(!world.servers.get("hangs").unwrap().state().status.is_settled());
        world.servers.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_never_ready_fails_in_its_time() {
    let mut entry = Script::new().start("hang").entry();
    entry["startupTimeoutMs"] = json!(200);
    let world = World::new(json!({"s": entry}));
    let told = world.until("s", Status::Failed).await.unwrap();
    assert_eq!(told, "it was not ready within 0.2 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_makes_noise_is_no_server() {
    let world = World::new(json!({
        "yes": {"command": "yes", "args": ["not a message"]},
        "zero": {"command": "cat", "args": ["/dev/zero"]},
        "echo": {"command": "cat", "startupTimeoutMs": 500},
        "good": Script::new().entry(),
    }));
    let told = world.until("yes", Status::Failed).await.unwrap();
    assert!(told.contains("not a message"), "{told}");
    world.until("zero", Status::Failed).await;
    world.until("echo", Status::Failed).await;
    world.until("good", Status::Connected).await;
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_tools_spoil_only_themselves() {
    let bad = json!([
        {"name": 5}, "x", {"name": ""}, null,
        {"name": "echo", "description": "twice"},
        {"name": "plain"},
        {"name": "hosti\u{1b}[31mle"},
        {"name": "odd", "description": 7, "inputSchema": "none"},
    ]);
    let entry = Script::new().raw_tools(bad).more_tools(40).page(7).entry();
    let mut filtered = Script::new().entry();
    filtered["enabledTools"] = json!(["echo", "die", "hang"]);
    filtered["disabledTools"] = json!(["die"]);
    let world = World::new(json!({"s": entry, "f": filtered})).settled().await;
    let view = world.servers.view();
    let status = world.servers.status().unwrap().to_string();
    assert!(status.contains("hostile") && !status.contains("u001b"), "{status}");
    let tools = |name: &str| view.iter().find(|server| server.name == name).unwrap().tools.clone();
    let all = tools("s");
    assert!(all.contains(&"plain".to_owned()) && all.contains(&"tool_39".to_owned()), "{all:?}");
    assert!(
        !all.contains(&String::new()) && all.iter().filter(|name| *name == "echo").count() == 1
    );
    assert_eq!(tools("f"), ["echo", "hang"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_list_is_read_again() {
    let world = World::new(json!({"s": Script::new().entry()})).settled().await;
    assert!(world.mcp_call("grown", json!({})).await.is_error);
    let mut changes = world.servers.changes();
    world.mcp_call("grow", json!({})).await;
    while world.servers.catalog().get("mcp__s__grown").is_none() {
        tokio::time::timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
    }
    assert_eq!(world.mcp_call("grown", json!({})).await.output.text(), "grown called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_switched_off_and_on() {
    let world = World::new(json!({"s": Script::new().entry()})).settled().await;
    world.servers.order(Some("s"), Order::Disable);
    world.until("s", Status::Disabled).await;
    assert!(world.servers.catalog().is_empty());
    assert_eq!(world.servers.status(), None);
    world.servers.order(Some("s"), Order::Enable);
    world.until("s", Status::Connected).await;
    let before = world.mcp_call("count", json!({})).await.output.text();
    assert_eq!(before, "1");
    let tries = world.servers.get("s").unwrap().state().tries();
    world.servers.order(None, Order::Reconnect);
    let again = async {
        while world.servers.get("s").unwrap().state().tries() == tries {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    assert_eq!(world.mcp_call("count", json!({})).await.output.text(), "1");
    assert!(!world.servers.order(Some("nobody"), Order::Enable));
}

/// One that takes its time to end is off at once, and a call that comes in that moment ends too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_the_moment_of_switching_off_ends() {
    let slow = Script::new().start("stubborn").entry();
    let world = World::new(json!({"quick": Script::new().entry(), "slow": slow})).settled().await;
    for server in ["quick", "slow"] {
        let mut changes = world.servers.changes();
        changes.mark_unchanged();
        world.servers.order(Some(server), Order::Disable);
        tokio::time::timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
        let call = json!({"text": "x"});
        let said = world.mcp_call(&format!("mcp__{server}__echo"), call.clone()).await;
        assert!(said.message.contains("not connected"), "{said:?}");
        world.until(server, Status::Disabled).await;
        let said = world.mcp_call(&format!("mcp__{server}__echo"), call).await;
        assert!(said.message.contains("it is switched off"), "{said:?}");
    }
    world.servers.shutdown().await;
}

fn pid(log: &Path) -> Option<i32> {
    std::fs::read_to_string(log.with_extension("pid")).ok()?.parse().ok()
}

pub fn is_gone(pid: i32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie waits for init alone.
    state.is_empty() || state.contains(") Z ")
}

/// Waits for a condition of which nothing tells.
pub fn wait_until(what: &str, mut fits: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !fits() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_servers_is_bounded_and_certain() {
    let dir = tempfile::tempdir().unwrap();
    let logs = ["a", "b"].map(|name| dir.path().join(name));
    let world = World::new(json!({
        "polite": Script::new().log(&logs[0]).entry(),
        "stubborn": Script::new().start("stubborn").log(&logs[1]).entry(),
    }))
    .settled()
    .await;
    let pids = logs.each_ref().map(|log| pid(log).unwrap());
    assert!(pids.iter().all(|pid| !is_gone(*pid)));
    world.servers.shutdown().await;
    for pid in pids {
        wait_until("a server is gone", || is_gone(pid));
    }
}

#[test]
fn servers_do_not_outlive_a_program_that_is_killed() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![Reply::new().text("so").wait(&gate).text("on")]);
    let home = Home::new(&server.url());
    let log = home.path("log");
    let entry = Script::new().start("stubborn").log(&log).entry();
    home.write("share/mcp.json", json!({"mcpServers": {"s": entry}}).to_string());
    let mut running = home.start(&["--print", "-p", "hi"]);
    running.feed(b"");
    wait_until("the server is greeted", || {
        std::fs::read_to_string(&log).unwrap_or_default().contains("tools/list")
    });
    let pid = pid(&log).unwrap();
    assert!(!is_gone(pid));
    running.kill();
    wait_until("the server is gone", || is_gone(pid));
    gate.open();
}
