//! Prompts, steers, cancels and plan mode.

use serde_json::{Value, json};

use super::client::Client;
use crate::support::model_server::{Gate, ModelServer, Recorded, Reply};
use crate::support::program::{Home, json_lines};

const BUSY: &str = "An agent turn is already in progress";
const IDLE: &str = "No agent turn is in progress";

#[test]
fn a_prompt_to_its_end() {
    let server = ModelServer::start(vec![
        Reply::new().think("Hm.").text("Let me see.").tool_call("c1", "Glob", r#"{"pattern":"*"}"#),
        Reply::new().text("Nothing here."),
    ]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &["--session", "s1"]);
    let id = client.prompt("look");
    assert_eq!(client.result(&id), json!({"status": "finished"}));
    assert_eq!(
        client.shape(),
        [
            "=c1",
            "TurnBegin",
            "StepBegin",
            "ContentPart",
            "ToolCall",
            "ToolCallPart",
            "StatusUpdate",
            "ToolResult",
            "StepBegin",
            "ContentPart",
            "StatusUpdate",
            "TurnEnd",
            "=c2"
        ]
    );
    let payload = |kind: &str| {
        let of = |message: &&Value| message["params"]["type"] == kind;
        client.seen.iter().find(of).unwrap()["params"]["payload"].clone()
    };
    assert_eq!(payload("TurnBegin"), json!({"user_input": "look"}));
    assert_eq!(payload("StepBegin"), json!({"n": 1}));
    assert_eq!(payload("TurnEnd"), json!({}));
    assert_eq!(payload("ContentPart"), json!({"type": "think", "think": "Hm.", "encrypted": null}));
    let call = payload("ToolCall");
    assert_eq!((&call["type"], &call["extras"]), (&json!("function"), &Value::Null));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&payload("StatusUpdate")),
        [
            "context_usage",
            "context_tokens",
            "max_context_tokens",
            "token_usage",
            "message_id",
            "plan_mode",
            "mcp_status"
        ]
    );
    let result = payload("ToolResult");
    assert_eq!(result["tool_call_id"], "c1");
    assert_eq!(
        keys(&result["return_value"]),
        ["is_error", "output", "message", "display", "extras"]
    );
    let told: Vec<Value> =
        client.seen.iter().filter_map(|message| message.get("params").cloned()).collect();
    assert_eq!(client.finish(), "\nTo resume this session: kimi -r s1\n");
    // The record has the same events, streamed pieces merged.
    let recorded = json_lines(&home.session().join("wire.jsonl"));
    let recorded: Vec<Value> = recorded[1..].iter().map(|line| line["message"].clone()).collect();
    let streamed = |message: &Value| {
        ["ContentPart", "ToolCall", "ToolCallPart"].iter().any(|kind| message["type"] == *kind)
    };
    // Numbers with many digits may change the last one on their way through a parser.
    let whole = |messages: &[Value]| -> Vec<Value> {
        let mut whole: Vec<Value> = messages.iter().filter(|it| !streamed(it)).cloned().collect();
        whole.iter_mut().filter(|it| it["type"] == "StatusUpdate").for_each(|it| {
            it["payload"]["context_usage"] = json!(null);
        });
        whole
    };
    assert_eq!(whole(&told), whole(&recorded));
    let texts: Vec<&Value> = recorded
        .iter()
        .filter(|it| it["type"] == "ContentPart")
        .map(|it| &it["payload"]["text"])
        .collect();
    assert_eq!(texts, [&Value::Null, &json!("Let me see."), &json!("Nothing here.")]);
}

