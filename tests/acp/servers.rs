//! MCP servers that an editor gives to a session.

use serde_json::{Value, json};

use super::editor::Editor;
use crate::mcp::authority::{Authority, say_yes};
use crate::mcp::elicit::last_result;
use crate::mcp::lifecycle::{is_gone, wait_until};
use crate::mcp::server::{HttpServer, Script};
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// An entry of a configuration as the protocol has it.
pub fn given(name: &str, entry: Value) -> Value {
    let pairs = |value: &Value| -> Vec<Value> {
        let map = value.as_object().unwrap();
        map.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    json!({"name": name, "command": entry["command"], "args": entry["args"], "env": pairs(&entry["env"])})
}

/// A model that calls `echo` of these servers, one after the other, and ends.
fn calling(servers: &'static [&'static str]) -> ModelServer {
    ModelServer::start(move |_: &Recorded, index| match servers.get(index) {
        Some(server) => {
            let call = json!({"name": format!("{server}.echo"), "arguments": {"text": "hello"}});
            Reply::new().tool_call(&format!("c{index}"), "mcp_call", &call.to_string())
        }
        None => Reply::new().text("done"),
    })
}

#[test]
fn every_transport_works_and_ends_with_the_session() {
    let server = calling(&["own", "given", "http", "old"]);
    let home = Home::new(&server.url());
    let log = home.path("given.log");
    let http = HttpServer::start(Script::new());
    home.write("share/mcp.json", json!({"mcpServers": {"own": Script::new().entry()}}).to_string());
    let mut editor = Editor::ready(&home, &["--yolo"]);
    let script = Script::new().log(&log);
    let session = editor.session_with(
        &home,
        json!([
            given("given", script.entry()),
            {"type": "http", "name": "http", "url": http.url("/mcp"), "headers": []},
            {"type": "sse", "name": "old", "url": http.url("/sse"), "headers": []},
            {"name": "broken", "command": "/no/such/program", "args": [], "env": []},
            {"name": "nonsense"},
        ]),
    );
    let prompt = editor.prompt(&session, "call them");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let results: Vec<Value> = editor
        .updates()
        .into_iter()
        .filter(|update| update["status"] == "completed" || update["status"] == "failed")
        .collect();
    assert_eq!(results.len(), 4);
    for result in &results {
        assert_eq!(result["status"], "completed", "{result}");
        assert!(result["content"].to_string().contains("hello"), "{result}");
    }
    let pid: i32 = std::fs::read_to_string(log.with_extension("pid")).unwrap().parse().unwrap();
    assert!(!is_gone(pid));
    editor.ask("session/close", json!({"sessionId": session}));
    wait_until("the server is gone", || is_gone(pid));
    editor.finish();
}

#[test]
fn servers_end_with_the_editor() {
    let server = calling(&["given"]);
    let home = Home::new(&server.url());
    let log = home.path("given.log");
    let mut editor = Editor::ready(&home, &["--yolo"]);
    let entry = Script::new().log(&log).start("stubborn").entry();
    let session = editor.session_with(&home, json!([given("given", entry)]));
    let prompt = editor.prompt(&session, "call it");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let pid: i32 = std::fs::read_to_string(log.with_extension("pid")).unwrap().parse().unwrap();
    assert!(!is_gone(pid));
    editor.finish();
    wait_until("the server is gone", || is_gone(pid));
}

#[test]
fn servers_that_are_not_there_are_told_once_and_not_in_an_answer() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("done"));
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session_with(
        &home,
        json!([
            given("good", Script::new().entry()),
            {"name": "broken", "command": "/no/such/program", "args": [], "env": []},
            {"name": "nonsense"},
        ]),
    );
    let told = editor.update("agent_message_chunk")["content"]["text"].to_string();
    assert!(told.contains("MCP server broken is not connected: "), "{told}");
    assert!(told.contains("MCP server nonsense: "), "{told}");
    assert!(!told.contains("good"), "{told}");
    for _ in 0..2 {
        let prompt = editor.prompt(&session, "hello");
        assert_eq!(editor.stopped(prompt), "end_turn");
    }
    assert_eq!(editor.said("agent_message_chunk").matches("nonsense").count(), 1);
    assert!(editor.said("agent_message_chunk").ends_with("donedone"));
    editor.finish();
}

