//! What a thousand tools cost a request: what one costs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kimi_tui::config::McpMode;
use kimi_tui::mcp::limits::Limits;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::server::{HttpServer, Script};
use super::tools_text;
use super::world::World;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

const DEFERRED: &str = "[mcp]\nmode = \"deferred\"\n";

/// So many servers, each at an address of its own behind one port.
fn many(http: &HttpServer, count: usize) -> Map<String, Value> {
    let entry = |n| (format!("server{n}"), json!({"url": http.url(&format!("/mcp/{n}"))}));
    (0..count).map(entry).collect()
}

/// Three servers with 53 tools that look like real ones.
fn fifty_three() -> (Value, Vec<HttpServer>) {
    let description = "Creates or changes an entry of the project's board, with its labels, its \
                       assignees and the milestone it belongs to, and returns the entry as it is \
                       afterwards. Fails when the caller may not write to the board."
        .repeat(2);
    let schema = json!({"type": "object", "required": ["project", "title"], "properties": {
        "project": {"type": "string", "description": "Owner and name of the project."},
        "title": {"type": "string", "description": "One line that says what it is about."},
        "labels": {"type": "array", "items": {"type": "string"}},
        "state": {"type": "string", "enum": ["open", "closed", "all"]},
    }});
    let tool = |n: usize| json!({"name": format!("work_{n}"), "description": description, "inputSchema": schema});
    let mut servers = Vec::new();
    let mut entries = Map::new();
    for (name, tools) in [("board", 0..20), ("wiki", 20..40), ("chat", 40..53)] {
        let tools: Vec<Value> = tools.map(tool).collect();
        let http = HttpServer::start(Script::new().raw_tools(tools.into()));
        let own = ["echo", "die", "hang", "huge", "flood", "grow", "count", "broken"];
        entries.insert(name.to_owned(), json!({"url": http.url("/mcp"), "disabledTools": own}));
        servers.push(http);
    }
    (Value::Object(entries), servers)
}

