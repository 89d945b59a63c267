//! Resources of servers that a message names, in print mode and in the composer's menu.

use serde_json::{Value, json};

use super::server::Script;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;
use crate::support::screen::is_idle;
use crate::tui::world::{Kimi, World};

fn resources() -> Value {
    json!([
        {"uri": "lab://notes/today", "name": "notes", "title": "Notes of\u{1b}[2J today"},
        {"uri": "lab://a b\u{1b}", "name": "odd"},
        {"uri": "lab://huge"}, {"no": "uri"}, 5,
    ])
}

/// What the model gets of this message, and what the person is told besides the answer.
fn sent(message: &str) -> (String, String) {
    let model = ModelServer::start(vec![Reply::new().text("answered")]);
    let home = Home::new(&model.url());
    let mut hasty = Script::new().resources(resources()).entry();
    hasty["timeout"] = json!(300);
    let servers = json!({"mcpServers": {
        "lab": Script::new().resources(resources()).entry(),
        "hasty": hasty,
        "dead": Script::new().start("exit").entry(),
    }});
    home.write("share/mcp.json", servers.to_string());
    home.write("project/lab:real", "a file");
    let ran = home.run(&["--print", "-p", message]);
    ran.well();
    assert!(ran.out.contains("answered") && !ran.out.contains('\u{1b}'), "{ran:?}");
    let request = &model.requests()[0];
    let messages = request.body["messages"].as_array().unwrap();
    let user = messages.iter().rfind(|message| message["role"] == "user").unwrap();
    (user["content"].to_string(), ran.err)
}

#[test]
fn what_a_message_names_comes_with_it() {
    let (got, told) = sent("compare @lab:lab://notes/today, (@lab:lab://b) and @lab:lab://sly");
    assert!(got.contains("compare @lab:lab://notes/today, (@lab:lab://b) and"), "{got}");
    assert!(got.contains("CONTENT OF lab://notes/today\\n</mcp-resource>"), "{got}");
    assert!(got.contains("CONTENT OF lab://b\\n"), "{got}");
    // A foreign text neither leaves its block nor names another resource.
    assert_eq!(got.matches("</mcp-resource>").count(), 3, "{got}");
    assert!(!got.contains("could not be read") && !told.contains("could not be read"));
    let (got, _) = sent("sum up @lab:lab://huge @lab:lab://zip @lab:lab://picture");
    assert!(got.len() < 60_000 && got.contains("FIRST") && got.contains("LAST"));
    assert!(got.contains("application/zip") && got.contains("does not take pictures"), "{got}");
}

#[test]
fn a_message_is_not_lost_to_a_resource() {
    let line = "look: @lab:lab://gone @hasty:lab://hang @dead:lab://x @nobody:lab://y";
    let (got, told) = sent(line);
    assert!(got.contains("look: @lab:lab://gone"), "{got}");
    for why in [
        "[@lab:lab://gone could not be read: no such shelf]",
        "[@hasty:lab://hang could not be read: the server gave no answer within 0.3 s]",
        "[@dead:lab://x could not be read: the server is not connected",
        "[@nobody:lab://y could not be read: there is no such MCP server]",
    ] {
        assert!(got.contains(why), "{why}: {got}");
        assert!(told.contains(why), "{why}: {told}");
    }
}

#[test]
fn what_is_no_resource_stays_as_it_is() {
    let line = "mail me@lab:x or @npm:react, read @lab:real and @src/a:b";
    let (got, _) = sent(line);
    assert_eq!(got, json!(line).to_string());
}

/// The screen, its server connected.
fn with_lab(world: &World) -> Kimi {
    let servers = json!({"mcpServers": {"lab": Script::new().resources(resources()).entry()}});
    std::fs::write(world.share().join("mcp.json"), servers.to_string()).unwrap();
    let mut kimi = world.start(&[]);
    kimi.send("/mcp\r");
    kimi.wait_text("MCP servers: 1/1 connected");
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi
}

/// The server never answers: what is told is told while the message waits, and Esc ends the wait.
#[test]
fn who_waits_for_a_resource_is_told_what_for() {
    let world = World::new(|_: &Recorded, _| Reply::new().text("answered"));
    let mut kimi = with_lab(&world);
    kimi.send("sum up @lab:lab://hang\r");
    kimi.wait_text("Waiting for the answer of a server to @lab:lab://hang");
    kimi.send("\x1b");
    kimi.wait_for_rows("the prompt", is_idle);
}

#[test]
fn the_menu_has_the_resources_behind_the_files() {
    let world = World::new(|request: &Recorded, _| {
        Reply::new().text(format!("got {}", request.last_user_text()))
    });
    world.file("labels.txt", "x");
    let mut kimi = with_lab(&world);
    kimi.send("read @lab");
    let both = ["› labels.txt", "lab:lab://notes/today  Notes of today"];
    let at = |rows: &[String], text: &str| rows.iter().position(|row| row.contains(text));
    let all = |rows: &[String]| both.iter().all(|text| at(rows, text).is_some());
    let rows = kimi.wait_for_rows("files and resources", all);
    assert!(at(&rows, both[0]) < at(&rows, both[1]), "{rows:?}");
    kimi.send("://not");
    kimi.wait_text("› lab:lab://notes/today");
    kimi.send("\t");
    kimi.wait_text("read @lab:lab://notes/today");
    kimi.send("now\r");
    kimi.wait_text("CONTENT OF lab://notes/today");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("@lab:lab://a");
    kimi.wait_text("› lab:lab://a b");
    kimi.send("\t");
    kimi.wait_text("@\"lab:lab://a b\\x1b\"");
}
