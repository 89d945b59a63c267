//! Prompts of servers as commands: in print mode, and in the menu of the screen.

use serde_json::{Value, json};

use super::server::Script;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;
use crate::support::screen::is_idle;
use crate::tui::world::World;

fn prompts() -> Value {
    json!([
        {"name": "review", "description": "Looks at\u{1b}[2J a change.", "arguments": [
            {"name": "number", "required": true, "description": "Which one."},
            {"name": "wish"},
        ]},
        {"name": "talk"}, {"name": "huge"}, {"name": "hang"}, {"name": "fail"}, {"name": "empty"},
        {"name": "odd name\u{1b}[31m"}, {"nameless": 1}, 5,
    ])
}

struct Bench {
    model: ModelServer,
    home: Home,
}

impl Bench {
    fn new() -> Self {
        let model = ModelServer::start(|_: &Recorded, _| Reply::new().text("answered"));
        let home = Home::new(&model.url());
        let mut hasty = Script::new().prompts(prompts()).entry();
        hasty["timeout"] = json!(300);
        let servers = json!({"mcpServers": {
            "lab": Script::new().prompts(prompts()).page(2).entry(),
            "hasty": hasty,
        }});
        home.write("share/mcp.json", servers.to_string());
        Self { model, home }
    }

    /// What is printed, and what the model got as the last message of the user, if it got one.
    fn print(&self, line: &str) -> (String, Option<Value>) {
        let before = self.model.requests().len();
        let ran = self.home.run(&["--quiet", "-p", line]);
        ran.well();
        let requests = self.model.requests();
        let sent = requests.get(before).map(|request| {
            let messages = request.body["messages"].as_array().unwrap();
            messages.iter().rfind(|message| message["role"] == "user").unwrap()["content"].clone()
        });
        (ran.out, sent)
    }
}

#[test]
fn a_prompt_becomes_the_message() {
    let bench = Bench::new();
    let (out, sent) = bench.print("/lab:review 7 be kind  please");
    assert_eq!(out, "answered\n");
    let told = r#"PROMPT review WITH {"number":"7","wish":"be kind  please"}"#;
    assert!(sent.unwrap().to_string().contains(&told.replace('"', "\\\"")));
    let (_, sent) = bench.print("/mcp__lab__review wish=w 8");
    assert!(sent.unwrap().to_string().contains(r#"{\"wish\":\"w\",\"number\":\"8\"}"#));
    let sent = bench.print("/lab:talk").1.unwrap().to_string();
    for part in ["PING", "<assistant-message", "PONG", "EMBEDDED", "does not take them"] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    let sent = bench.print("/lab:huge").1.unwrap().to_string();
    assert!(sent.len() < 60_000 && sent.contains("FIRST") && sent.contains("LAST"));
    let sent = bench.print("/lab:odd_name_31m").1.unwrap().to_string();
    assert!(sent.contains("PROMPT odd name"), "{sent}");
}

#[test]
fn what_cannot_be_a_message_is_told_and_nothing_is_sent() {
    let bench = Bench::new();
    for (line, told) in [
        (
            "/lab:review",
            "/lab:review needs <number>: Which one. Usage: /lab:review <number> [wish]",
        ),
        ("/lab:talk more", "/lab:talk takes no arguments."),
        ("/lab:fail", "the printer is out of paper. Nothing was sent."),
        ("/lab:empty", "it is empty. Nothing was sent."),
        ("/hasty:hang", "no answer within 0.3 s. Nothing was sent."),
        ("/lab:nothing", "Unknown slash command \"/lab:nothing\"."),
        ("/elsewhere:review 1", "Unknown slash command"),
    ] {
        let (out, sent) = bench.print(line);
        assert!(out.contains(told) && !out.contains('\u{1b}'), "{line}: {out}");
        assert_eq!(sent, None, "{line}");
    }
}

#[test]
fn the_menu_has_the_prompts_as_they_come() {
    let world = World::new(|request: &Recorded, index| match index {
        0 => Reply::new().text(format!("got {}", request.last_user_text())),
        1 => Reply::new().tool_call("c1", "mcp_call", r#"{"name":"lab.grow","arguments":{}}"#),
        _ => Reply::new().text("well"),
    });
    let servers = json!({"mcpServers": {
        "lab": Script::new().prompts(prompts()).entry(),
        "many": Script::new().prompts(json!([])).more_prompts(10_000).page(500).entry(),
        "skill": Script::new().prompts(json!([{"name": "x"}])).entry(),
    }});
    std::fs::write(world.share().join("mcp.json"), servers.to_string()).unwrap();
    let mut kimi = world.start(&["--yolo"]);
    // It is typed before the servers are there: the rows come by themselves.
    kimi.send("/lab:re");
    let rows = kimi.wait_text("<number> [wish] · Looks at a change.");
    assert!(rows.iter().any(|row| row.contains("› /lab:review")), "{rows:?}");
    kimi.send("\t");
    // The name is whole, and the menu closes.
    kimi.wait_gone("Looks at a change.");
    kimi.send("42\r");
    kimi.wait_text("got PROMPT review WITH {\"number\":\"42\"}");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/many:p999");
    kimi.wait_text("› /many:p999");
    kimi.send("\x15/mcp-sk");
    kimi.wait_text("/mcp-skill:x");
    kimi.send("\x15go\r");
    kimi.wait_text("well");
    kimi.wait_for_rows("the prompt", is_idle);
    kimi.send("/lab:");
    kimi.wait_text("/lab:grown");
    assert!(!kimi.rows().iter().any(|row| row.contains("Looks at")), "{:?}", kimi.rows());
}
