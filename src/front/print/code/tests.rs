//! kimi-code's forms against sessions that play a script.

use serde_json::{Value, json};

use crate::front::ending::ExitCode;
use crate::front::print::tests::*;
use crate::front::print::{Dialect, Format, PrintOptions, Signal};
use crate::protocol::{
    ContentPart, Event, Failure, FailureKind, HookEvent, Outcome, ToolOutput, ToolReturnValue,
};

const HINT: &str = "{\"role\":\"meta\",\"type\":\"session.resume_hint\",\"session_id\":\"s-1\",\
                    \"command\":\"kimi -r s-1\",\"content\":\"To resume this session: kimi -r s-1\"}\n";

fn code(options: PrintOptions) -> PrintOptions {
    PrintOptions { dialect: Dialect::Code { tells_version: false }, ..options }
}

async fn records(script: Vec<Step>) -> Ran {
    play(code(json("hi")), b"", vec![script]).await
}

fn parsed(ran: &Ran) -> Vec<Value> {
    ran.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn failed(kind: FailureKind, message: &str) -> Step {
    let hint = Some("do this".to_owned());
    Step::End(Outcome::Failed(Failure { kind, message: message.to_owned(), hint }))
}

fn forbids(reason: &str) -> Step {
    event(Event::HookResolved {
        event: HookEvent::UserPromptSubmit.name().to_owned(),
        target: "hi".to_owned(),
        action: "block".to_owned(),
        reason: reason.to_owned(),
        duration_ms: 1,
    })
}

/// To the letter (clients.md section 8).
#[tokio::test]
async fn each_record_is_as_kimi_code_writes_it() {
    let ran = records(vec![
        begin(),
        step(1),
        think("let me see"),
        text("run"),
        text("ning"),
        call("c1", "Shell", "{\"command\":"),
        more_arguments("\"make\"}"),
        call("c2", "Glob", "{}"),
        result("c2", ToolReturnValue::error("No \"such\" thing", "No")),
        result("c1", ToolReturnValue::ok("hi\n", "Command executed successfully.")),
        step(2),
        text("lost"),
        retry(),
        call("c3", "StrReplaceFile", "{torn"),
        result("c3", ToolReturnValue::error("bad", "Bad").with_output("half")),
        step(3),
        text("all done é\u{1b}"),
        turn_end(),
        well(),
    ])
    .await;
    assert_eq!(ran.code, ExitCode::Success);
    let expected = [
        r#"{"role":"assistant","content":"running","tool_calls":[{"type":"function","id":"c1","function":{"name":"Bash","arguments":"{\"command\":\"make\"}"}},{"type":"function","id":"c2","function":{"name":"Glob","arguments":"{}"}}]}"#,
        r#"{"role":"tool","tool_call_id":"c2","content":"No \"such\" thing"}"#,
        r#"{"role":"tool","tool_call_id":"c1","content":"hi\n"}"#,
        r#"{"role":"meta","type":"turn.step.retrying","failed_attempt":1,"next_attempt":2,"max_attempts":3,"delay_ms":0,"error_name":"APIConnectionError","error_message":"The provider could not be reached or broke off."}"#,
        r#"{"role":"assistant","tool_calls":[{"type":"function","id":"c3","function":{"name":"Edit","arguments":"{torn"}}]}"#,
        r#"{"role":"tool","tool_call_id":"c3","content":"bad\nhalf"}"#,
        "{\"role\":\"assistant\",\"content\":\"all done é\\u001b\"}",
        HINT.trim_end(),
    ];
    assert_eq!(ran.lines(), expected);
    assert_eq!(ran.err, "");
}

#[tokio::test]
async fn the_version_comes_first_unless_the_old_engine_is_asked_for() {
    let version = env!("CARGO_PKG_VERSION");
    let script = || vec![vec![text("a"), well()]];
    let dialect = Dialect::Code { tells_version: true };
    let ran = play(PrintOptions { dialect, ..json("hi") }, b"", script()).await;
    let first =
        format!("{{\"role\":\"meta\",\"type\":\"system.version\",\"version\":\"{version}\"}}");
    assert_eq!(ran.lines()[0], first);
    let ran = play(PrintOptions { dialect, ..prompt("hi") }, b"", script()).await;
    assert_eq!(ran.out, "• a\n\n");
    assert_eq!(ran.err, format!("kimi version {version}\nTo resume this session: kimi -r s-1\n"));
}

#[tokio::test]
async fn text_comes_in_blocks() {
    let script = vec![
        step(1),
        think("hm\n"),
        think("well"),
        text("one\ntwo"),
        text("\n\nthree\n"),
        call("c", "Shell", "{}"),
        result("c", ToolReturnValue::ok("out", "")),
        step(2),
        text("end"),
        turn_end(),
        well(),
    ];
    let ran = play(code(prompt("hi")), b"", vec![script]).await;
    assert_eq!(ran.out, "• one\n  two\n\n  three\n\n• end\n\n");
    assert_eq!(ran.err, "• hm\n  well\n\nTo resume this session: kimi -r s-1\n");
}

#[tokio::test]
async fn a_terminal_wraps_and_hears_no_escapes() {
    let options = PrintOptions { stdout_is_terminal: true, columns: Some(8), ..code(prompt("hi")) };
    let script = vec![text("abcdefgh\u{1b}[2Ji\n漢字漢字"), well()];
    let ran = play(options, b"", vec![script]).await;
    assert_eq!(ran.out, "• abcdef\n  gh[2Ji\n  漢字漢\n  字\n\n");
}

#[tokio::test]
async fn what_fails_is_told_on_stderr_alone() {
    let provider = |status, retryable| FailureKind::Provider { status, retryable };
    for (kind, code) in [
        (FailureKind::LlmNotSet, "model.not_configured: "),
        (provider(Some(401), false), "provider.auth_error: "),
        (provider(Some(429), true), "provider.rate_limit: "),
        (provider(Some(500), true), "provider.api_error: "),
        (provider(None, true), "provider.connection_error: "),
        (FailureKind::Internal, "internal: "),
    ] {
        let ran = records(vec![text("half"), failed(kind, "It\nbroke\u{1b}[2J")]).await;
        assert_eq!(ran.code, ExitCode::Failure);
        assert_eq!(ran.out, "{\"role\":\"assistant\",\"content\":\"half\"}\n");
        assert_eq!(ran.err, format!("error: failed to run prompt: {code}It broke[2J\ndo this\n"));
    }
    let ran = records(vec![Step::End(Outcome::MaxStepsReached { steps: 3 })]).await;
    let line = "error: failed to run prompt: loop.max_steps_exceeded: Max number of steps reached: \
                3\nRaise it with --max-steps-per-turn, or with loop_control.max_steps_per_turn in \
                config.toml.\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (ExitCode::Failure, "", line));
}

#[tokio::test]
async fn signals_have_the_shell_s_status() {
    for (signal, code) in
        [(Signal::Interrupt, ExitCode::Interrupted), (Signal::Terminate, ExitCode::Terminated)]
    {
        let ran = records(vec![text("half"), Step::Raise(signal), Step::UntilCancelled]).await;
        assert_eq!(ran.code, code);
        assert_eq!(ran.out, "{\"role\":\"assistant\",\"content\":\"half\"}\n");
    }
}

#[tokio::test]
async fn a_hook_that_forbids_the_prompt_fails_the_run() {
    let script = || vec![forbids(" no\nway "), text("no\nway"), turn_end(), well()];
    let ran = records(script()).await;
    assert_eq!(ran.code, ExitCode::Failure);
    assert_eq!(
        ran.out,
        "{\"role\":\"assistant\",\"content\":\"UserPromptSubmit hook blocked\\n\\nno\\nway\"}\n"
    );
    assert_eq!(ran.err, "error: failed to run prompt: Prompt hook blocked the request.\n");
    let ran = play(code(prompt("hi")), b"", vec![script()]).await;
    assert_eq!(ran.out, "• UserPromptSubmit hook blocked\n\n  no\n  way\n\n");
    // In kimi-cli it is the answer.
    let ran = play(json("hi"), b"", vec![script()]).await;
    assert_eq!(
        (ran.code, ran.lines()[0]),
        (ExitCode::Success, r#"{"role":"assistant","content":"no\nway"}"#)
    );
}

#[tokio::test]
async fn several_prompts_have_one_hint() {
    let options = PrintOptions { input_format: Format::StreamJson, ..code(json("one")) };
    let stdin = b"{\"role\":\"user\",\"content\":\"two\"}\nnonsense\n";
    let ran = play(options, stdin, vec![vec![text("1"), well()], vec![text("2"), well()]]).await;
    assert_eq!(ran.prompts(), ["one", "two"]);
    let said = |n: u32| format!("{{\"role\":\"assistant\",\"content\":\"{n}\"}}\n");
    assert_eq!(ran.out, format!("{}{}{HINT}", said(1), said(2)));
    assert!(
        ran.err.starts_with("kimi: line 2 of standard input is skipped: not JSON"),
        "{}",
        ran.err
    );
}

/// Readers throw longer lines away.
#[tokio::test]
async fn no_line_is_longer_than_a_mebibyte() {
    let long = "x\n\u{1}é\"".repeat(400_000);
    let arguments = json!({"path": "a", "content": long}).to_string();
    let ran = records(vec![
        text(&long),
        call("c1", "WriteFile", &arguments),
        call("c2", "WriteFile", &arguments),
        result("c1", ToolReturnValue::ok(&long, "")),
        well(),
    ])
    .await;
    assert!(ran.lines().iter().all(|line| line.len() < 1 << 20));
    let records = parsed(&ran);
    let whole: String = records
        .iter()
        .filter(|record| record["role"] == "assistant")
        .filter_map(|record| record["content"].as_str())
        .collect();
    assert!(whole == long);
    let calls: Vec<&Value> =
        records.iter().filter_map(|record| record["tool_calls"].as_array()).flatten().collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        let arguments: Value =
            serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments["path"], "a");
    }
    let result = records.iter().find(|record| record["role"] == "tool").unwrap();
    assert!(result["content"].as_str().unwrap().ends_with("more bytes are left out]"));
}

#[tokio::test]
async fn nothing_is_told_of_media_and_news() {
    let image = crate::protocol::MediaUrl { url: "data:,".into(), id: None };
    let seen = ToolReturnValue {
        output: ToolOutput::Parts(vec![
            ContentPart::text("<image>"),
            ContentPart::ImageUrl { image_url: image },
        ]),
        ..ToolReturnValue::default()
    };
    let plan = Event::PlanDisplay { content: "# Plan".into(), file_path: "/p.md".into() };
    let script =
        vec![call("c", "ReadMediaFile", ""), result("c", seen), event(plan), text("x"), well()];
    let ran = records(script).await;
    let records = parsed(&ran);
    assert_eq!(records.len(), 4);
    assert_eq!(records[1], json!({"role": "tool", "tool_call_id": "c", "content": "<image>"}));
}
