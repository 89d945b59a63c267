//! Tools of servers in plan mode.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kimi_tui::protocol::ToolReturnValue;
use kimi_tui::tools::PlanMode;
use serde_json::json;

use super::server::Script;
use super::world::World;

/// Plan mode that begins after it was asked for so many times.
struct After(AtomicUsize);

impl PlanMode for After {
    fn is_on(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err()
    }

    fn is_entered_unasked(&self) -> bool {
        false
    }

    fn is_left_unasked(&self) -> bool {
        false
    }

    fn switch(&self, _: bool) {}

    fn file(&self) -> Option<PathBuf> {
        None
    }

    fn read(&self) -> Result<Option<String>, String> {
        Ok(None)
    }

    fn show(&self, _: &str) {}
}

async fn world(looks: usize) -> World {
    let tools = json!([
        {"name": "look", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}},
        {"name": "change", "inputSchema": {"type": "object"}},
        {"name": "lie", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": "yes"}},
    ]);
    let mut world =
        World::new(json!({"s": Script::new().raw_tools(tools).entry()})).settled().await;
    world.plan = Arc::new(After(AtomicUsize::new(looks)));
    world
}

fn is_restriction(value: &ToolReturnValue) -> bool {
    value.is_error
        && serde_json::to_string(&value.display).unwrap().contains("Plan mode restriction")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_said_to_read_goes_on_and_a_person_is_asked() {
    let world = world(0).await;
    for (tool, arguments) in [
        ("mcp_call", json!({"name": "s.change", "arguments": {}})),
        ("mcp_call", json!({"name": "mcp__s__change", "arguments": {}})),
        ("mcp_call", json!({"name": "s.lie", "arguments": {}})),
        ("mcp__s__change", json!({})),
        ("mcp__s__lie", json!({})),
    ] {
        let value = world.call(tool, arguments.clone()).await;
        assert!(is_restriction(&value), "{tool} {arguments}: {value:?}");
    }
    assert!(world.asked.lock().unwrap().is_empty(), "nobody is asked what is not to be done");
    for (tool, arguments) in
        [("mcp_call", json!({"name": "s.look", "arguments": {}})), ("mcp__s__look", json!({}))]
    {
        let value = world.call(tool, arguments).await;
        assert!(!is_restriction(&value), "{value:?}");
    }
    assert_eq!(world.asked.lock().unwrap().len(), 2);
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_mode_that_begins_while_a_person_is_asked_counts() {
    let world = world(1).await;
    let value = world.mcp_call("s.change", json!({})).await;
    assert_eq!(world.asked.lock().unwrap().len(), 1);
    assert!(is_restriction(&value), "{value:?}");
    world.servers.shutdown().await;
}