#[test]
fn an_approval_shows_what_a_tool_is_called_with() {
    let server = ModelServer::start(|_: &Recorded, index| match index {
        0 => {
            let call = json!({"name": "given.echo", "arguments": {"text": "a secret word"}});
            Reply::new().tool_call("c0", "mcp_call", &call.to_string())
        }
        _ => Reply::new().text("done"),
    });
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session_with(&home, json!([given("given", Script::new().entry())]));
    let prompt = editor.prompt(&session, "call it");
    let (id, asked) = editor.called("session/request_permission");
    let shown = asked["toolCall"]["content"].to_string();
    assert!(shown.contains("given") && shown.contains("a secret word"), "{asked}");
    // What an approval covers is one tool of one server.
    let session = &asked["options"][1];
    assert_eq!(session["kind"], "allow_always");
    assert_eq!(session["name"], "Approve for this session: mcp:given:echo");
    editor.select(&id, "reject");
    editor.stopped(prompt);
    editor.finish();
}

#[test]
fn hostile_names_of_servers_are_told_in_short_lines() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("done"));
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let mut servers: Vec<Value> = (0..40).map(|n| json!({"name": format!("bad{n}")})).collect();
    servers.insert(0, json!({"name": "x".repeat(10_000)}));
    servers.insert(1, json!({"name": "a\u{1b}[31m\nforged\u{202e} line"}));
    editor.session_with(&home, Value::Array(servers));
    let told = editor.update("agent_message_chunk")["content"]["text"].as_str().unwrap().to_owned();
    assert!(told.len() < 4_000, "{} bytes", told.len());
    let lines = told.trim().lines().count();
    assert!(lines <= 9 && !told.contains('\u{1b}') && !told.contains('\u{202e}'), "{told:?}");
    assert!(told.contains("The same goes for 34 more."), "{told}");
    editor.finish();
}

/// The commands of an update, as names with what may follow them.
fn commands(update: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = update["availableCommands"].as_array().unwrap().iter();
    all.map(|it| (text(&it["name"]), text(&it["input"]["hint"]))).collect()
}

/// Waits until the commands are such.
#[track_caller]
fn commands_until(
    editor: &mut Editor,
    fits: impl Fn(&[(String, String)]) -> bool,
) -> Vec<(String, String)> {
    loop {
        let last = |it: &&Value| it["sessionUpdate"] == "available_commands_update";
        let told = editor.updates().iter().rfind(last).map(commands).unwrap_or_default();
        if fits(&told) {
            return told;
        }
        editor.next();
    }
}

