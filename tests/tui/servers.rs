//! MCP servers on the screen.

use serde_json::json;

use std::path::{Path, PathBuf};

use super::world::{Kimi, World};
use crate::mcp::server::Script;
use crate::support::model_server::{Recorded, Reply};
use crate::support::screen::{is_busy, is_idle};

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

/// A project that brings a server along, which leaves a trace as soon as it is started.
struct Project {
    world: World,
    trace: PathBuf,
}

impl Project {
    fn new() -> Self {
        let world = World::new(vec![Reply::new().text("one"), Reply::new().text("two")]);
        let trace = world.share().join("trace");
        let project = Self { world, trace };
        project.write("");
        project
    }

    fn write(&self, more: &str) {
        let mut entry = Script::new().log(&self.trace).entry();
        entry["description"] = more.into();
        entry["env"]["EXTRA"] = json!("${HOME}");
        let file = json!({"mcpServers": {"theirs": entry}});
        self.world.file(".mcp.json", file.to_string());
    }

    fn start(&self, args: &[&str], more: &[(&str, &str)]) -> Kimi {
        let kimi = Path::new(env!("CARGO_BIN_EXE_kimi"));
        self.world.spawn(kimi, args, more, (100, 30))
    }

    fn asked(&self, args: &[&str]) -> Kimi {
        let mut kimi = self.start(args, &[]);
        let rows = kimi.wait_text("▶ Start the MCP server of this project?");
        assert!(is_busy(&rows) && !is_idle(&rows), "{rows:?}");
        // Down and up: whoever presses control keys is not in the middle of a word.
        kimi.send("\x0e\x10");
        kimi
    }

    fn was_started(&self) -> bool {
        self.trace.exists()
    }
}

#[test]
fn a_projects_servers_wait_for_a_yes_that_is_remembered() {
    let project = Project::new();
    let mut kimi = project.asked(&[]);
    let rows = kimi.wait_text("gets your environment's HOME");
    assert!(rows.iter().any(|row| row.contains("theirs runs ")), "{rows:?}");
    assert!(!project.was_started());
    kimi.send("1");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp\r");
    kimi.wait_text("MCP servers: 1/1 connected");
    assert!(project.was_started());
    drop(kimi);
    std::fs::remove_file(&project.trace).unwrap();
    let mut kimi = project.start(&[], &[]);
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp\r");
    let rows = kimi.wait_text("MCP servers: 1/1 connected");
    assert!(rows.iter().all(|row| !row.contains("Start the MCP")), "{rows:?}");
    drop(kimi);
    project.write("changed");
    std::fs::remove_file(&project.trace).unwrap();
    drop(project.asked(&[]));
    assert!(!project.was_started());
}

#[test]
fn enter_is_no_yes_and_never_is_for_good() {
    let project = Project::new();
    for (key, asked_again) in [("\r", true), ("\x1b", true), ("3", false)] {
        let mut kimi = project.asked(&[]);
        kimi.send(key);
        kimi.wait_for_rows("the prompt", is_idle);
        kimi.ask("hello");
        kimi.wait_for_rows("the prompt", is_idle);
        drop(kimi);
        let kimi = project.start(&[], &[]);
        if asked_again {
            kimi.wait_text("Start the MCP server of this project?");
        } else {
            kimi.wait_for_rows("the prompt", is_idle);
        }
    }
    assert!(!project.was_started());
}

#[test]
fn who_drives_the_program_is_told_and_not_asked() {
    let project = Project::new();
    let kimi = project.start(&[], &[("CAO_TERMINAL_ID", "t1")]);
    let rows = kimi.wait_text("nobody has agreed to it");
    assert!(rows.iter().all(|row| !row.contains("Start the MCP")), "{rows:?}");
    kimi.wait_for_rows("the prompt", is_idle);
    assert!(!project.was_started());
}
