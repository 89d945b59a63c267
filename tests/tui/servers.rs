//! MCP servers on the screen.

use serde_json::json;

use std::path::{Path, PathBuf};

use super::world::{Kimi, World};
use crate::mcp::authority::{Authority, say_yes};
use crate::mcp::lifecycle::wait_until;
use crate::mcp::server::{HttpServer, Script};
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
    kimi.type_line("/mcp disable slow");
    kimi.wait_text("MCP server slow is off.");
    kimi.type_line("/mcp reconnect good");
    kimi.wait_text("MCP server good is connected: 8 tools.");
    kimi.type_line("/mcp enable nobody");
    kimi.wait_text("server \"nobody\".");
    kimi.type_line("/mcp reconnect");
    kimi.wait_text("1 of 2 MCP servers are connected.");
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
    kimi.wait_text("^l login");
    kimi.send("\x0c");
    kimi.wait_text("Log in to MCP server far with the browser at:");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("are you there?");
    kimi.wait_text("are you there?");
    kimi.send("\r");
    kimi.wait_text("still here");
    wait_until("the browser is opened", || opened.exists());
    // All of it can be copied, where the browser is on another machine.
    let address = std::fs::read_to_string(&opened).unwrap();
    kimi.wait_for_rows("the whole address", |rows| {
        rows.iter().map(|row| row.trim()).collect::<String>().contains(&address)
    });
    say_yes(&std::fs::read_to_string(&opened).unwrap());
    kimi.wait_text("You are logged in to MCP server far.");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp\r");
    kimi.wait_text("MCP servers: 1/1 connected, 8 tools");
    kimi.send("\x1b");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
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
fn what_was_put_off_is_asked_about_again() {
    let project = Project::new();
    let own = json!({"mcpServers": {"own": {"command": "/no/such"}}}).to_string();
    for (own, command) in [(None, "/mcp"), (Some(own), "/mcp trust")] {
        if let Some(own) = &own {
            std::fs::write(project.world.share().join("mcp.json"), own).unwrap();
        }
        let mut kimi = project.asked(&[]);
        kimi.send("\r");
        kimi.wait_for_rows("the prompt", is_idle);
        if own.is_some() {
            kimi.send("/mcp\r");
            kimi.wait_text("1 of the project: /mcp trust");
            kimi.send("\x1b");
            kimi.wait_for_rows("the prompt", is_idle);
        }
        kimi.send(format!("{command}\r"));
        kimi.wait_text("▶ Start the MCP server of this project?");
        kimi.send("\x0e\x10\x1b");
        kimi.wait_for_rows("the prompt", is_idle);
        assert!(!project.was_started());
    }
    let mut kimi = project.asked(&[]);
    kimi.send("\r");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp trust\r");
    kimi.wait_text("▶ Start the MCP server of this project?");
    kimi.send("\x0e\x101");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp\r");
    kimi.wait_text("MCP servers: 1/2 connected");
    assert!(project.was_started());
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/mcp trust\r");
    kimi.wait_text("No MCP servers of this project wait for a word.");
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

#[test]
fn the_start_is_in_the_status_bar_and_goes_when_all_is_done() {
    let world = World::new(vec![Reply::new().text("x")]);
    let mut slow = Script::new().start("hang").entry();
    slow["startupTimeoutMs"] = json!(4_000);
    let servers = json!({"mcpServers": {"good": Script::new().entry(), "slow": slow}});
    std::fs::write(world.share().join("mcp.json"), servers.to_string()).unwrap();
    let kimi = world.start(&[]);
    let rows = kimi.wait_text("MCP 1/2 connected");
    assert!(is_idle(&rows), "{rows:?}");
    let rows = kimi.wait_text("MCP: 1 server, 8 tools");
    assert!(is_idle(&rows) && rows.iter().all(|row| !row.contains("MCP 1/2")), "{rows:?}");
    kimi.wait_text("MCP server slow is not connected");
}

#[test]
fn twenty_failures_are_one_remark() {
    let world = World::new(vec![Reply::new().text("x")]);
    let servers: serde_json::Map<_, _> = (0..20)
        .map(|n| (format!("bad{n:02}"), json!({"command": "/bin/sh", "args": ["-c", "exit 3"]})))
        .collect();
    let servers = json!({"mcpServers": servers}).to_string();
    std::fs::write(world.share().join("mcp.json"), servers).unwrap();
    let kimi = world.start(&[]);
    let rows = kimi.wait_text("20 MCP servers are not connected.");
    let told = rows.iter().filter(|row| row.contains("not connected")).count();
    assert_eq!(told, 1, "{rows:?}");
    let rows = kimi.wait_text("and 14 more");
    assert!(is_idle(&rows), "{rows:?}");
}

#[test]
fn a_server_has_a_sheet_and_a_switch_that_lasts() {
    let world = World::new(vec![Reply::new().text("x")]);
    let script = "printf '\\033[31mno licence\\033[0m\\n' >&2; exit 3";
    let servers = json!({"mcpServers": {
        "bad": {"command": "/bin/sh", "args": ["-c", script]},
        "good": Script::new().more_tools(540).entry(),
    }});
    let file = world.share().join("mcp.json");
    std::fs::write(&file, servers.to_string()).unwrap();
    let mut kimi = world.start_sized(&[], (80, 24));
    let rows = kimi.wait_text("no licence.");
    assert!(rows.iter().all(|row| !row.contains("[31m")), "{rows:?}");
    kimi.send("/mcp\r");
    kimi.wait_text("connected · 548 tools");
    kimi.send("good\r");
    kimi.wait_text("MCP server good");
    kimi.send("G");
    kimi.wait_text("tool_539");
    kimi.send("/tool_77\r");
    kimi.wait_text("tool_77 ");
    kimi.send("\x1b");
    kimi.wait_text("MCP servers: 1/2 connected");
    kimi.send("bad\r");
    kimi.wait_text("What it said last");
    kimi.wait_text("runs /bin/sh -c");
    kimi.send("\x14");
    kimi.wait_text("● off");
    kimi.send("\x13");
    kimi.wait_for("it is kept", |_| {
        std::fs::read_to_string(&file).unwrap().contains("\"enabled\": false")
    });
    kimi.send("q");
    kimi.wait_for("the screen", |screen| !screen.alternate_screen());
    kimi.wait_for_rows("the prompt", is_idle);
}

#[test]
fn a_resumed_session_sends_the_same_system_prompt() {
    let world = World::new(vec![Reply::new().text("one"), Reply::new().text("two")]);
    let servers = json!({"mcpServers": {
        "zebra": Script::new().entry(), "ant": Script::new().entry(), "m": Script::new().entry(),
    }});
    std::fs::write(world.share().join("mcp.json"), servers.to_string()).unwrap();
    for args in [&[][..], &["--continue"]] {
        let mut kimi = world.spawn(Path::new(env!("CARGO_BIN_EXE_kimi")), args, &[], (100, 30));
        kimi.wait_for_rows("the prompt", is_idle);
        kimi.send("/mcp\r");
        kimi.wait_text("MCP servers: 3/3 connected");
        kimi.send("\x1b");
        kimi.wait_for("the screen", |screen| !screen.alternate_screen());
        kimi.wait_for_rows("the prompt", is_idle);
        kimi.ask("hello");
        kimi.wait_for_rows("the prompt", is_idle);
        assert_eq!(kimi.exit(), 0);
    }
    let requests = world.server().requests();
    let [first, second] = [0, 1].map(|n| requests[n].body["messages"][0]["content"].to_string());
    assert!(first.contains("- ant (8 tools)"), "{first}");
    assert_eq!(first, second);
    assert_eq!(requests[0].body["tools"], requests[1].body["tools"]);
}