#[test]
fn prompts_of_servers_are_commands() {
    let server = ModelServer::start(|request: &Recorded, index| match index {
        0 => Reply::new().text(request.last_user_text()),
        1 => Reply::new().tool_call("c1", "mcp_call", r#"{"name":"lab.grow","arguments":{}}"#),
        _ => Reply::new().text("done"),
    });
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &["--yolo"]);
    let prompts = json!([{"name": "review", "description": "Looks at\u{1b}[2J a change.",
        "arguments": [{"name": "number", "required": true}, {"name": "wish"}]}]);
    let lab = given("lab", Script::new().prompts(prompts).entry());
    let session = editor.session_with(&home, json!([lab]));
    let is_told = |name: &'static str| {
        move |all: &[(String, String)]| all.iter().any(|(command, _)| command == name)
    };
    let all = commands_until(&mut editor, is_told("lab:review"));
    let told = editor.updates().iter().map(Value::to_string).collect::<String>();
    assert!(told.contains("Looks at a change.") && !told.contains("u001b"), "{told}");
    let own = (all.iter().any(|(name, _)| name == "compact"), all.last().unwrap());
    assert_eq!(own, (true, &("lab:review".to_owned(), "<number> [wish]".to_owned())));
    let prompt = editor.prompt(&session, "/lab:review 7");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let said = editor.said("agent_message_chunk");
    assert!(said.contains(r#"PROMPT review WITH {"number":"7"}"#), "{said}");
    let prompt = editor.prompt(&session, "grow");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let all = commands_until(&mut editor, is_told("lab:grown"));
    assert!(!is_told("lab:review")(&all), "{all:?}");
    editor.finish();
}

#[test]
fn how_servers_stand_can_be_asked() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("done"));
    let home = Home::new(&server.url());
    let locked = HttpServer::start(Script::new().start("locked"));
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session_with(
        &home,
        json!([
            given("good", Script::new().entry()),
            {"type": "http", "name": "locked", "url": locked.url("/mcp"), "headers": []},
            {"name": "broken", "command": "/no/such/program", "args": [], "env": []},
            {"name": "nonsense"},
        ]),
    );
    let told = |editor: &mut Editor, command: &str| {
        let before = editor.said("agent_message_chunk").len();
        let prompt = editor.prompt(&session, command);
        assert_eq!(editor.stopped(prompt), "end_turn");
        editor.said("agent_message_chunk")[before..].to_owned()
    };
    // Nobody is told to change what is not there.
    let line = |said: &str, name: &str| {
        let line = said.lines().find(|line| line.contains(&format!("**{name}**")));
        line.unwrap_or_else(|| panic!("{name}: {said}")).to_owned()
    };
    wait_until("the servers have settled", || {
        let said = told(&mut editor, "/mcp");
        line(&said, "good").contains("connected, 8 tools: `echo`")
            && line(&said, "locked").contains("needs authorization")
            && line(&said, "broken").contains("failed")
    });
    let said = told(&mut editor, "/mcp");
    assert!(said.contains("MCP servers: 1 of 4 connected, 8 tools."), "{said}");
    assert!(line(&said, "nonsense").contains("command: expected text"), "{said}");
    let editors = "in the settings of your editor";
    for name in ["locked", "broken"] {
        let line = line(&said, name);
        assert!(
            line.contains(editors) && line.contains(&format!("/mcp reconnect {name}")),
            "{line}"
        );
    }
    for wrong in ["mcp.json", "mcp auth locked"] {
        assert!(!editor.said("agent_message_chunk").contains(wrong), "{said}");
    }
    let said = told(&mut editor, "/mcp login locked");
    assert!(
        said.contains("give it a header with a token in the settings of your editor"),
        "{said}"
    );
    assert!(told(&mut editor, "/mcp disable good").contains("good is off"));
    wait_until("it is off", || {
        line(&told(&mut editor, "/mcp"), "good").contains("off. `/mcp enable")
    });
    assert!(told(&mut editor, "/mcp enable none").contains("There is no MCP server \"none\""));
    let again = told(&mut editor, "/mcp enable good");
    assert!(again.contains("good is connected: 8 tools."), "{again}");
    let again = told(&mut editor, "/mcp reconnect broken");
    assert!(again.contains("MCP server broken is not connected: "), "{again}");
    // An entry that is none fails as the list has it.
    let nonsense = told(&mut editor, "/mcp reconnect nonsense");
    assert!(nonsense.contains("nonsense is not connected: command: expected text"), "{nonsense}");
    assert!(told(&mut editor, "/mcp dance").contains("use /mcp"));
    assert_eq!(server.requests().len(), 0);
    editor.finish();
}

#[test]
fn escape_sequences_of_tools_do_not_reach_the_editor() {
    let server = ModelServer::start(|_: &Recorded, index| match index {
        0 => {
            let text = "\u{1b}[31mred\u{1b}[0m\u{7}\u{202e}end";
            let call = json!({"name": "lab.echo", "arguments": {"text": text}});
            Reply::new().tool_call("c0", "mcp_call", &call.to_string())
        }
        1 => {
            let command = r"printf '\033[32mgreen\033[0m\001 10%%\r20%%\n'; sleep 1";
            Reply::new().tool_call("c1", "Shell", &json!({"command": command}).to_string())
        }
        _ => Reply::new().text("done"),
    });
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &["--yolo"]);
    let lab = given("lab", Script::new().entry());
    let session = editor.session_with(&home, json!([lab]));
    let prompt = editor.prompt(&session, "go");
    assert_eq!(editor.stopped(prompt), "end_turn");
    let shown: Vec<String> = editor
        .updates()
        .iter()
        .filter(|update| update["sessionUpdate"] == "tool_call_update")
        .filter_map(|update| update["content"][0]["content"]["text"].as_str())
        .map(str::to_owned)
        .collect();
    assert!(shown.iter().any(|text| text.contains("red<U+202E>end")), "{shown:?}");
    assert!(shown.iter().any(|text| text.contains("20%")), "{shown:?}");
    for text in &shown {
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
    editor.finish();
}

