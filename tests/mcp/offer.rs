//! What a conversation is offered, and for how long that stays the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use kimi_tui::config::McpMode;
use kimi_tui::mcp::limits::Limits;
use kimi_tui::mcp::server::{Order, Status};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::server::Script;
use super::world::{PATIENCE, World};

const PAIR: [&str; 2] = ["mcp_search", "mcp_call"];

async fn world(mode: McpMode, entry: Value) -> World {
    let dir = tempfile::tempdir().unwrap();
    World::with(dir, json!({"s": entry}), mode, Limits::default()).settled().await
}

/// The names of the tools, and the block of the system prompt.
async fn offered(world: &World) -> (Vec<String>, Option<String>) {
    let offer = world.dispatch.offer(&CancellationToken::new()).await;
    (offer.tools.iter().map(|tool| tool.name().to_owned()).collect(), offer.index.clone())
}

async fn grow(world: &World) {
    let mut changes = world.servers.changes();
    world.call("mcp__s__grow", json!({})).await;
    while world.servers.catalog().get("mcp__s__grown").is_none() {
        tokio::time::timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
    }
}

/// Waits until the state of the servers makes this true.
async fn until(world: &World, enough: impl Fn(&World) -> bool) {
    let mut changes = world.servers.changes();
    while !enough(world) {
        tokio::time::timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
    }
}

fn handful() -> Value {
    let mut entry = Script::new().entry();
    entry["enabledTools"] = json!(["echo", "grow", "grown"]);
    entry
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handful_is_offered_directly_and_follows_its_server() {
    let world = world(McpMode::Auto, handful()).await;
    let first = world.dispatch.offer(&CancellationToken::new()).await;
    let before = offered(&world).await;
    assert_eq!(before, (vec!["mcp__s__echo".to_owned(), "mcp__s__grow".to_owned()], None));
    // A change that the model cannot see changes nothing, not even the values.
    world.servers.order(Some("s"), Order::Reconnect);
    until(&world, |world| {
        let state = world.servers.get("s").unwrap().state();
        state.tries() > 1 && state.status == Status::Connected
    })
    .await;
    assert!(Arc::ptr_eq(&first, &world.dispatch.offer(&CancellationToken::new()).await));
    grow(&world).await;
    assert!(offered(&world).await.0.contains(&"mcp__s__grown".to_owned()));
    assert_eq!(world.call("mcp__s__grown", json!({})).await.output.text(), "grown called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_handful_is_deferred_and_the_index_follows() {
    let world = world(McpMode::Auto, Script::new().more_tools(5).entry()).await;
    let before = offered(&world).await;
    assert_eq!(before.0, PAIR);
    let index = before.1.clone().unwrap();
    assert!(index.contains("- s (13 tools)") && index.contains("Things for tests."), "{index}");
    assert_eq!(offered(&world).await, before);
    grow(&world).await;
    let after = offered(&world).await;
    assert_eq!(after.0, PAIR);
    assert!(after.1.unwrap().contains("- s (14 tools)"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handful_that_outgrows_it_is_deferred_and_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut many = Script::new().more_tools(9).entry();
    many["enabled"] = json!(false);
    let entries = json!({"s": handful(), "many": many});
    let world = World::with(dir, entries, McpMode::Auto, Limits::default()).settled().await;
    assert_eq!(offered(&world).await.0.len(), 2);
    assert_ne!(offered(&world).await.0, PAIR);
    world.servers.order(Some("many"), Order::Enable);
    world.until("many", Status::Connected).await;
    let index = offered(&world).await;
    assert_eq!(index.0, PAIR);
    assert!(index.1.unwrap().contains("- many (17 tools)"));
    world.servers.order(Some("many"), Order::Disable);
    world.until("many", Status::Disabled).await;
    let less = offered(&world).await;
    assert_eq!(less.0, PAIR);
    assert!(!less.1.unwrap().contains("many"));
    world.dispatch.reset();
    assert_ne!(offered(&world).await.0, PAIR);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_not_there_leave_the_pair() {
    let nobody = json!({"command": "/nonexistent/program"});
    let world = world(McpMode::Auto, nobody).await;
    let (tools, index) = offered(&world).await;
    assert_eq!(tools, PAIR);
    let index = index.unwrap();
    assert!(index.contains("Not connected yet") && index.ends_with(": s."), "{index}");
    let told = world.call("mcp_search", json!({"query": "anything"})).await.output.text();
    assert!(told.contains("Not connected: s (failed"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_holds_the_first_request_but_a_moment_and_that_only_in_direct_mode() {
    for mode in [McpMode::Auto, McpMode::Deferred, McpMode::Direct] {
        let dir = tempfile::tempdir().unwrap();
        let entries = json!({"hangs": Script::new().start("hang").entry(), "s": handful()});
        let world = World::with(dir, entries, mode, Limits::default());
        let begun = Instant::now();
        let at_once = world.dispatch.offer(&CancellationToken::new()).now_or_never();
        assert_eq!(at_once.is_some(), mode != McpMode::Direct);
        let (tools, _) = offered(&world).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(tools == PAIR, mode != McpMode::Direct);
        // Who was late is there at a later request.
        world.until("s", Status::Connected).await;
        let (tools, index) = offered(&world).await;
        if mode == McpMode::Direct {
            assert_eq!(tools, ["mcp__s__echo", "mcp__s__grow"]);
        } else {
            let index = index.unwrap();
            assert!(index.contains("- s (2 tools)") && index.ends_with(": hangs."), "{index}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_shown_once_in_a_context() {
    let world = world(McpMode::Deferred, Script::new().entry()).await;
    assert_eq!(offered(&world).await.0, PAIR);
    let search =
        async || world.call("mcp_search", json!({"query": "repeat a text"})).await.output.text();
    assert!(search().await.contains("\"text\": string*"));
    assert!(search().await.contains("schema shown earlier"));
    world.dispatch.reset();
    assert!(search().await.contains("\"text\": string*"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_user_words_go_before_those_of_a_server() {
    let mut entry = Script::new().entry();
    entry["description"] = json!("Mine, for the weather.");
    let world = world(McpMode::Deferred, entry).await;
    let index = offered(&world).await.1.unwrap();
    assert!(index.contains("Mine, for the weather.") && !index.contains("Things for"), "{index}");
}
