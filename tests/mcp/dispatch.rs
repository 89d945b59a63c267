//! What requests have of the servers, on the wire of the real program and of the real encoder.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{HttpServer, Script};
use super::tools_text;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

fn system(request: &Recorded) -> String {
    request.body["messages"][0]["content"].as_str().unwrap_or_default().to_owned()
}

/// Searches and calls, then says what it was told.
fn finder(tool: &'static str) -> impl Fn(&Recorded, usize) -> Reply + Send + Sync + 'static {
    move |request: &Recorded, index: usize| match index {
        0 => Reply::new().tool_call("c1", "mcp_search", r#"{"query":"repeat a text"}"#),
        1 => {
            let arguments = json!({"name": tool, "arguments": {"text": "hello"}});
            Reply::new().tool_call("c2", "mcp_call", &arguments.to_string())
        }
        _ => {
            let last = request.body["messages"].as_array().unwrap().last().unwrap().clone();
            Reply::new().text(format!("it said {}", last["content"]))
        }
    }
}

/// Looks for the tools of each of these servers, which waits for them, and then calls and says so.
fn thorough(servers: &'static [&'static str]) -> impl Fn(&Recorded, usize) -> Reply + Send + Sync {
    move |request: &Recorded, index: usize| {
        let Some(server) = servers.get(index) else {
            return finder("echo")(request, (index - servers.len()) + 1);
        };
        let arguments = json!({"query": "repeat a text", "server": server});
        Reply::new().tool_call(&format!("s{index}"), "mcp_search", &arguments.to_string())
    }
}

fn run(entries: &Value, config: &str) -> (Vec<Recorded>, String, Home) {
    run_with(finder("echo"), entries, config)
}

fn run_with(
    model: impl Fn(&Recorded, usize) -> Reply + Send + Sync + 'static,
    entries: &Value,
    config: &str,
) -> (Vec<Recorded>, String, Home) {
    let server = ModelServer::start(model);
    let home = Home::new(&server.url());
    home.write("share/config.toml", format!("{}{config}", Home::config(&server.url())));
    home.write("share/mcp.json", json!({"mcpServers": entries}).to_string());
    let ran = home.run_long(&["--print", "--final-message-only", "-p", "say hello"]);
    ran.well();
    (server.requests(), ran.out, home)
}

#[test]
fn the_tools_of_a_request_are_the_same_for_one_and_for_a_thousand() {
    const DEFERRED: &str = "[mcp]\nmode = \"deferred\"\n";
    const SERVERS: [&str; 2] = ["s", "many"];
    let http = HttpServer::start(Script::new());
    let many = HttpServer::start(Script::new().more_tools(45));
    let mut one = json!({"s": {"url": http.url("/mcp")}});
    one["s"]["enabledTools"] = json!(["echo"]);
    let mut three = one.clone();
    three["many"] = json!({"url": many.url("/mcp")});
    three["many"]["disabledTools"] = json!(["echo"]);
    three["slow"] = Script::new().start("hang").entry();
    let thousand: serde_json::Map<String, Value> = (0..1000)
        .map(|n| (format!("server{n}"), json!({"url": "http://127.0.0.1:9/mcp"})))
        .chain(one.as_object().unwrap().clone())
        .collect();
    let runs: Vec<_> = [one, three, Value::Object(thousand)]
        .iter()
        .map(|entries| {
            let (requests, said, _home) = run_with(thorough(&SERVERS), entries, DEFERRED);
            assert!(said.contains("hello"), "{said}");
            requests
        })
        .collect();
    let first = tools_text(&runs[0][0]);
    for request in runs.iter().flatten() {
        assert_eq!(tools_text(request), first);
        let added = system(request).split("# MCP tools").nth(1).unwrap_or_default().to_owned();
        assert!(added.len() < 2_600 && added.lines().count() <= 22, "{} bytes", added.len());
    }
    for requests in &runs {
        // The first request waits for no server, the searches do: once all have come that will,
        // nothing before the newest message changes.
        let [.., before, last] = &requests[SERVERS.len()..] else { panic!("{}", requests.len()) };
        assert_eq!(system(before), system(last));
    }
    let without = {
        let (requests, ..) = run(&json!({}), DEFERRED);
        tools_text(&requests[0]).len()
    };
    let pair = first.len() - without;
    println!("the two tools take {pair} bytes");
    assert!(pair <= 1_200, "{pair} bytes");
    assert!(!first.contains("echo") && !first.contains("tool_0"));
}

#[test]
fn a_model_finds_and_calls_a_tool() {
    // It starts in earnest when the model is asked: until then the turn waits for it.
    let dir = tempfile::tempdir().unwrap();
    let asked = dir.path().join("asked");
    let entry = Script::new().entry_after(&asked);
    let model = move |request: &Recorded, index: usize| {
        std::fs::write(&asked, "").unwrap();
        finder("echo")(request, index)
    };
    let (requests, said, home) = run_with(model, &json!({"my srv": entry}), "");
    let found = requests[1].body["messages"].as_array().unwrap().last().unwrap().to_string();
    assert!(found.contains("mcp__my_srv__echo") && found.contains("text"), "{found}");
    assert!(said.contains("hello"), "{said}");
    let records = json_lines(&home.session().join("wire.jsonl"));
    let kinds: Vec<&str> =
        records.iter().filter_map(|record| record["message"]["type"].as_str()).collect();
    let at = |kind: &str| kinds.iter().position(|found| *found == kind);
    assert!(at("MCPLoadingBegin") < at("MCPLoadingEnd"), "{kinds:?}");
    assert!(at("MCPLoadingEnd") < at("TurnEnd"), "{kinds:?}");
    let statuses: Vec<&Value> = records
        .iter()
        .map(|record| &record["message"]["payload"]["mcp_status"])
        .filter(|status| status.is_object())
        .collect();
    let last = statuses.last().unwrap();
    assert_eq!(last["servers"][0]["status"], "connected");
    assert_eq!((&last["loading"], &last["total"]), (&json!(false), &json!(1)));
}

#[test]
fn direct_mode_lists_the_tools_themselves() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "mcp__s__echo", r#"{"text":"hi"}"#),
        Reply::new().text("done"),
    ]);
    let home = Home::new(&server.url());
    home.write(
        "share/config.toml",
        format!("{}[mcp]\nmode = \"direct\"\n", Home::config(&server.url())),
    );
    let entry = json!({"s": Script::new().entry()}).to_string();
    home.run(&["--print", "-p", "x", "--mcp-config", &entry]).well();
    let requests = server.requests();
    let tools = tools_text(&requests[0]);
    assert!(tools.contains("\"mcp__s__echo\"") && !tools.contains("mcp_call"), "{tools}");
    assert_eq!(tools, tools_text(&requests[1]));
    assert!(requests[1].raw.contains("\"hi\"") || requests[1].raw.contains("hi"));
}

