//! What a conversation is offered, and for how long that stays the same.

use kimi_tui::config::McpMode;
use kimi_tui::mcp::limits::Limits;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handful_is_offered_directly_and_stays_until_the_context_goes() {
    let mut entry = Script::new().entry();
    entry["enabledTools"] = json!(["echo", "grow", "grown"]);
    let world = world(McpMode::Auto, entry).await;
    let before = offered(&world).await;
    assert_eq!(before, (vec!["mcp__s__echo".to_owned(), "mcp__s__grow".to_owned()], None));
    grow(&world).await;
    assert_eq!(offered(&world).await, before);
    // What came later can be found and called all the same.
    let found = world.call("mcp_search", json!({"query": "came later"})).await.output.text();
    assert!(found.contains("mcp__s__grown"), "{found}");
    assert_eq!(world.mcp_call("grown", json!({})).await.output.text(), "grown called");
    world.dispatch.reset();
    assert!(offered(&world).await.0.contains(&"mcp__s__grown".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_handful_is_deferred_and_the_prompt_stays_the_same() {
    let world = world(McpMode::Auto, Script::new().more_tools(5).entry()).await;
    let before = offered(&world).await;
    assert_eq!(before.0, PAIR);
    let index = before.1.clone().unwrap();
    assert!(index.contains("- s (13 tools)") && index.contains("Things for tests."), "{index}");
    grow(&world).await;
    assert_eq!(offered(&world).await, before);
    world.dispatch.reset();
    assert!(offered(&world).await.1.unwrap().contains("- s (14 tools)"));
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
