//! What clients hear of servers that are starting.

use kimi_tui::config::McpMode;
use kimi_tui::mcp::dispatch::Dispatch;
use kimi_tui::mcp::server::{Order, Status};
use kimi_tui::protocol::{Event, Message};
use serde_json::json;

use super::bench::{Bench, Live, text};
use crate::mcp::server::Script;
use crate::mcp::world::World;

/// What a turn tells of a start, in its order.
async fn told(live: &mut Live) -> Vec<&'static str> {
    let heard = live.prompt("x").await;
    let words = heard.0.iter().filter_map(|message| match message {
        Message::Event(Event::McpLoadingBegin {}) => Some("begin"),
        Message::Event(Event::McpLoadingEnd {}) => Some("end"),
        _ => None,
    });
    words.collect()
}

/// Within its turn each start is told once: also one that follows on one that has outlived its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_start_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let go = dir.path().join("go");
    let world = World::new(json!({"s": Script::new().entry_after(&go)}));
    let bench = Bench::with((0..5).map(|_| vec![text("ok")]));
    let dispatch = Dispatch::new(world.servers.clone(), McpMode::Deferred);
    *bench.dispatch.lock().unwrap() = Some(dispatch);
    let mut live = bench.open();
    assert_eq!(told(&mut live).await, ["begin", "end"]);
    assert!(told(&mut live).await.is_empty(), "the same start");
    std::fs::write(&go, "").unwrap();
    world.until("s", Status::Connected).await;
    std::fs::remove_file(&go).unwrap();
    assert!(world.servers.order(Some("s"), Order::Reconnect));
    world.until("s", Status::Connecting).await;
    assert_eq!(told(&mut live).await, ["begin", "end"]);
    assert!(told(&mut live).await.is_empty(), "the same start");
    std::fs::write(&go, "").unwrap();
    world.until("s", Status::Connected).await;
    assert!(told(&mut live).await.is_empty(), "nothing starts");
}
