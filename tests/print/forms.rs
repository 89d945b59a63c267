//! What goes to stdout and stderr in each form.

use serde_json::{Value, json};

use crate::support::model_server::{Gate, ModelServer, Reply};
use crate::support::program::{Home, Running};

fn hint(home: &Home) -> String {
    let session = home.session();
    let id = session.file_name().unwrap().to_str().unwrap().to_owned();
    format!("\nTo resume this session: kimi -r {id}\n")
}

fn two_steps() -> Vec<Reply> {
    vec![
        Reply::new()
            .think("Let me ")
            .think("see.")
            .text("I look.")
            .tool_call("c1", "Shell", r#"{"command":"echo hi"}"#)
            .tool_call("c2", "ReadFile", r#"{"path":"none.txt"}"#),
        Reply::new().think("So.").text("It says ").text("hi."),
    ]
}

#[test]
fn text() {
    let server = ModelServer::start(two_steps());
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "-p", "  what? "]);
    ran.well();
    assert_eq!(ran.out, "I look.\nIt says hi.\n");
    assert!(ran.err.ends_with(&hint(&home)), "{}", ran.err);
    // Calls are told where they do not mix with the answer.
    assert!(ran.err.contains("echo hi") && ran.err.contains("none.txt"), "{}", ran.err);
    assert_eq!(server.requests()[0].last_user_text(), "what?");
}

#[test]
fn quiet_is_the_last_message_alone() {
    for words in [
        &["--quiet", "-p", "what?"][..],
        &["--print", "--final-message-only", "-p", "what?"],
        &["--print", "--final-message-only", "--output-format", "text", "-p", "what?"],
    ] {
        let server = ModelServer::start(two_steps());
        let home = Home::new(&server.url());
        let ran = home.run(words);
        ran.well();
        assert_eq!((ran.out.as_str(), ran.err), ("It says hi.\n", hint(&home)));
    }
}

#[test]
fn records() {
    let server = ModelServer::start(two_steps());
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "what?"]);
    ran.well();
    assert_eq!(ran.err, hint(&home));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"role":"assistant","content":[{"type":"think","think":"Let me see.","encrypted":null},{"type":"text","text":"I look."}],"tool_calls":[{"type":"function","id":"c1","function":{"name":"Shell","arguments":"{\"command\":\"echo hi\"}"}},{"type":"function","id":"c2","function":{"name":"ReadFile","arguments":"{\"path\":\"none.txt\"}"}}]}"#
    );
    assert_eq!(
        lines[1],
        r#"{"role":"tool","content":[{"type":"text","text":"<system>Command executed successfully.</system>"},{"type":"text","text":"hi\n"}],"tool_call_id":"c1"}"#
    );
    let failed: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!((&failed["role"], &failed["tool_call_id"]), (&json!("tool"), &json!("c2")));
    assert!(failed["content"].as_str().unwrap().starts_with("<system>ERROR: "), "{failed}");
    assert_eq!(
        lines[3],
        r#"{"role":"assistant","content":[{"type":"think","think":"So.","encrypted":null},{"type":"text","text":"It says hi."}]}"#
    );
    assert_eq!(lines.len(), 4);
    // Just what the model is told: the records of results are the messages of the next request.
    let sent = server.requests()[1].body["messages"].clone();
    assert_eq!(sent[3]["tool_call_id"], "c1");
    assert_eq!(sent[4]["content"], failed["content"]);
}

#[test]
fn final_record() {
    let server = ModelServer::start(two_steps());
    let home = Home::new(&server.url());
    let words =
        ["--print", "--output-format", "stream-json", "--final-message-only", "-p", "what?"];
    let ran = home.run(&words);
    ran.well();
    assert_eq!(ran.out, "{\"role\":\"assistant\",\"content\":\"It says hi.\"}\n");
}

/// What is neither a terminal nor asked for in another way is print mode.
#[test]
fn a_prompt_in_a_pipe_needs_no_flag() {
    let server = ModelServer::start(vec![Reply::new().text("yes"); 3]);
    let home = Home::new(&server.url());
    for words in [&["-p", "hi"][..], &["--prompt", "hi"], &["-c", "hi"]] {
        let ran = home.run(words);
        ran.well();
        assert_eq!(ran.out, "• yes\n\n");
    }
}

