//! `kimi mcp`, as scripts and SDKs use it.

use serde_json::{Value, json};

use super::server::{HttpServer, Script};
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, Ran};

fn file(home: &Home) -> Value {
    serde_json::from_str(&std::fs::read_to_string(home.path("share/mcp.json")).unwrap()).unwrap()
}

#[track_caller]
fn fails(ran: &Ran, code: i32, why: &str) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.err.contains(why), "{ran:?}");
}

#[test]
fn servers_are_added_listed_and_removed() {
    let home = Home::bare();
    let path = home.path("share/mcp.json");
    let path = path.display();
    assert_eq!(
        home.run(&["mcp", "list"]).well().out,
        format!("MCP config file: {path}\nNo MCP servers configured.\n")
    );
    let added = home.run(&["mcp", "add", "files", "-e", "K=v", "--", "npx", "-y", "srv", "--root"]);
    assert_eq!(added.well().out, format!("Added MCP server 'files' to {path}.\n"));
    home.run(&["mcp", "add", "--transport", "http", "docs", "https://h/mcp", "--header", "X: y"])
        .well();
    home.run(&["mcp", "add", "files", "--", "other"]).well();
    assert_eq!(
        file(&home),
        json!({"mcpServers": {
            "files": {"command": "other", "args": []},
            "docs": {"url": "https://h/mcp", "transport": "http", "headers": {"X": "y"}},
        }})
    );
    assert_eq!(
        home.run(&["mcp", "list"]).well().out,
        format!("MCP config file: {path}\n  files (stdio): other\n  docs (http): https://h/mcp\n")
    );
    let removed = home.run(&["mcp", "remove", "files"]);
    assert_eq!(removed.well().out, format!("Removed MCP server 'files' from {path}.\n"));
    fails(&home.run(&["mcp", "remove", "files"]), 1, "MCP server 'files' not found.");
    fails(&home.run(&["mcp", "test", "files"]), 1, "MCP server 'files' not found.");
    home.run(&["mcp", "reset-auth", "docs"]).well();
    fails(&home.run(&["mcp", "auth", "docs"]), 1, "does not use OAuth");
    fails(&home.run(&["mcp"]), 2, "Usage: kimi mcp COMMAND");
}

#[test]
fn what_is_there_stays() {
    let home = Home::bare();
    home.write("share/mcp.json", r#"{"x": 1, "mcpServers": {"a": {"command": "c", "mine": [2]}}}"#);
    home.run(&["mcp", "add", "b", "--", "d"]).well();
    let file = file(&home);
    assert_eq!((&file["x"], &file["mcpServers"]["a"]["mine"]), (&json!(1), &json!([2])));
    home.write("share/mcp.json", "{\"token\": \"hunter2\",");
    for words in [&["mcp", "list"][..], &["mcp", "add", "b", "--", "d"], &["mcp", "remove", "a"]] {
        let ran = home.run(words);
        fails(&ran, 2, "Invalid JSON");
        assert!(!ran.err.contains("hunter2"));
    }
    assert_eq!(
        std::fs::read_to_string(home.path("share/mcp.json")).unwrap(),
        "{\"token\": \"hunter2\","
    );
}

#[test]
fn a_server_is_tested() {
    let http = HttpServer::start(Script::new());
    let home = Home::bare();
    let long = json!([{"name": "wordy", "description": "word ".repeat(40)}]);
    let entries = json!({"mcpServers": {
        "good": Script::new().raw_tools(long).entry(),
        "http": {"url": http.url("/mcp")},
        "bad": Script::new().start("exit").entry(),
    }});
    home.write("share/mcp.json", entries.to_string());
    let good = home.run(&["mcp", "test", "good"]);
    let out = &good.well().out;
    assert!(out.starts_with("Testing connection to 'good'...\n✓ Connected to 'good'\n  Available tools: 9\n  Tools:\n    - echo: Repeats a text.\n"), "{out}");
    let wordy = out.lines().find(|line| line.contains("wordy")).unwrap();
    assert!(wordy.ends_with("...") && wordy.len() == "    - wordy: ".len() + 50, "{wordy}");
    home.run(&["mcp", "test", "http"]).well();
    let bad = home.run(&["mcp", "test", "bad"]);
    fails(&bad, 1, "✗ Connection failed: ");
    fails(&bad, 1, "cannot open the database");
}

#[test]
fn a_project_is_trusted_by_command_and_asked_about_nowhere_else() {
    // The second run goes on until the server is there.
    let server = ModelServer::start(|_: &Recorded, n: usize| match n {
        1 => Reply::new().tool_call(
            "c",
            "Shell",
            r#"{"command":"until [ -e \"$TRACE\" ]; do sleep 0.05; done"}"#,
        ),
        _ => Reply::new().text("well"),
    });
    let home = Home::new(&server.url());
    let (trace, project) = (home.path("trace"), home.path("project/.mcp.json"));
    let home = home.var("TRACE", trace.display().to_string());
    let was_started = || std::fs::remove_file(&trace).is_ok();
    let entries = json!({"mcpServers": {
        "theirs": Script::new().log(&trace).entry(),
        "mine": {"command": "/nowhere"},
        "evil\u{1b}[2J": {"command": "x"},
    }});
    std::fs::write(&project, entries.to_string()).unwrap();
    home.write(
        "share/mcp.json",
        json!({"mcpServers": {"mine": {"command": "true", "enabled": false}}}).to_string(),
    );
    let ask = || home.run(&["--print", "-p", "hi"]);

    let ran = ask();
    assert!(ran.well().err.contains("nobody has agreed to them"), "{ran:?}");
    assert!(!was_started());
    let listed = home.run(&["mcp", "list"]);
    assert!(listed.well().out.contains("[not trusted - run: kimi mcp trust]"), "{listed:?}");

    let trusted = home.run(&["mcp", "trust"]);
    let out = &trusted.well().out;
    assert!(out.contains("Trusted until it changes: ") && out.contains("runs /nowhere"), "{out}");
    assert!(!out.contains('\u{1b}'));
    let ran = ask();
    assert!(ran.well().err.contains("MCP server mine of "), "{ran:?}");
    assert!(was_started());

    home.run(&["mcp", "untrust"]).well();
    ask().well();
    assert!(!was_started());
    std::fs::remove_file(&project).unwrap();
    fails(&home.run(&["mcp", "trust"]), 1, "has no MCP servers");
    std::fs::write(&project, "{").unwrap();
    fails(&home.run(&["mcp", "trust"]), 1, "invalid JSON");
}

#[test]
fn what_a_command_of_print_mode_comes_to_is_its_status() {
    let model = ModelServer::start(|_: &Recorded, _| Reply::new().text("unasked"));
    let home = Home::new(&model.url());
    let servers = json!({"mcpServers": {
        "good": Script::new().entry(),
        "none": {"command": "/no/such/program"},
        "bad": {"command": 7},
    }});
    home.write("share/mcp.json", servers.to_string());
    let run = |command: &str| home.run(&["--print", "-p", command]);
    let ran = run("/mcp reconnect good");
    assert!(ran.well().out.contains("The MCP server good is connected: 8 tools."), "{ran:?}");
    assert!(run("/mcp disable good").well().out.contains("good is off for this session."));
    fails(&run("/mcp enable nope"), 1, "There is no MCP server \"nope\"");
    fails(&run("/mcp reconnect none"), 1, "MCP server none is not connected: the command");
    fails(&run("/mcp reconnect bad"), 1, "MCP server bad is not connected: ");
    fails(&run("/mcp dance"), 1, "use /mcp, /mcp reconnect");
    assert_eq!(model.requests().len(), 0);
}
