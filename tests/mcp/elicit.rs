//! Servers that ask the person in the middle of a call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{HttpServer, Script};
use super::world::World;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;
use crate::support::screen::is_idle;
use crate::tui::world::World as Screen;

fn form(properties: Value, required: &[&str]) -> Value {
    json!({"message": "Who\u{1b}[2J goes there?", "requestedSchema":
        {"type": "object", "properties": properties, "required": required}})
}

fn person() -> Value {
    form(
        json!({
            "name": {"type": "string", "minLength": 2, "title": "Your name"},
            "side": {"type": "string", "oneOf": [
                {"const": "f", "title": "Friend"}, {"const": "e", "title": "Enemy"}]},
        }),
        &["name"],
    )
}

fn yes_or_no() -> Value {
    form(json!({"ok": {"type": "boolean"}}), &["ok"])
}

/// What the server heard, where nobody answers.
async fn heard(params: Value, times: usize) -> Value {
    let world = World::new(json!({"lab": Script::new().asks(params.clone(), times).entry()}))
        .settled()
        .await;
    let said = world.mcp_call("ask", json!({})).await.output.text();
    serde_json::from_str(
        said.strip_prefix("HEARD ").unwrap_or_else(|| panic!("{said:?} after {params}")),
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_questions_is_declined() {
    assert_eq!(heard(yes_or_no(), 1_000).await, json!([{"action": "decline"}]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_form_is_refused_with_the_reason() {
    let nested = form(json!({"a": {"type": "object", "properties": {}}}), &[]);
    for (params, why) in [
        (nested, "not of a simple kind"),
        (json!({"message": "m", "requestedSchema": {"type": "string"}}), "no object"),
        (json!({"message": "m", "mode": "url", "url": "file:///etc/passwd"}), "address"),
        (json!({"nothing": 1}), "no message"),
        (json!(["m"]), "no message"),
        (json!({"message": 7, "requestedSchema": {"type": "object"}}), "no message"),
        (json!({"message": "m", "requestedSchema": "x"}), "no object"),
        (json!({"message": "m", "mode": 7}), "mode"),
        (form(json!({}), &["b"]), "requires a field"),
        (
            json!({"message": "m", "requestedSchema": {"type": "object", "required": "a"}}),
            "no list",
        ),
    ] {
        let answer = heard(params, 1).await;
        assert_eq!(answer[0]["code"], -32602, "{answer}");
        assert!(answer[0]["message"].as_str().unwrap().contains(why), "{answer}");
    }
}

/// At an address too: nothing that has an id is passed over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_in_place_of_parameters_is_refused_at_once_over_http() {
    let http = HttpServer::start(Script::new().asks(json!(["m"]), 1));
    let world = World::new(json!({"lab": {"url": http.url("/events")}})).settled().await;
    let refused = || {
        let mut seen = http.seen().into_iter();
        seen.any(|(_, body)| body.contains("\"id\":\"e0\"") && body.contains("-32602"))
    };
    let heard = async {
        while !refused() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = heard => {}
        said = world.mcp_call("ask", json!({})) => assert!(refused(), "{said:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_call_nobody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let server = Script::new().asks(yes_or_no(), 3).log(&log);
    let world = World::new(json!({"lab": server.entry()})).settled().await;
    assert_eq!(world.mcp_call("late", json!({})).await.output.text(), "done");
    let deadline = Instant::now() + super::world::PATIENCE;
    loop {
        let log = std::fs::read_to_string(&log).unwrap();
        // Right behind the result a question may still find the call; it is taken back with it.
        let noes = [r#""action":"decline""#, r#""action":"cancel""#];
        if noes.iter().map(|no| log.matches(no).count()).sum::<usize>() == 3 {
            break;
        }
        assert!(Instant::now() < deadline, "{log}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn without_a_person_the_ability_is_not_claimed_and_the_answer_is_no() {
    let model = ModelServer::start(|request: &Recorded, index| match index {
        0 => Reply::new().tool_call("c1", "mcp_call", r#"{"name":"lab.ask","arguments":{}}"#),
        _ => Reply::new().text(last_result(request)),
    });
    let home = Home::new(&model.url());
    let log = home.path("log");
    let servers =
        json!({"mcpServers": {"lab": Script::new().asks(yes_or_no(), 1).log(&log).entry()}});
    home.write("share/mcp.json", servers.to_string());
    let ran = home.run(&["--quiet", "-p", "go"]);
    assert!(ran.well().out.contains(r#"HEARD [{"action":"decline"}]"#), "{ran:?}");
    let log = std::fs::read_to_string(log).unwrap();
    let greeting = log.lines().find(|line| line.contains("\"initialize\"")).unwrap();
    assert!(!greeting.contains("elicitation"), "{greeting}");
}

#[test]
fn without_a_person_what_is_no_request_is_an_error_all_the_same() {
    let model = ModelServer::start(|request: &Recorded, index| match index {
        0 => Reply::new().tool_call("c1", "mcp_call", r#"{"name":"lab.ask","arguments":{}}"#),
        _ => Reply::new().text(last_result(request)),
    });
    let home = Home::new(&model.url());
    let entry = Script::new().asks(json!({"message": "m", "mode": "smoke"}), 1).entry();
    home.write("share/mcp.json", json!({"mcpServers": {"lab": entry}}).to_string());
    let ran = home.run(&["--quiet", "-p", "go"]);
    let told = &ran.well().out;
    assert!(told.contains("-32602") && told.contains("the mode is not known"), "{told}");
}

/// The newest result of a tool in a request.
pub fn last_result(request: &Recorded) -> String {
    let messages = request.body["messages"].as_array().unwrap();
    let tool = messages.iter().rfind(|message| message["role"] == "tool").unwrap();
    match &tool["content"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A screen on which each message of the person makes the model call `ask` of these servers.
fn screen(servers: Value, names: &'static [&'static str]) -> Screen {
    let world = Screen::new(move |request: &Recorded, index| {
        if index % 2 == 1 {
            return Reply::new().text(format!("result {}", last_result(request)));
        }
        names.iter().fold(Reply::new(), |reply, name| {
            let arguments = format!(r#"{{"name":"{name}.ask","arguments":{{}}}}"#);
            reply.tool_call(&format!("c{index}{name}"), "mcp_call", &arguments)
        })
    });
    let servers = json!({"mcpServers": servers});
    std::fs::write(world.share().join("mcp.json"), servers.to_string()).unwrap();
    world
}

#[test]
fn the_person_fills_in_the_form() {
    // Less time than the person takes.
    let mut lab = Script::new().asks(person(), 1).entry();
    lab["timeout"] = json!(1_500);
    let world = screen(json!({"lab": lab}), &["lab"]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.send("go\r");
    kimi.wait_text("MCP server lab asks: Who goes there?");
    kimi.wait_text("2 questions follow.");
    // That it is not cut short is what is to be seen: time has to pass.
    std::thread::sleep(Duration::from_millis(2_000));
    kimi.send("\r");
    kimi.wait_text("Your name (at least 2 characters)");
    kimi.send("x\r");
    kimi.wait_text("Friend");
    kimi.send("1");
    kimi.wait_text("! Not taken: it must be at least 2 characters.");
    kimi.send("Xenia\r");
    kimi.wait_text(r#"result HEARD [{"action":"accept","content":{"name":"Xenia","side":"f"}}]"#);
    kimi.wait_for_rows("the prompt", is_idle);
    // Declined, then not answered at all, then the whole turn stopped.
    kimi.send("again\r");
    kimi.wait_text("2 questions follow.");
    kimi.send("2");
    kimi.wait_text(r#"result HEARD [{"action":"decline"}]"#);
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("again\r");
    kimi.wait_text("2 questions follow.");
    kimi.send("\x1b");
    kimi.wait_text(r#"result HEARD [{"action":"cancel"}]"#);
    kimi.wait_for_rows("the prompt", is_idle);
}

#[test]
fn two_servers_are_answered_one_after_the_other() {
    let one = Script::new().asks(yes_or_no(), 1).entry();
    let world = screen(json!({"one": one, "two": one.clone()}), &["one", "two"]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.send("go\r");
    for _ in 0..2 {
        let rows = kimi.wait_text("Who goes there?");
        let asks = |rows: &[String], name: &str| {
            rows.iter().any(|row| row.contains(&format!("MCP server {name} asks")))
        };
        let (first, other) = if asks(&rows, "one") { ("one", "two") } else { ("two", "one") };
        assert!(!asks(&rows, other), "{rows:?}");
        kimi.send("1");
        kimi.wait_for_rows("another question or the end", |rows| !asks(rows, first));
    }
    kimi.wait_text(r#"result HEARD [{"action":"accept","content":{"ok":true}}]"#);
    kimi.wait_for_rows("the prompt", is_idle);
}

#[test]
fn one_escape_ends_a_flood_of_questions() {
    let world = screen(json!({"lab": Script::new().asks(yes_or_no(), 1_000).entry()}), &["lab"]);
    let mut kimi = world.start(&["--yolo"]);
    kimi.send("go\r");
    kimi.wait_text("Who goes there?");
    kimi.send("\x1b");
    kimi.wait_text("• result HEARD");
    let rows = kimi.wait_for_rows("the prompt", is_idle);
    let told: String = rows.iter().map(|row| row.trim()).collect();
    assert!(told.contains("cancel") && !told.contains("accept"), "{told}");
}
