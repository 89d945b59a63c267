//! `initialize`, and what it decides.

use serde_json::{Value, json};

use super::client::Client;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

/// The tools that a request offers.
fn offered(request: &Recorded) -> Vec<String> {
    let tools = request.body["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_first_line_is_the_answer_and_has_every_field() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let hooks = "[[hooks]]\nevent = \"SessionStart\"\ncommand = \"true\"\n";
    home.write("share/config.toml", Home::config("http://127.0.0.1:9/v1") + hooks);
    let mut client = Client::start(&home, &[]);
    let result = client.initialize(json!({
        "hooks": [{"id": "h", "event": "PreToolUse"}, {"id": "i", "event": "NoSuchEvent"}],
    }));
    assert_eq!(client.seen.len(), 1, "nothing goes before it: {:?}", client.seen);
    let keys: Vec<&String> = result.as_object().unwrap().keys().collect();
    let expected = ["protocol_version", "server", "slash_commands", "hooks", "capabilities"];
    assert_eq!(keys, expected);
    assert_eq!(result["protocol_version"], "1.10");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(result["server"], json!({"name": "Kimi Code CLI", "version": version}));
    let commands = result["slash_commands"].as_array().unwrap();
    let names: Vec<&str> = commands.iter().map(|it| it["name"].as_str().unwrap()).collect();
    for name in ["init", "compact", "clear", "yolo", "afk", "plan", "add-dir", "export", "import"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("skill:")), "{names:?}");
    let clear = commands.iter().find(|it| it["name"] == "clear").unwrap();
    assert_eq!(clear["aliases"], json!(["reset"]));
    assert!(commands.iter().all(|it| it["description"].is_string() && it["aliases"].is_array()));
    assert_eq!(result["hooks"]["supported_events"].as_array().unwrap().len(), 13);
    assert_eq!(result["hooks"]["configured"], json!({"PreToolUse": 1, "SessionStart": 1}));
    assert_eq!(result["capabilities"], json!({"supports_question": true}));
    // It may be said again, and subscriptions add up.
    let again = client.initialize(json!({"hooks": [{"id": "h", "event": "PreToolUse"}]}));
    assert_eq!(again["hooks"]["configured"]["PreToolUse"], 2);
    assert_eq!(client.finish(), "", "an empty session leaves nothing to resume");
    assert_eq!(home.sessions(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_the_client_shows_decides_what_the_model_is_offered() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let asking = ["AskUserQuestion", "EnterPlanMode", "ExitPlanMode"];
    let mut client = Client::start(&home, &[]);
    let offers = |client: &mut Client| {
        let id = client.prompt("x");
        assert_eq!(client.result(&id), json!({"status": "finished"}));
        let requests = server.requests();
        let offered = offered(requests.last().unwrap());
        asking.map(|tool| offered.iter().any(|name| name == tool))
    };
    // Whoever says nothing has them all.
    assert_eq!(offers(&mut client), [true; 3]);
    client.initialize(json!({"capabilities": null}));
    assert_eq!(offers(&mut client), [false; 3]);
    client.initialize(json!({"capabilities": {"supports_question": true}}));
    assert_eq!(offers(&mut client), [true, false, false]);
    // Not said anew, it stays.
    client.initialize(json!({"capabilities": null}));
    assert_eq!(offers(&mut client), [true, false, false]);
    client.initialize(json!({}));
    assert_eq!(offers(&mut client), [true; 3]);
    client.finish();
}

#[test]
fn the_provider_hears_who_drives_us() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let mut client = Client::start(&home, &["--no-thinking"]);
    for (hello, expected) in [
        (None, String::new()),
        (Some(json!({})), " (lab 0.1)".to_owned()),
        (Some(json!({"client": {"name": "näme\nX: y"}})), " (nmeX: y)".to_owned()),
    ] {
        if let Some(hello) = hello {
            client.initialize(hello);
        }
        let id = client.prompt("x");
        client.result(&id);
        let requests = server.requests();
        let agent = requests.last().unwrap().header("user-agent").unwrap();
        assert_eq!(agent, format!("KimiCLI/{}{expected}", env!("CARGO_PKG_VERSION")));
    }
    client.finish();
}

#[test]
fn other_names_serve_the_wire_too() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    for name in ["hero_kimi_agent", "kimi-agent"] {
        let link = home.path(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kimi"), &link).unwrap();
        let mut like = home.command(&["--session", "one"]);
        let mut command = std::process::Command::new(&link);
        command.args(like.get_args()).current_dir(like.get_current_dir().unwrap()).env_clear();
        command.envs(like.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let mut client = Client::of(command);
        let id = client.prompt("x");
        assert_eq!(client.result(&id), json!({"status": "finished"}));
        client.finish();
        // With a prompt it is print mode.
        let mut command = std::process::Command::new(&link);
        like.args(["--print", "-p", "x"]);
        command.args(["--quiet", "-p", "x"]).current_dir(home.path("project")).env_clear();
        command.envs(like.get_envs().filter_map(|(key, value)| Some((key, value?))));
        assert_eq!(command.output().unwrap().stdout, b"ok\n");
    }
}

#[test]
fn a_web_server_s_worker_finds_its_session() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let config = format!("default_plan_mode = true\n{}", Home::config(&server.url()));
    home.write("share/config.toml", config);
    // As the server makes it: the directory with an empty conversation, and the index.
    let work_dir = home.path("elsewhere");
    std::fs::create_dir(&work_dir).unwrap();
    let id = "0c8a1a3e-1111-4222-8333-444455556666";
    let digest = {
        use md5::Digest as _;
        format!("{:x}", md5::Md5::digest(work_dir.to_str().unwrap()))
    };
    let dir = format!("share/sessions/{digest}/{id}");
    home.write(&format!("{dir}/context.jsonl"), "");
    let index = json!({"work_dirs": [
        {"path": "/nowhere", "kaos": "local"},
        {"path": work_dir, "kaos": "local", "last_session_id": null}]});
    home.write("share/kimi.json", index.to_string());
    let worker = |words: &[&str]| Client::of(home.command(&[&["__web-worker"], words].concat()));
    // An empty one stays: the server has made it.
    worker(&[id]).finish();
    assert!(home.path(&dir).join("context.jsonl").exists());
    let mut client = worker(&[id]);
    client.initialize(json!({}));
    let prompt = client.call("prompt", json!({"user_input": [{"type": "text", "text": "x"}]}));
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert_eq!(client.finish(), "", "the server shows what is on stderr as an error");
    assert!(home.path(&dir).join("wire.jsonl").exists());
    let first = server.requests()[0].body.to_string();
    assert!(first.contains(work_dir.to_str().unwrap()), "{first}");
    assert!(first.contains("Plan mode is on"), "{first}");
    for (words, code, words_of_error) in [
        (&["not-a-uuid"][..], 2, "not a valid UUID"),
        (&["0c8a1a3e-1111-4222-8333-000000000000"], 1, "Session not found"),
    ] {
        let mut client = worker(words);
        let (status, err) = client.ended();
        assert_eq!(status, Some(code));
        assert!(err.contains(words_of_error), "{err}");
    }
}

#[test]
fn servers_of_tools_are_told_of_only_where_there_are_some() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let told = |config: &str| {
        let mut client = Client::start(&home, &["--mcp-config", config]);
        client.initialize(json!({}));
        let id = client.prompt("x");
        client.result(&id);
        let of_servers = |message: &&Value| {
            message["params"]["type"].as_str().is_some_and(|kind| kind.starts_with("MCP"))
                || message["params"]["payload"]["mcp_status"].is_object()
        };
        let count = client.seen.iter().filter(of_servers).count();
        let shape = client.shape();
        client.finish();
        (count, shape)
    };
    assert_eq!(told("{}").0, 0);
    let entry = crate::mcp::server::Script::new().entry();
    let (count, shape) = told(&json!({"mcpServers": {"lab": entry}}).to_string());
    assert!(count > 0, "{shape:?}");
    let first_turn = shape.iter().position(|word| word == "TurnBegin").unwrap();
    assert_eq!(first_turn, 1, "{shape:?}");
    let count_of = |kind: &str| shape.iter().filter(|word| *word == kind).count();
    assert_eq!(count_of("MCPLoadingBegin"), count_of("MCPLoadingEnd"));
}

#[test]
fn a_server_that_starts_slowly_is_begun_once() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let entry = crate::mcp::server::Script::new().start("hang").entry();
    let config = json!({"mcpServers": {"lab": entry}}).to_string();
    let mut client = Client::start(&home, &["--mcp-config", &config]);
    client.initialize(json!({}));
    for turn in 0..3 {
        let from = client.seen.len();
        let id = client.prompt("x");
        client.result(&id);
        let types: Vec<&str> =
            client.seen[from..].iter().filter_map(|it| it["params"]["type"].as_str()).collect();
        let loading: Vec<&str> =
            types.iter().copied().filter(|kind| kind.starts_with("MCPLoading")).collect();
        let due: &[&str] = if turn == 0 { &["MCPLoadingBegin", "MCPLoadingEnd"] } else { &[] };
        assert_eq!(loading, due, "{types:?}");
        assert_eq!(types.last(), Some(&"TurnEnd"));
    }
    client.finish();
}