#[test]
fn media_and_parts_reach_the_model_and_come_back_as_they_were() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let config = Home::config(&server.url())
        .replace("max_context_size", "capabilities = [\"image_in\"]\nmax_context_size");
    home.write("share/config.toml", config);
    let mut client = Client::start(&home, &[]);
    let url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let parts = json!([
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": url, "id": null}},
    ]);
    let id = client.call("prompt", json!({"user_input": parts}));
    assert_eq!(client.result(&id), json!({"status": "finished"}));
    assert_eq!(client.seen[0]["params"]["payload"]["user_input"], parts);
    assert!(server.requests()[0].raw.contains("iVBORw0KGgo"));
    client.finish();
    let home = Home::new(&server.url());
    let mut client = Client::start(&home, &[]);
    let id = client.call("prompt", json!({"user_input": parts}));
    assert_eq!(client.error(&id).0, -32002);
    client.finish();
}

#[test]
fn failures_have_their_codes() {
    let home = Home::bare();
    let mut client = Client::ready(&home, &[]);
    let id = client.prompt("x");
    assert_eq!(client.error(&id), (-32001, "LLM is not set".to_owned()));
    client.finish();

    let error = |status| Reply::status(status, json!({"error": {"message": "mock says no"}}));
    let server = ModelServer::start(vec![error(401), error(500), error(500)]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &["--max-retries-per-step", "2"]);
    let id = client.prompt("x");
    let answer = client.answer(&id);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Error code: 401 - "), "{message}");
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["data"]),
        (&json!(-32003), &json!({"status_code": 401}))
    );
    assert_eq!(
        client.shape()[1..],
        ["TurnBegin", "StepBegin", "StepInterrupted", "TurnEnd", "=c2"]
    );
    let id = client.prompt("y");
    let retry = client.event("StepRetry");
    assert!(retry["wait_s"].is_u64(), "a client takes nothing but whole seconds: {retry}");
    assert_eq!(
        (&retry["error_type"], &retry["status_code"], &retry["next_attempt"]),
        (&json!("APIStatusError"), &json!(500), &json!(2))
    );
    assert_eq!(client.error(&id).0, -32003);
    client.finish();
}

#[test]
fn a_model_without_an_address_is_none() {
    let home = Home::new("");
    let mut client = Client::ready(&home, &[]);
    let id = client.prompt("x");
    assert_eq!(client.error(&id), (-32001, "LLM is not set".to_owned()));
    client.finish();
    let ran = home.run(&["--quiet", "-p", "x"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("providers.p.base_url is empty"), "{ran:?}");
}

#[test]
fn the_limit_of_steps_is_no_error() {
    let server = ModelServer::start(|_: &Recorded, at: usize| {
        Reply::new().tool_call(&format!("c{at}"), "Glob", &format!(r#"{{"pattern":"{at}"}}"#))
    });
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &["--max-steps-per-turn", "2"]);
    let id = client.prompt("x");
    assert_eq!(client.result(&id), json!({"status": "max_steps_reached", "steps": 2}));
    client.finish();
}

#[test]
fn commands_are_prompts() {
    let home = Home::new("http://127.0.0.1:9/v1");
    let mut client = Client::ready(&home, &[]);
    for (text, words) in [("/nonsense", "Unknown slash command"), ("/yolo on", "Yolo is on")] {
        let id = client.prompt(text);
        assert!(client.event("ContentPart")["text"].as_str().unwrap().contains(words));
        assert_eq!(client.result(&id), json!({"status": "finished"}));
    }
    client.finish();
}

#[test]
fn a_turn_is_alone_and_can_be_steered() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![
        Reply::new().text("One").wait(&gate).text(" moment."),
        Reply::new().text("As you like."),
        Reply::new().text("And again."),
    ]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let early = client.call("steer", json!({"user_input": "too early"}));
    assert_eq!(client.error(&early), (-32000, IDLE.to_owned()));
    let id = client.prompt("begin");
    client.event("ContentPart");
    for (method, params) in [
        ("prompt", json!({"user_input": "second"})),
        ("initialize", json!({"protocol_version": "1.10"})),
        ("replay", json!({})),
    ] {
        let second = client.call(method, params);
        assert_eq!(client.error(&second), (-32000, BUSY.to_owned()), "{method}");
    }
    let wrong = client.call("steer", json!({"user_input": 7}));
    assert_eq!(client.error(&wrong).0, -32602);
    let steer = client.call("steer", json!({"user_input": "faster"}));
    assert_eq!(client.result(&steer), json!({"status": "steered"}));
    gate.open();
    assert_eq!(client.event("SteerInput"), json!({"user_input": "faster"}));
    assert_eq!(client.event("StepBegin"), json!({"n": 2}));
    assert_eq!(client.result(&id), json!({"status": "finished"}));
    assert_eq!(server.requests()[1].last_user_text(), "faster");
    client.finish();
}

#[test]
fn a_cancel_stops_the_stream_and_the_next_prompt_goes_on() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![
        Reply::new().text("I begin").wait(&gate).text(" and never end"),
        Reply::new().text("Fine."),
    ]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    let id = client.prompt("begin");
    client.event("ContentPart");
    client.raw(b"{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"id\":\"stop\"}\n");
    assert_eq!(client.result("stop"), json!({}));
    assert_eq!(client.result(&id), json!({"status": "cancelled"}));
    let shape = client.shape();
    let from = shape.iter().position(|word| word == "=stop").unwrap();
    assert_eq!(shape[from..], ["=stop", "TurnEnd", "=c2"]);
    let again = client.call("cancel", json!({}));
    assert_eq!(client.error(&again), (-32000, IDLE.to_owned()));
    let id = client.prompt("again");
    assert_eq!(client.result(&id), json!({"status": "finished"}));
    client.finish();
}

