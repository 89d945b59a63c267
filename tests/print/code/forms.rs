//! What is written, and what the model hears.

use serde_json::{Value, json};

use super::{ask, code_home, named};
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::Home;

fn tools(body: &Value) -> Vec<&str> {
    let tools = body["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap()).collect()
}

#[test]
fn an_edit_has_kimi_code_s_arguments() {
    let arguments = json!({"path": "a.py", "old_string": "return x", "new_string": "return x + 1"});
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "Edit", &arguments.to_string()),
        Reply::new().text("Edited."),
    ]);
    let home = code_home(&server);
    home.write("project/a.py", "def f(x):\n    return x\n");
    let ran = ask(&home, &[], "please");
    ran.well();
    let text = std::fs::read_to_string(home.path("project/a.py")).unwrap();
    assert_eq!(text, "def f(x):\n    return x + 1\n");
    let requests = server.requests();
    let tools = requests[0].body["tools"].as_array().unwrap();
    let edit = tools.iter().find(|tool| tool["function"]["name"] == "Edit").unwrap();
    let parameters = edit["function"]["parameters"]["properties"].as_object().unwrap();
    let keys: Vec<&String> = parameters.keys().collect();
    assert_eq!(keys, ["path", "old_string", "new_string", "replace_all"]);
    // The model hears its call again as it was.
    assert!(requests[1].raw.contains("old_string"), "{}", requests[1].raw);
}

