//! The `stream-json` form and the last message, record by record.

use serde_json::{Value, json};

use super::*;
use crate::protocol::{Failure, FailureKind, Notification};

fn notification(id: &str) -> Step {
    event(Event::Notification(Notification {
        id: id.to_owned(),
        category: "task".to_owned(),
        kind: "task.completed".to_owned(),
        source_kind: "background_task".to_owned(),
        source_id: "bash-1".to_owned(),
        title: "Background task completed: build".to_owned(),
        body: "Exit code: 0".to_owned(),
        severity: "success".to_owned(),
        created_at: 1_795_233_983.25,
        payload: json!({"failure_reason": null}),
    }))
}

#[tokio::test]
async fn one_answer_is_one_record() {
    let ran = play(
        json("hi"),
        b"",
        vec![vec![begin(), step(1), text("Hello from "), text("the model."), turn_end(), well()]],
    )
    .await;
    assert_eq!(ran.out, "{\"role\":\"assistant\",\"content\":\"Hello from the model.\"}\n");
    assert_eq!(ran.err, "\nTo resume this session: kimi -r s-1\n");
    assert_eq!(ran.code, ExitCode::Success);
    assert_eq!(ran.prompts(), ["hi"]);
    assert_eq!(ran.ops.last(), Some(&Op::Shutdown));
}

#[tokio::test]
async fn thinking_text_and_calls_make_one_record_before_their_results() {
    let ran = play(
        json("hi"),
        b"",
        vec![vec![
            begin(),
            step(1),
            think("I should "),
            think("write."),
            text("I will."),
            call("c1", "WriteFile", "{\"path\": "),
            more_arguments("\"a\"}"),
            call("c2", "Glob", ""),
            more_arguments("{}"),
            event(Event::ToolOutput { tool_call_id: "c2".to_owned(), text: "live".to_owned() }),
            result("c2", ToolReturnValue::ok("./a", "Found.")),
            result("c1", ToolReturnValue::ok("", "Written.")),
            step(2),
            text("Done: 中文 🎉 <b>"),
            turn_end(),
            well(),
        ]],
    )
    .await;
    assert_eq!(
        ran.lines(),
        [
            r#"{"role":"assistant","content":[{"type":"think","think":"I should write.","encrypted":null},{"type":"text","text":"I will."}],"tool_calls":[{"type":"function","id":"c1","function":{"name":"WriteFile","arguments":"{\"path\": \"a\"}"}},{"type":"function","id":"c2","function":{"name":"Glob","arguments":"{}"}}]}"#,
            r#"{"role":"tool","content":[{"type":"text","text":"<system>Found.</system>"},{"type":"text","text":"./a"}],"tool_call_id":"c2"}"#,
            r#"{"role":"tool","content":"<system>Written.</system>","tool_call_id":"c1"}"#,
            r#"{"role":"assistant","content":"Done: 中文 🎉 <b>"}"#,
        ]
    );
}

#[tokio::test]
async fn calls_alone_have_an_empty_list_and_broken_arguments_stay() {
    let ran = play(
        json("hi"),
        b"",
        vec![vec![
            step(1),
            call("c1", "WriteFile", "{\"path\": \"x\", \"content\": "),
            result("c1", ToolReturnValue::error("The arguments are no JSON.", "Bad arguments")),
            turn_end(),
            well(),
        ]],
    )
    .await;
    assert_eq!(
        ran.lines(),
        [
            r#"{"role":"assistant","content":[],"tool_calls":[{"type":"function","id":"c1","function":{"name":"WriteFile","arguments":"{\"path\": \"x\", \"content\": "}}]}"#,
            r#"{"role":"tool","content":"<system>ERROR: The arguments are no JSON.</system>","tool_call_id":"c1"}"#,
        ]
    );
}

#[tokio::test]
async fn signed_thinking_does_not_merge_with_what_follows() {
    let signed = ContentPart::Think { think: String::new(), encrypted: Some("sig".to_owned()) };
    let ran = play(
        json("hi"),
        b"",
        vec![vec![
            step(1),
            think("a"),
            event(Event::ContentPart(signed)),
            think("b"),
            text(""),
            text("c"),
            well(),
        ]],
    )
    .await;
    assert_eq!(
        ran.lines(),
        [
            r#"{"role":"assistant","content":[{"type":"think","think":"a","encrypted":"sig"},{"type":"think","think":"b","encrypted":null},{"type":"text","text":"c"}]}"#
        ]
    );
}