/// Waits for all servers with a search that finds nothing, then searches and calls.
fn thorough(
    tool: &'static str,
    arguments: Value,
) -> impl Fn(&Recorded, usize) -> Reply + Send + Sync {
    let waited = AtomicUsize::new(0);
    move |request: &Recorded, index: usize| {
        // A busy machine takes longer than one search waits.
        if index == 0 || told(request).contains("still starting") {
            waited.store(index, Ordering::Relaxed);
            let id = format!("w{index}");
            return Reply::new().tool_call(&id, "mcp_search", r#"{"query":"xylophone"}"#);
        }
        match index - waited.load(Ordering::Relaxed) {
            1 => Reply::new().tool_call("c2", "mcp_search", r#"{"query":"one of many"}"#),
            2 => {
                let call = json!({"name": tool, "arguments": arguments});
                Reply::new().tool_call("c3", "mcp_call", &call.to_string())
            }
            _ => Reply::new().text("done"),
        }
    }
}

struct Run {
    requests: Vec<Recorded>,
    /// The servers' last state in the record.
    status: Value,
}

fn run(entries: &Value, config: &str, tool: &'static str, arguments: Value) -> Run {
    let server = ModelServer::start(thorough(tool, arguments));
    let home = Home::new(&server.url());
    home.write("share/config.toml", format!("{}{config}", Home::config(&server.url())));
    home.write("share/mcp.json", json!({"mcpServers": entries}).to_string());
    home.run_long(&["--print", "-p", "go"]).well();
    let records = json_lines(&home.session().join("wire.jsonl"));
    let mut statuses = records.iter().map(|record| &record["message"]["payload"]["mcp_status"]);
    let status = statuses.rfind(|status| status.is_object()).cloned();
    Run { requests: server.requests(), status: status.unwrap_or_default() }
}

/// What the model is told last in a request.
fn told(request: &Recorded) -> String {
    let last = request.body["messages"].as_array().and_then(|all| all.last()).unwrap();
    match &last["content"] {
        Value::String(text) => text.clone(),
        parts => {
            let texts = parts.as_array().into_iter().flatten();
            texts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn a_thousand_connected_servers_cost_what_one_costs() {
    let http = HttpServer::start(Script::new().more_tools(1));
    let mut one = Value::Object(many(&http, 1));
    one["server0"]["enabledTools"] = json!(["echo"]);
    let hello = || json!({"text": "hello"});
    let alone = run(&one, DEFERRED, "server0.echo", hello());
    let (entries, _servers) = fifty_three();
    let some = run(&entries, DEFERRED, "work_7", json!({"project": "p", "title": "t"}));
    let before = Instant::now();
    let thousand = Value::Object(many(&http, 1_000));
    let all = run(&thousand, DEFERRED, "server777.echo", hello());
    println!("a run with 1,000 servers: {:?}", before.elapsed());
    for (run, servers, tools) in [(&alone, 1, 1), (&some, 3, 53), (&all, 1_000, 9_000)] {
        assert_eq!(run.status["connected"], json!(servers), "{}", run.status["connected"]);
        assert_eq!(run.status["tools"], json!(tools));
        assert!(run.requests.len() >= 4);
    }
    let pair = tools_text(&alone.requests[0]);
    for request in [&alone, &some, &all].into_iter().flat_map(|run| &run.requests) {
        assert_eq!(tools_text(request), pair);
    }
    let last = |back: usize| told(&all.requests[all.requests.len() - back]);
    assert_eq!(last(1), "hello");
    // The cap of a search, however many fit.
    let found = last(2);
    assert_eq!(found.matches("mcp__server").count(), 5, "{found}");
    // The same tools, offered as they are.
    let eager = run(&entries, "[mcp]\nmode = \"direct\"\n", "work_7", json!({}));
    let without = tools_text(&run(&json!({}), DEFERRED, "none", json!({})).requests[0]).len();
    let (two, fifty) = (pair.len() - without, tools_text(&eager.requests[0]).len() - without);
    println!("the pair takes {two} bytes, 53 tools as they are {fifty}: {} times", fifty / two);
    assert!(two <= 1_200 && fifty > 19 * two, "{two} {fifty}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_of_a_thousand_servers_is_short() {
    let http = HttpServer::start(Script::new());
    let entries = Value::Object(many(&http, 1_000));
    let dir = tempfile::tempdir().unwrap();
    let before = Instant::now();
    let world = World::with(dir, entries, McpMode::Deferred, Limits::default()).settled().await;
    println!("1,000 servers are connected after {:?}", before.elapsed());
    let offer = world.dispatch.offer(&CancellationToken::new()).await;
    let index = offer.index.clone().unwrap();
    assert!(index.len() <= 2_048 && index.lines().count() <= 20, "{index}");
    assert!(index.contains("more servers"), "{index}");
    let search = Instant::now();
    let found = world.call("mcp_search", json!({"query": "repeat a text"})).await.output.text();
    println!("a first search in 8,000 tools: {:?}", search.elapsed());
    assert_eq!(found.matches("mcp__server").count(), 5, "{found}");
    assert!(search.elapsed() < Duration::from_secs(20));
    world.servers.shutdown().await;
}

#[test]
fn a_long_result_reaches_the_model_short_with_both_its_ends() {
    let http = HttpServer::start(Script::new());
    let text: String = (0..17_000).map(|n| format!("row {n:05}\n")).collect();
    assert!(text.len() >= 170_000);
    let arguments = json!({"text": text});
    let all = run(&Value::Object(many(&http, 1)), DEFERRED, "echo", arguments);
    let told = told(all.requests.last().unwrap());
    assert!((11_000..13_000).contains(&told.chars().count()), "{}", told.chars().count());
    assert!(told.contains("row 00000") && told.contains("row 16999"), "{told}");
}
