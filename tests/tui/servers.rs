//! MCP servers on the screen.

use serde_json::json;

use super::world::World;
use crate::mcp::server::Script;
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::is_idle;

#[test]
fn the_panel_is_live_and_nothing_waits_for_servers() {
    let world = World::new(|_: &Recorded, index| match index {
        0 => Reply::new().tool_call(
            "c1",
            "mcp_call",
            r#"{"name":"good.echo","arguments":{"text":"secret plan"}}"#,
        ),
        _ => Reply::new().text("so it is"),
    });
    let servers = json!({"mcpServers": {
        "good": Script::new().entry(),
        "bad": Script::new().start("exit").entry(),
        "slow": Script::new().start("hang").entry(),
    }});
    std::fs::write(world.share().join("mcp.json"), servers.to_string()).unwrap();
    let mut kimi = world.start(&[]);
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.wait_text("MCP server bad is not connected");
    let rows = kimi.wait_text("it said: cannot open the");
    assert!(rows.iter().all(|row| !row.to_lowercase().contains("connecting")), "{rows:?}");
    kimi.send("/mcp\r");
    kimi.wait_text("connected · 8 tools");
    let rows = kimi.wait_text("MCP servers: 1/3 connected, 8 tools");
    assert!(rows.iter().any(|row| row.contains("slow") && row.contains("starting")), "{rows:?}");
    kimi.send("good\r");
    kimi.wait_text("Repeats a text.");
    kimi.send("q");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
    kimi.send("/mcp disable slow\r");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp\r");
    kimi.wait_text("MCP servers: 1/3 connected");
    kimi.wait_for("the server is off", |screen| {
        screen.contents().lines().any(|row| row.contains("slow") && row.contains("off"))
    });
    kimi.send("\x1b");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("use it");
    kimi.wait_text("use it");
    kimi.send("\r");
    let rows = kimi.wait_text("Call the MCP tool good:echo?");
    assert!(rows.iter().any(|row| row.contains("secret plan")), "{rows:?}");
    kimi.send("1");
    kimi.wait_text("so it is");
    kimi.wait_for_rows("the prompt", is_idle);
}