#[test]
fn nothing_is_added_without_servers_and_bad_options_are_refused() {
    let (requests, _, home) = run(&json!({}), "");
    assert!(!requests[0].raw.contains("mcp_search"));
    let records = std::fs::read_to_string(home.session().join("wire.jsonl")).unwrap();
    assert!(!records.contains("MCPLoading"));
    let ran = home.run(&["--print", "-p", "x", "--mcp-config", r#"{"s": {"url": 7}}"#]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("--mcp-config: MCP server \"s\": url: expected a string"),
        "{}",
        ran.err
    );
    // A broken file of the user's is told and costs nothing else.
    home.write("share/mcp.json", "{\"token\": \"hunter2\", ");
    let server = ModelServer::start(vec![Reply::new().text("fine")]);
    home.write("share/config.toml", Home::config(&server.url()));
    let ran = home.run(&["--print", "-p", "x"]);
    ran.well();
    assert!(
        ran.err.contains("invalid JSON at line 1") && !ran.err.contains("hunter2"),
        "{}",
        ran.err
    );
}

/// A subagent finds and calls by itself; what its caller has been shown is not in its context, and a
/// type may leave servers out.
#[test]
fn a_subagent_has_the_servers_for_itself() {
    let reports = "Report: ".repeat(30);
    let server = ModelServer::start(move |request: &Recorded, _: usize| {
        let messages = request.body["messages"].as_array().unwrap();
        let results = messages.iter().filter(|message| message["role"] == "tool").count();
        let call = json!({"name": "echo", "arguments": {"text": "inside"}}).to_string();
        let agent = |kind: &str, id: &str| {
            let arguments = json!({"description": "d", "prompt": "TASK", "subagent_type": kind});
            Reply::new().tool_call(id, "Agent", &arguments.to_string())
        };
        match (messages[1]["content"].as_str() == Some("TASK"), results) {
            (true, 0) => Reply::new().tool_call("s1", "mcp_search", r#"{"query":"repeat a text"}"#),
            (true, 1) => Reply::new().tool_call("s2", "mcp_call", &call),
            (true, _) => {
                Reply::new().text(format!("{reports}{}", messages.last().unwrap()["content"]))
            }
            (false, 0) => agent("with", "c1"),
            (false, 1) => agent("without", "c2"),
            _ => Reply::new().text("done"),
        }
    });
    let home = Home::new(&server.url());
    let config = format!("{}[mcp]\nmode = \"deferred\"\n", Home::config(&server.url()));
    home.write("share/config.toml", config);
    let entries = json!({"s": Script::new().entry()});
    home.write("share/mcp.json", json!({"mcpServers": entries}).to_string());
    home.write("with.yaml", "agent:\n  extend: default\n  subagents:\n");
    home.write(
        "without.yaml",
        "agent:\n  extend: default\n  exclude_tools: [mcp_call]\n  subagents:\n",
    );
    let file = home.write(
        "agent.yaml",
        "agent:\n  extend: default\n  subagents:\n    with: {path: with.yaml, description: d}\n    \
         without: {path: without.yaml, description: d}\n",
    );
    let file = file.to_str().unwrap();
    let words = ["--print", "--output-format", "stream-json", "--agent-file", file, "-p", "go"];
    let ran = home.run(&words);
    let records = ran.well().records();
    let told: Vec<String> = records
        .iter()
        .filter(|it| it["role"] == "tool")
        .map(|it| it["content"].to_string())
        .collect();
    assert!(told[0].contains("inside"), "{told:?}");
    assert!(told[1].contains("Tool `mcp_call` not found"), "{told:?}");
    let has = |request: &Recorded| tools_text(request).contains("mcp_search");
    let inner: Vec<bool> = server
        .requests()
        .iter()
        .filter(|it| it.body["messages"][1]["content"].as_str() == Some("TASK"))
        .map(has)
        .collect();
    assert_eq!(inner, [true, true, true, false, false, false]);
}

#[test]
fn a_rule_that_forbids_a_tool_is_told_as_a_rule() {
    let denied = "[permission]\ndeny = [\"mcp__s__echo\"]\n[mcp]\nmode = \"deferred\"\n";
    let (requests, ..) = run(&json!({"s": Script::new().entry()}), denied);
    let told = requests[2].body["messages"].as_array().unwrap().last().unwrap().to_string();
    assert!(told.contains("permission rule `mcp__s__echo` forbids this"), "{told}");
    assert!(!told.contains("rejected") && !told.contains("User feedback"), "{told}");
}

#[test]
fn a_wrong_name_of_a_server_that_is_there_waits_for_no_other() {
    let (called, answered) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let (calls, answers) = (Arc::clone(&called), Arc::clone(&answered));
    let server = ModelServer::start(move |request: &Recorded, index: usize| match index {
        0 => Reply::new().tool_call("c0", "mcp_search", r#"{"query":"repeat a text"}"#),
        1 => {
            let call = json!({"name": "mcp__good__ecko", "arguments": {"text": "hello"}});
            calls.get_or_init(Instant::now);
            Reply::new().tool_call("c1", "mcp_call", &call.to_string())
        }
        _ => {
            answers.get_or_init(Instant::now);
            let last = request.body["messages"].as_array().unwrap().last().unwrap().clone();
            Reply::new().text(format!("it said {}", last["content"]))
        }
    });
    let home = Home::new(&server.url());
    let deferred = format!("{}[mcp]\nmode = \"deferred\"\n", Home::config(&server.url()));
    home.write("share/config.toml", deferred);
    let servers = json!({
        "good": Script::new().entry(),
        "hangs": Script::new().start("hang").entry(),
    });
    home.write("share/mcp.json", json!({"mcpServers": servers}).to_string());
    let ran = home.run(&["--print", "--final-message-only", "-p", "say hello"]);
    ran.well();
    assert!(ran.out.contains("echo"), "what was meant: {}", ran.out);
    // The wait for servers that start is twenty seconds.
    let took = answered.get().unwrap().duration_since(*called.get().unwrap());
    assert!(took < Duration::from_secs(15), "{took:?}");
}