#[test]
fn an_open_session_takes_the_servers_that_are_brought_anew() {
    let server = ModelServer::start(|request: &Recorded, index| match index {
        0 => Reply::new().tool_call("c0", "Shell", r#"{"command":"true"}"#),
        1 => Reply::new().text("done"),
        2 => {
            let call = r#"{"name":"new.echo","arguments":{"text":"hello"}}"#;
            Reply::new().tool_call("c1", "mcp_call", call)
        }
        _ => Reply::new().text(format!("<{}>", last_result(request))),
    });
    let home = Home::new(&server.url());
    let mut editor = Editor::ready(&home, &[]);
    let (old_log, new_log) = (home.path("old.log"), home.path("new.log"));
    let both = [("old", &old_log), ("new", &new_log)];
    let [old, new] = both.map(|(name, log)| json!([given(name, Script::new().log(log).entry())]));
    let pid = |log: &std::path::Path| -> i32 {
        let text = std::fs::read_to_string(log.with_extension("pid")).unwrap_or_default();
        text.parse().unwrap_or(0)
    };
    let session = editor.session_with(&home, old.clone());
    wait_until("the old server is there", || pid(&old_log) != 0);
    let load = |servers: &Value| json!({"sessionId": session, "cwd": home.path("project"), "mcpServers": servers});
    // Not in the middle of a turn, which may be calling them; the same ones are no matter.
    let prompt = editor.prompt(&session, "go");
    let (id, _) = editor.called("session/request_permission");
    let refused = editor.refused("session/resume", load(&new));
    assert!(
        refused["data"]["error"].as_str().unwrap().contains("a prompt is running"),
        "{refused}"
    );
    assert_eq!(editor.ask("session/resume", load(&old))["sessionId"], json!(session));
    editor.select(&id, "approve");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(!is_gone(pid(&old_log)));
    assert_eq!(editor.ask("session/load", load(&new))["sessionId"], json!(session));
    wait_until("the old server is gone", || is_gone(pid(&old_log)));
    let prompt = editor.prompt(&session, "call it");
    let (id, _) = editor.called("session/request_permission");
    editor.select(&id, "approve");
    assert_eq!(editor.stopped(prompt), "end_turn");
    assert!(editor.said("agent_message_chunk").contains("<hello"), "{:?}", editor.updates());
    // Who says nothing of servers changes none.
    let silent = json!({"sessionId": session, "cwd": home.path("project")});
    editor.ask("session/resume", silent);
    assert!(!is_gone(pid(&new_log)));
    editor.finish();
}

#[test]
fn a_person_logs_in_to_a_server_without_leaving_the_editor() {
    let model = ModelServer::start(|_: &Recorded, _| Reply::new().text("unasked"));
    let authority = Authority::new(json!({}));
    let far = HttpServer::behind(&authority);
    let home = Home::new(&model.url()).var("BROWSER", "true");
    let servers = json!({"mcpServers": {"far": {"url": far.url("/mcp"), "auth": "oauth"}}});
    home.write("share/mcp.json", servers.to_string());
    let mut editor = Editor::ready(&home, &[]);
    let session = editor.session(&home);
    let told = |editor: &mut Editor, text: &str| {
        let before = editor.said("agent_message_chunk").len();
        let prompt = editor.prompt(&session, text);
        assert_eq!(editor.stopped(prompt), "end_turn");
        editor.said("agent_message_chunk")[before..].to_owned()
    };
    wait_until("it wants a login", || told(&mut editor, "/mcp").contains("`/mcp login far`"));
    let page = |editor: &mut Editor| loop {
        let said = editor.update("agent_message_chunk")["content"]["text"].clone();
        let link = said.as_str().unwrap().split_once("with the browser: <");
        if let Some((_, link)) = link {
            return link.split_once('>').unwrap().0.to_owned();
        }
    };
    // One that is cancelled leaves nothing.
    let prompt = editor.prompt(&session, "/mcp login far");
    page(&mut editor);
    editor.tell("session/cancel", json!({"sessionId": session}));
    assert_eq!(editor.stopped(prompt), "cancelled");
    let prompt = editor.prompt(&session, "/mcp login far");
    say_yes(&page(&mut editor));
    assert_eq!(editor.stopped(prompt), "end_turn");
    let said = editor.said("agent_message_chunk");
    assert!(said.contains("The MCP server far is connected: 8 tools."), "{said}");
    wait_until("it is connected", || told(&mut editor, "/mcp").contains("**far**: connected"));
    assert!(told(&mut editor, "/mcp auth nobody").contains("There is no MCP server"));
    assert_eq!(model.requests().len(), 0);
    editor.finish();
}