#[test]
fn a_cancel_ends_a_command_and_what_it_started() {
    let server = ModelServer::start(vec![Reply::new().tool_call(
        "c1",
        "Shell",
        r#"{"command":"echo $$ > pid; sleep 86399"}"#,
    )]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &["--yolo"]);
    let id = client.prompt("run");
    client.event("StatusUpdate");
    let pid = wait_for_pid(&home);
    client.call("cancel", json!({}));
    assert_eq!(client.result(&id), json!({"status": "cancelled"}));
    assert!(!client.shape().contains(&"ToolResult".to_owned()), "{:?}", client.shape());
    assert!(!is_alive(pid), "the command runs on");
    client.finish();
}

#[test]
fn commands_say_what_they_did_before_the_news_of_it() {
    let home = Home::new("http://127.0.0.1:9/v1");
    home.write("project/notes.md", "Remember the milk.");
    let mut client = Client::ready(&home, &[]);
    for command in ["/plan", "/plan off", "/import notes.md", "/clear"] {
        let from = client.seen.len();
        let id = client.prompt(command);
        client.result(&id);
        let types: Vec<&str> =
            client.seen[from..].iter().filter_map(|it| it["params"]["type"].as_str()).collect();
        assert_eq!(types, ["TurnBegin", "ContentPart", "StatusUpdate", "TurnEnd"], "{command}");
        let status = &client.seen[from + 2]["params"]["payload"]["plan_mode"];
        let plan = match command {
            "/plan" => json!(true),
            "/plan off" => json!(false),
            _ => json!(null),
        };
        assert_eq!(status, &plan, "{command}");
    }
    client.finish();
}

#[test]
fn plan_mode_is_switched_by_the_client() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![
        Reply::new().text("a"),
        Reply::new().text("b").wait(&gate).text("c"),
    ]);
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &[]);
    // Also where it was so before.
    for enabled in [false, true, true, false, true] {
        let id = client.call("set_plan_mode", json!({"enabled": enabled}));
        // A client in the field hangs when anything comes before the answer.
        let answer = client.next();
        assert_eq!(
            (&answer["id"], &answer["result"]),
            (&json!(id), &json!({"status": "ok", "plan_mode": enabled}))
        );
        assert_eq!(client.event("StatusUpdate")["plan_mode"], enabled);
    }
    let id = client.prompt("x");
    client.result(&id);
    assert!(server.requests()[0].raw.contains("Plan mode is on"));
    let id = client.prompt("y");
    client.event("ContentPart");
    let off = client.call("set_plan_mode", json!({"enabled": false}));
    assert_eq!(client.result(&off)["plan_mode"], false);
    gate.open();
    client.result(&id);
    for params in [json!({}), json!({"enabled": "maybe"}), json!({"enabled": null}), json!([true])]
    {
        let wrong = client.call("set_plan_mode", params);
        let message = "Invalid parameters for method `set_plan_mode`";
        assert_eq!(client.error(&wrong), (-32602, message.to_owned()));
    }
    client.finish();
}

