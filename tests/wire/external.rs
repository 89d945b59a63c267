//! Tools that the client brings.

use serde_json::{Value, json};

use super::client::Client;
use crate::support::model_server::{ModelServer, Recorded, Reply};
use crate::support::program::Home;

fn tool(name: &str) -> Value {
    json!({"name": name, "description": "Open a file in the IDE", "parameters": {
        "type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}})
}

/// A client with the tool `open_in_ide`, which the model calls in every turn but to end it.
fn world() -> (ModelServer, Home) {
    let server = ModelServer::start(|request: &Recorded, at: usize| {
        let messages = request.body["messages"].as_array().unwrap();
        match messages.last().unwrap()["role"] == "tool" {
            true => Reply::new().text("Opened."),
            false => {
                Reply::new().tool_call(&format!("open:{at}"), "open_in_ide", r#"{ "path": "a" }"#)
            }
        }
    });
    let home = Home::new(&server.url());
    (server, home)
}

fn with_tool(home: &Home) -> Client {
    let mut client = Client::start(home, &[]);
    client.initialize(json!({"external_tools": [tool("open_in_ide")]}));
    client
}

/// What the model was told of its newest call.
fn told(server: &ModelServer) -> String {
    let requests = server.requests();
    let messages = requests.last().unwrap().body["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].to_string()
}

fn returned(output: &str) -> Value {
    json!({"return_value": {"is_error": false, "output": output, "message": "Opened it", "display": []}})
}

#[test]
fn the_good_ones_are_taken_and_the_model_has_them() {
    let (server, home) = world();
    let mut client = Client::start(&home, &[]);
    let bad = json!({"name": "bad", "description": "", "parameters": {"type": 5}});
    let result = client.initialize(json!({"external_tools":
        [tool("open_in_ide"), tool("Shell"), bad, tool("no spaces"), tool(""), tool("AskUserQuestion")]}));
    let told = &result["external_tools"];
    assert_eq!(told["accepted"], json!(["open_in_ide"]));
    let rejected = told["rejected"].as_array().unwrap();
    assert_eq!(rejected[0], json!({"name": "Shell", "reason": "conflicts with builtin tool"}));
    assert_eq!(rejected.len(), 5, "{rejected:?}");
    assert!(rejected[1]["reason"].as_str().unwrap().contains("parameters.type"));
    let prompt = client.prompt("open");
    let (id, payload) = client.request("ToolCallRequest");
    let expected = json!({"id": "open:0", "name": "open_in_ide", "arguments": r#"{"path": "a"}"#});
    assert_eq!(payload, expected);
    client.reply(&id, returned("it is open"));
    assert_eq!(
        client.event("ToolResult"),
        json!({"tool_call_id": "open:0", "return_value": {"is_error": false, "output": "it is open",
            "message": "Opened it", "display": [], "extras": null}})
    );
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(self::told(&server).contains("it is open"));
    let shape = client.shape();
    let at = |kind: &str| shape.iter().position(|word| word == kind).unwrap();
    assert!(at("ToolCall") < at("ToolCallRequest") && at("ToolCallRequest") < at("ToolResult"));
    let tools = server.requests()[0].body["tools"].as_array().unwrap().clone();
    let ours = tools.iter().filter(|it| it["function"]["name"] == "open_in_ide");
    assert_eq!(ours.count(), 1);
    assert_eq!(tools.last().unwrap()["function"]["parameters"], tool("x")["parameters"]);
    client.finish();
}

#[test]
fn a_tool_that_is_brought_again_is_replaced() {
    let (server, home) = world();
    let mut client = with_tool(&home);
    let mut other = tool("open_in_ide");
    other["description"] = json!("Another");
    let result = client.initialize(json!({"external_tools": [other]}));
    assert_eq!(result["external_tools"]["accepted"], json!(["open_in_ide"]));
    let prompt = client.prompt("open");
    let (id, _) = client.request("ToolCallRequest");
    client.reply(&id, returned("x"));
    client.result(&prompt);
    let raw = &server.requests()[0].raw;
    assert!(raw.contains("\"Another\"") && !raw.contains("Open a file in the IDE"));
    client.finish();
}

#[test]
fn bad_answers_are_errors_of_the_tool() {
    let (server, home) = world();
    let mut client = with_tool(&home);
    for (answer, words) in [
        (json!({"error": {"code": 1, "message": "no such file"}}), "no such file"),
        (json!({"result": {}}), "Invalid tool result payload from client."),
        (json!({"result": "done"}), "Invalid tool result payload from client."),
        (
            json!({"result": {"return_value": {"is_error": false}}}),
            "Invalid tool result payload from client.",
        ),
        (
            json!({"result": {"return_value": {"is_error": true, "output": "", "message": "", "display": []}}}),
            "without saying why",
        ),
    ] {
        let prompt = client.prompt("open");
        let (id, _) = client.request("ToolCallRequest");
        let mut message = answer.clone();
        message["id"] = json!(id);
        client.raw(format!("{message}\n").as_bytes());
        let value = client.event("ToolResult")["return_value"].clone();
        assert_eq!(value["is_error"], true, "{answer}");
        assert!(value["message"].as_str().unwrap().contains(words), "{value}");
        assert_eq!(client.result(&prompt), json!({"status": "finished"}));
        assert!(told(&server).contains(words), "{}", told(&server));
    }
    client.finish();
}

#[test]
fn only_the_first_answer_with_the_right_id_counts() {
    let (server, home) = world();
    let mut client = with_tool(&home);
    let prompt = client.prompt("open");
    let (id, _) = client.request("ToolCallRequest");
    client.reply("another", returned("wrong"));
    client.reply(&format!("{id} "), returned("wrong"));
    client.reply(&id, returned("right"));
    client.reply(&id, returned("late"));
    assert_eq!(client.event("ToolResult")["return_value"]["output"], "right");
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(told(&server).contains("right"));
    client.finish();
}

#[test]
fn a_call_without_an_answer_ends_with_its_turn() {
    let (server, home) = world();
    let mut client = with_tool(&home);
    let prompt = client.prompt("open");
    let (id, _) = client.request("ToolCallRequest");
    client.call("cancel", json!({}));
    assert_eq!(client.result(&prompt), json!({"status": "cancelled"}));
    client.reply(&id, returned("too late"));
    let prompt = client.prompt("again");
    let (id, _) = client.request("ToolCallRequest");
    client.reply(&id, returned("in time"));
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(!server.requests().last().unwrap().raw.contains("too late"));
    client.finish();
}

#[test]
fn a_client_that_dies_in_a_call_leaves_a_whole_session() {
    let (server, home) = world();
    let mut client = Client::start(&home, &["--session", "s1"]);
    client.initialize(json!({"external_tools": [tool("open_in_ide")]}));
    client.prompt("open");
    client.request("ToolCallRequest");
    client.hang_up();
    let (code, err) = client.ended();
    assert_eq!(code, Some(0), "{err}");
    // The conversation goes on, with the call answered.
    let mut client = Client::start(&home, &["--session", "s1"]);
    client.initialize(json!({"external_tools": [tool("open_in_ide")]}));
    let prompt = client.prompt("again");
    let (id, _) = client.request("ToolCallRequest");
    client.reply(&id, returned("now"));
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    let body = server.requests().last().unwrap().body.clone();
    let messages = body["messages"].as_array().unwrap();
    let results = messages.iter().filter(|message| message["role"] == "tool").count();
    assert_eq!(results, 2, "{body}");
    client.finish();
}

#[test]
fn wrong_arguments_do_not_reach_the_client_and_long_results_are_cut() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("a", "open_in_ide", r#"{"path": 7}"#),
        Reply::new().tool_call("b", "open_in_ide", r#"{"path": "x"}"#),
        Reply::new().text("Done."),
    ]);
    let home = Home::new(&server.url());
    let mut client = with_tool(&home);
    let prompt = client.prompt("open");
    let (id, _) = client.request("ToolCallRequest");
    assert_eq!(id, "b");
    client.reply(&id, returned(&"word ".repeat(100_000)));
    assert_eq!(client.result(&prompt), json!({"status": "finished"}));
    assert!(told(&server).len() < 200_000);
    assert!(server.requests()[1].raw.contains("`path` must be a string"));
    client.finish();
}