#[test]
fn nothing_is_wrapped_or_taken_as_markup() {
    let long = format!("[bold]{}[/bold] | {} \u{1f40d}漢字", "x".repeat(300), "word ".repeat(100));
    let answer = format!("# Title\n\n{long}\n\n* a\n  * b\n\ttab\n");
    let server = ModelServer::start(vec![Reply::new().text(&answer); 3]);
    let home = Home::new(&server.url()).var("COLUMNS", "40");
    for words in [&["--print", "-p", "x"][..], &["--quiet", "-p", "x"]] {
        let ran = home.run(words);
        ran.well();
        assert_eq!(ran.out.trim_end(), answer.trim_end());
        assert!(!ran.out.contains('\u{1b}'));
    }
    let ran = home.run(&["--print", "--output-format", "stream-json", "-p", "x"]);
    assert_eq!(ran.records()[0]["content"], answer.as_str());
}

#[test]
fn the_first_byte_comes_before_the_second() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![Reply::new().text("first").wait(&gate).text(" second")]);
    let home = Home::new(&server.url());
    let running = home.start(&["--print", "-p", "x"]);
    running.wait_out("first");
    gate.open();
    let ran = running.end();
    ran.well();
    assert_eq!(ran.out, "first second\n");
}

#[test]
fn a_record_comes_when_its_message_is_whole() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![
        Reply::new().text("I look.").tool_call("c1", "Glob", r#"{"pattern":"*"}"#),
        Reply::new().wait(&gate).text("done"),
    ]);
    let home = Home::new(&server.url());
    let running = home.start(&["--print", "--output-format", "stream-json", "-p", "x"]);
    running.wait_out("\"tool_call_id\":\"c1\"}\n");
    gate.open();
    assert_eq!(running.end().records().len(), 3);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![
        Reply::new().text("first line\n").wait(&gate).text("more\n".repeat(50_000)),
    ]);
    let home = Home::new(&server.url());
    // The status of the program, not that of `head`.
    let line = "{ \"$0\" --print -p x; echo \"status $?\" >&2; } | head -n 1";
    let running = Running::start(home.shell(line));
    running.wait_out("first line\n");
    gate.open();
    let ran = running.end();
    assert_eq!(ran.out, "first line\n");
    assert!(ran.err.contains("status 0"), "{}", ran.err);
    assert!(!ran.err.to_lowercase().contains("pipe"), "{}", ran.err);
}

#[test]
fn agent_commands_work() {
    let server = ModelServer::start(vec![Reply::new().text("yes")]);
    let home = Home::new(&server.url());
    let ran = home.run(&["--print", "-p", "/nope"]);
    ran.well();
    assert_eq!(ran.out, "Unknown slash command \"/nope\".\n");
    let ran = home.run(&["--quiet", "-p", "/compact"]);
    ran.well();
    assert!(ran.out.contains("nothing to compact"), "{}", ran.out);
    assert_eq!(server.requests().len(), 0);
}

/// Nobody is there: nothing is asked.
#[test]
fn everything_is_approved_and_questions_are_answered() {
    let question = json!({"questions": [{"question": "Which?", "header": "W", "multi_select": false,
        "options": [{"label": "A", "description": ""}, {"label": "B", "description": ""}]}]});
    let server = ModelServer::start(vec![
        Reply::new()
            .tool_call("c1", "WriteFile", r#"{"path":"made.txt","content":"x\n"}"#)
            .tool_call("c2", "AskUserQuestion", &question.to_string()),
        Reply::new().text("done"),
    ]);
    let home = Home::new(&server.url());
    home.run(&["--print", "-p", "x"]).well();
    assert_eq!(std::fs::read_to_string(home.path("project/made.txt")).unwrap(), "x\n");
    let told = server.requests()[1].body["messages"][4]["content"].to_string();
    assert!(!told.contains("ERROR") || told.contains("user"), "{told}");
    // The next session of this directory asks again.
    let state = std::fs::read_to_string(home.session().join("state.json")).unwrap_or_default();
    assert!(!state.contains("\"afk\": true") && !state.contains("\"afk\":true"), "{state}");
}
