//! MCP servers on the screen.

use serde_json::json;

use super::world::World;
use crate::mcp::authority::{Authority, say_yes};
use crate::mcp::lifecycle::wait_until;
use crate::mcp::server::{HttpServer, Script};
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

#[test]
fn a_login_goes_on_beside_everything_else() {
    let world = World::new(vec![Reply::new().text("still here")]);
    let authority = Authority::new(json!({}));
    let server = HttpServer::behind(&authority);
    let servers = json!({"mcpServers": {"far": {"url": server.url("/mcp"), "auth": "oauth"}}});
    std::fs::write(world.share().join("mcp.json"), servers.to_string()).unwrap();
    let opened = world.home().join("opened");
    let browser = world.home().join("browser");
    let script = format!("printf %s \"$1\" > {0}.new && mv {0}.new {0}\n", opened.display());
    std::fs::write(&browser, script).unwrap();
    let browser = format!("sh {}", browser.display());
    let mut kimi = world.start_with(&[], &[("BROWSER", &browser)], (100, 30));
    kimi.wait_text("kimi mcp auth far");
    kimi.send("/mcp\r");
    kimi.wait_text("needs authorization");
    kimi.wait_text("ctrl-l log in");
    kimi.send("\x0c");
    kimi.wait_text("Log in to MCP server far with the browser at:");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("are you there?");
    kimi.wait_text("are you there?");
    kimi.send("\r");
    kimi.wait_text("still here");
    wait_until("the browser is opened", || opened.exists());
    say_yes(&std::fs::read_to_string(&opened).unwrap());
    kimi.wait_text("You are logged in to MCP server far.");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp\r");
    kimi.wait_text("MCP servers: 1/1 connected, 8 tools");
    kimi.send("\x1b");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
}