#[test]
fn records_and_requests_have_kimi_code_s_names() {
    let server = ModelServer::start(vec![
        Reply::new()
            .think("hm")
            .text("I write.")
            .tool_call("c1", "Write", r#"{"path":"a.txt","content":"one\n"}"#)
            .tool_call("c2", "Bash", r#"{"command":"cat a.txt"}"#),
        Reply::new().text("Done."),
    ]);
    let home = code_home(&server);
    let ran = ask(&home, &[], "go");
    ran.well();
    let lines: Vec<&str> = ran.out.lines().collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines[0],
        format!(r#"{{"role":"meta","type":"system.version","version":"{version}"}}"#)
    );
    assert_eq!(
        lines[1],
        r#"{"role":"assistant","content":"I write.","tool_calls":[{"type":"function","id":"c1","function":{"name":"Write","arguments":"{\"path\":\"a.txt\",\"content\":\"one\\n\"}"}},{"type":"function","id":"c2","function":{"name":"Bash","arguments":"{\"command\":\"cat a.txt\"}"}}]}"#
    );
    assert!(lines[2].starts_with(r#"{"role":"tool","tool_call_id":"c1","content":""#), "{lines:?}");
    assert_eq!(lines[3], r#"{"role":"tool","tool_call_id":"c2","content":"one\n"}"#);
    assert_eq!(lines[4], r#"{"role":"assistant","content":"Done."}"#);
    let id = named(&ran);
    assert_eq!(
        lines[5],
        format!(
            r#"{{"role":"meta","type":"session.resume_hint","session_id":"{id}","command":"kimi -r {id}","content":"To resume this session: kimi -r {id}"}}"#
        )
    );
    assert_eq!((lines.len(), ran.err.as_str()), (6, ""));

    let requests = server.requests();
    let names = tools(&requests[0].body);
    for name in ["Bash", "Read", "Write", "Edit", "TodoList", "Grep", "Glob", "AgentSwarm"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let said = requests[1].body.to_string();
    for name in ["ReadFile", "WriteFile", "StrReplaceFile", "SetTodoList", "\"Shell\""] {
        assert!(!said.contains(name), "{name}");
    }
    let calls = &requests[1].body["messages"][2]["tool_calls"];
    assert_eq!(calls[0]["function"]["name"], "Write");
    // What is kept is in our names: every front end can go on with it.
    let context = std::fs::read_to_string(home.path("code").join(session_file(&home))).unwrap();
    assert!(context.contains("\"WriteFile\"") && !context.contains("\"name\":\"Write\""));
}

/// The conversation of the only session of kimi-code's home.
fn session_file(home: &Home) -> String {
    let index = crate::support::program::json_lines(&home.path("code/session_index.jsonl"));
    format!("{}/context.jsonl", index[0]["sessionDir"].as_str().unwrap())
}

#[test]
fn text_is_blocks_and_the_rest_is_on_stderr() {
    let server = ModelServer::start(vec![
        Reply::new().think("Let me\nsee.").text("One\ntwo").tool_call(
            "c",
            "Bash",
            r#"{"command":"true"}"#,
        ),
        Reply::new().text("Three."),
    ]);
    let home = code_home(&server);
    let ran = home.run(&["-p", "go"]);
    assert_eq!(ran.well().out, "• One\n  two\n\n• Three.\n\n");
    let err: Vec<&str> = ran.err.lines().collect();
    assert_eq!(err[0], format!("kimi version {}", env!("CARGO_PKG_VERSION")));
    assert!(err.last().unwrap().starts_with("To resume this session: kimi -r session_"), "{err:?}");
}

#[test]
fn a_caller_that_wants_the_old_engine_hears_of_no_version() {
    let server = ModelServer::start(vec![Reply::new().text("yes"); 5]);
    for (value, told) in [("1", false), ("ON", false), ("true", false), ("0", true), ("", true)] {
        let home = code_home(&server).var("KIMI_CODE_LEGACY_FLAG", value);
        let ran = ask(&home, &[], "x");
        assert_eq!(ran.well().out.contains("system.version"), told, "{value:?}");
        named(&ran);
    }
}

#[test]
fn the_form_may_come_from_the_environment() {
    let server = ModelServer::start(vec![Reply::new().text("yes"); 3]);
    let home = code_home(&server).var("KIMI_MODEL_OUTPUT_FORMAT", "stream-json");
    named(home.run(&["-p", "x"]).well());
    assert_eq!(home.run(&["--output-format", "text", "-p", "x"]).well().out, "• yes\n\n");
    // kimi-cli has no such variable.
    home.write("share/config.toml", Home::config(&server.url()));
    assert_eq!(home.run(&["--quiet", "-p", "x"]).well().out, "yes\n");
    let home = code_home(&server).var("KIMI_MODEL_OUTPUT_FORMAT", "xml");
    let ran = home.run(&["-p", "x"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.starts_with("error: ") && ran.err.contains("KIMI_MODEL_OUTPUT_FORMAT"),
        "{ran:?}"
    );
}

#[test]
fn a_retry_has_a_record_of_its_own() {
    let server = ModelServer::start(vec![
        Reply::status(429, json!({"error": {"message": "slow down"}})),
        Reply::new().text("lost").drop_here(),
        Reply::new().text("Here."),
    ]);
    let home = code_home(&server);
    let ran = ask(&home, &["--max-retries-per-step", "3"], "x");
    ran.well();
    let records = ran.records();
    let retries: Vec<&Value> =
        records.iter().filter(|record| record["type"] == "turn.step.retrying").collect();
    assert_eq!(retries.len(), 2, "{ran:#?}");
    for (retry, failed) in retries.iter().zip(1..) {
        assert_eq!(retry["failed_attempt"], failed);
        assert_eq!(retry["next_attempt"], failed + 1);
        assert!(retry["max_attempts"].as_u64() >= retry["next_attempt"].as_u64(), "{retry}");
        assert!(retry["delay_ms"].is_u64() && retry["error_name"].is_string(), "{retry}");
        assert!(retry["error_message"].is_string(), "{retry}");
    }
    assert_eq!(retries[0]["status_code"], 429);
    assert!(retries[1].get("status_code").is_none());
    assert!(!ran.out.contains("lost"));
}

#[test]
fn a_prompt_may_look_like_anything() {
    let server =
        ModelServer::start(|request: &crate::support::model_server::Recorded, _: usize| {
            Reply::new().text(format!("<{}>", request.last_user_text()))
        });
    let home = code_home(&server);
    let long = "diff --git a b\n".repeat(4_000);
    for prompt in ["--help", "-", "--", " \n--print", "-m x", &long] {
        let ran = ask(&home, &[], prompt);
        ran.well();
        assert_eq!(ran.records()[1]["content"], format!("<{}>", prompt.trim()));
    }
}

/// kimi-cli's way has nothing of this.
#[test]
fn print_is_as_it_was() {
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c", "Shell", r#"{"command":"true"}"#),
        Reply::new().text("yes"),
    ]);
    let home = Home::new(&server.url()).var("KIMI_CODE_HOME", "/nonexistent/code");
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "x"]);
    ran.well();
    assert_eq!(
        ran.out,
        "{\"role\":\"assistant\",\"content\":[],\"tool_calls\":[{\"type\":\"function\",\"id\":\"c\",\
         \"function\":{\"name\":\"Shell\",\"arguments\":\"{\\\"command\\\":\\\"true\\\"}\"}}]}\n\
         {\"role\":\"tool\",\"content\":\"<system>Command executed successfully.</system>\",\
         \"tool_call_id\":\"c\"}\n\
         {\"role\":\"assistant\",\"content\":\"yes\"}\n"
    );
    let id = home.session().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(ran.err, format!("\nTo resume this session: kimi -r {id}\n"));
    let names = server.requests()[0].body.clone();
    let names = tools(&names);
    assert!(names.contains(&"Shell") && !names.contains(&"Bash"), "{names:?}");
}