#[tokio::test]
async fn a_failed_attempt_is_not_written() {
    for final_only in [false, true] {
        let ran = play(
            PrintOptions { final_only, ..json("hi") },
            b"",
            vec![vec![
                step(1),
                think("half a thought"),
                text("at back there"),
                call("c1", "Shell", "{\"comm"),
                retry(),
                text("This attempt was not dropped."),
                turn_end(),
                well(),
            ]],
        )
        .await;
        assert_eq!(
            ran.lines(),
            [r#"{"role":"assistant","content":"This attempt was not dropped."}"#]
        );
    }
}

#[tokio::test]
async fn a_notification_waits_for_the_open_record() {
    let ran = play(
        json("hi"),
        b"",
        vec![vec![
            step(1),
            notification("n0"),
            text("runs in "),
            notification("n1"),
            text("the background"),
            turn_end(),
            well(),
        ]],
    )
    .await;
    let records: Vec<Value> =
        ran.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records[0]["id"], "n0");
    assert_eq!(records[1]["content"], "runs in the background");
    assert_eq!(
        ran.lines()[2],
        r#"{"id":"n1","category":"task","type":"task.completed","source_kind":"background_task","source_id":"bash-1","title":"Background task completed: build","body":"Exit code: 0","severity":"success","created_at":1795233983.25,"payload":{"failure_reason":null}}"#
    );
}

#[tokio::test]
async fn subagents_and_statuses_are_not_written() {
    let inner = Event::ContentPart(ContentPart::text("inside"));
    let ran = play(
        json("hi"),
        b"",
        vec![vec![
            step(1),
            text("I will delegate."),
            event(Event::StatusUpdate(Default::default())),
            event(Event::SubagentEvent {
                parent_tool_call_id: Some("c1".to_owned()),
                agent_id: None,
                subagent_type: None,
                event: Box::new(inner),
            }),
            event(Event::PlanDisplay {
                content: "# Plan".to_owned(),
                file_path: "/p.md".to_owned(),
            }),
            turn_end(),
            well(),
        ]],
    )
    .await;
    assert_eq!(
        ran.lines(),
        [
            r#"{"role":"assistant","content":"I will delegate."}"#,
            r##"{"content":"# Plan","file_path":"/p.md"}"##,
        ]
    );
}

#[tokio::test]
async fn an_error_is_the_last_record_and_a_line_on_stderr() {
    let failure = Failure {
        kind: FailureKind::Provider { status: Some(500), retryable: true },
        message: "internal error\u{1b}[2J (HTTP 500)".to_owned(),
        hint: Some("Try again later.".to_owned()),
    };
    let ran = play(
        json("hi"),
        b"",
        vec![vec![
            step(1),
            text("before"),
            event(Event::StepInterrupted {}),
            turn_end(),
            Step::End(Outcome::Failed(failure)),
        ]],
    )
    .await;
    assert_eq!(ran.lines()[0], r#"{"role":"assistant","content":"before"}"#);
    assert_eq!(
        ran.lines()[1],
        r#"{"error":{"type":"provider","message":"internal error\u001b[2J (HTTP 500)","retryable":true,"status_code":500,"hint":"Try again later."}}"#
    );
    assert_eq!(
        ran.err,
        "internal error[2J (HTTP 500)\nTry again later.\n\nTo resume this session: kimi -r s-1\n"
    );
    assert_eq!(ran.code, ExitCode::TryLater);
}

#[tokio::test]
async fn quiet_prints_the_text_of_the_last_step_alone() {
    let options = PrintOptions { final_only: true, ..prompt("hi") };
    let script = || {
        vec![
            begin(),
            step(1),
            text("first"),
            call("c1", "Shell", "{}"),
            result("c1", ToolReturnValue::ok("out", "")),
            step(2),
            think("hm"),
            text("I wrote "),
            text("it."),
            turn_end(),
        ]
    };
    let ran =
        play(options.clone(), b"", vec![script().into_iter().chain([well()]).collect()]).await;
    assert_eq!(ran.out, "I wrote it.\n");
    assert_eq!(ran.err, "\nTo resume this session: kimi -r s-1\n");

    let rejected = Step::End(Outcome::Finished { stop: StopReason::ToolRejected });
    let ran =
        play(options.clone(), b"", vec![script().into_iter().chain([rejected]).collect()]).await;
    assert_eq!((ran.out.as_str(), ran.code), ("", ExitCode::Success));

    let limit = Step::End(Outcome::MaxStepsReached { steps: 2 });
    let ran = play(options, b"", vec![script().into_iter().chain([limit]).collect()]).await;
    assert_eq!((ran.out.as_str(), ran.code), ("", ExitCode::Failure));
    assert!(
        ran.err.starts_with("Max number of steps reached: 2\nRaise it with --max-steps-per-turn, "),
        "{}",
        ran.err
    );
}