/// The process that a command of the model has written down.
pub fn wait_for_pid(home: &Home) -> i32 {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(40);
    loop {
        let text = std::fs::read_to_string(home.path("project/pid")).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().parse().unwrap();
        }
        assert!(std::time::Instant::now() < deadline, "the command does not start");
        std::thread::yield_now();
    }
}

/// Whether a process runs; one that is only waited for does not.
pub fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_steer_that_comes_too_late_is_kept_for_the_next_prompt() {
    let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("ok"));
    let home = Home::new(&server.url());
    let hook =
        "\n[[hooks]]\nevent = \"Stop\"\ncommand = \"while [ ! -e go ]; do sleep 0.02; done\"\n";
    home.write("share/config.toml", Home::config(&server.url()) + hook);
    let mut client = Client::ready(&home, &[]);
    let first = client.prompt("begin");
    // The model has had its last word in this turn.
    assert_eq!(client.event("HookTriggered")["event"], "Stop");
    let steer = client.call("steer", json!({"user_input": "also this"}));
    assert_eq!(client.result(&steer), json!({"status": "steered"}));
    home.write("project/go", "");
    assert_eq!(client.result(&first), json!({"status": "finished"}));
    assert!(!client.shape().contains(&"SteerInput".to_owned()));
    // A command has no use for it.
    let command = client.prompt("/nonsense");
    assert_eq!(client.result(&command), json!({"status": "finished"}));
    let next = client.prompt("go on");
    assert_eq!(client.event("SteerInput"), json!({"user_input": "also this"}));
    assert_eq!(client.result(&next), json!({"status": "finished"}));
    let told = client.shape().iter().filter(|word| *word == "SteerInput").count();
    assert_eq!(told, 1);
    assert!(server.requests().last().unwrap().raw.contains("also this"));
    client.finish();
}

#[test]
fn news_from_between_two_prompts_waits_for_the_next() {
    let wait = json!({"command": "while [ ! -e go ]; do sleep 0.02; done",
        "run_in_background": true, "description": "wait"});
    let wait = wait.to_string();
    let server = ModelServer::start(move |_: &Recorded, at: usize| match at {
        0 => Reply::new().tool_call("c1", "Shell", &wait),
        _ => Reply::new().text("ok"),
    });
    let home = Home::new(&server.url());
    let mut client = Client::ready(&home, &["--yolo"]);
    let first = client.prompt("start it");
    let result = client.event("ToolResult");
    // A client in the field loses a result with a block that it does not know.
    assert!(!result.to_string().contains("background_task"), "{result}");
    assert_eq!(client.result(&first), json!({"status": "finished"}));
    home.write("project/go", "");
    let store = home.session().join("notifications");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(40);
    while !store.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        assert!(std::time::Instant::now() < deadline, "no notification");
        std::thread::yield_now();
    }
    let before = client.shape().len();
    let second = client.prompt("and now?");
    let news = client.event("Notification");
    assert_eq!(
        news.as_object().unwrap().keys().collect::<Vec<_>>(),
        [
            "id",
            "category",
            "type",
            "source_kind",
            "source_id",
            "title",
            "body",
            "severity",
            "created_at",
            "payload"
        ]
    );
    assert!(news["payload"].is_object());
    assert_eq!(client.result(&second), json!({"status": "finished"}));
    assert_eq!(client.shape()[before], "TurnBegin", "{:?}", client.shape());
    client.finish();
}
