//! The tour is played against made-up tool results.

use std::time::Duration;

use futures_util::StreamExt;

use super::pace::deltas;
use super::script::script;
use super::state::ANSWERS_ONLY;
use super::{Answer, RATE, SCRATCH, Tour};
use crate::llm::{
    Assembler, Capabilities, ChatRequest, Delta, FinishReason, Message, ModelSpec, Provider,
    ProviderKind, Secret, ToolSpec,
};
use crate::platform::env::fixed;
use crate::protocol::{ContentPart, TokenUsage, ToolReturnValue};

const TOOLS: [&str; 6] =
    ["Glob", "ReadFile", "SetTodoList", "AskUserQuestion", "WriteFile", "StrReplaceFile"];

fn tour(env: &[(&str, &str)]) -> Tour {
    let spec = ModelSpec {
        name: "tour".into(),
        display_name: None,
        kind: ProviderKind::Tour,
        base_url: String::new(),
        api_key: Secret::default(),
        model: String::new(),
        max_context: 100_000,
        capabilities: Capabilities::default(),
        prices: None,
        custom_headers: Vec::new(),
        reasoning_key: None,
        env: env.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
    };
    Tour::new(&spec, &fixed::env("/home/u", &[]))
}

async fn next(tour: &Tour, messages: &[Message], tools: &[&str]) -> Message {
    let tools: Vec<_> = tools
        .iter()
        .map(|name| ToolSpec {
            name: (*name).into(),
            description: String::new(),
            parameters: serde_json::json!({}),
        })
        .collect();
    let request = ChatRequest { system: "", tools: &tools, messages, context_tokens: 0 };
    let mut stream = tour.stream(request).await.unwrap();
    let mut assembler = Assembler::default();
    while let Some(delta) = stream.next().await {
        assembler.push(&delta.unwrap());
    }
    assembler.check().unwrap();
    assert!(assembler.usage.is_some() && assembler.finish.is_some());
    assembler.message(String::new)
}

/// Plays a turn; each call is answered by `results`. The names of the calls and the last text.
async fn play(
    messages: &mut Vec<Message>,
    env: &[(&str, &str)],
    tools: &[&str],
    results: impl Fn(&str) -> ToolReturnValue,
) -> (Vec<String>, String) {
    let tour = tour(env);
    let mut called = Vec::new();
    for _ in 0..20 {
        let message = next(&tour, messages, tools).await;
        let call = message.tool_calls.first().cloned();
        let text = message.text();
        messages.push(message);
        let Some(call) = call else { return (called, text) };
        let arguments: serde_json::Value = serde_json::from_str(call.arguments()).unwrap();
        assert!(arguments.is_object());
        messages.push(Message::tool_result(&call.id, &results(&call.function.name)));
        called.push(call.function.name);
    }
    panic!("the tour does not end: {called:?}");
}

fn good(tool: &str) -> ToolReturnValue {
    match tool {
        "Glob" => ToolReturnValue::ok("README.md\nsrc\n", "Found 2."),
        "AskUserQuestion" => ToolReturnValue::ok(r#"{"answers":{"q":"All of it"}}"#, ""),
        _ => ToolReturnValue::ok("", "Done."),
    }
}

fn started() -> Vec<Message> {
    vec![Message::user(vec![
        ContentPart::text("<system-reminder>x</system-reminder>"),
        ContentPart::text("hello"),
    ])]
}

const SCRATCHED: [(&str, &str); 2] = [(SCRATCH, "/scratch"), (RATE, "0")];
const QUICK: [(&str, &str); 1] = [(RATE, "0")];

#[tokio::test]
async fn the_whole_tour_and_what_comes_after() {
    let mut messages = started();
    let (called, text) = play(&mut messages, &SCRATCHED, &TOOLS, good).await;
    let expected = [
        "Glob",
        "ReadFile",
        "SetTodoList",
        "AskUserQuestion",
        "WriteFile",
        "StrReplaceFile",
        "SetTodoList",
    ];
    assert_eq!(called, expected);
    for said in ["`/scratch/tour.md`", "no model", "KIMI_API_KEY", "config.toml", "```rust", "| `"]
    {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    for unsaid in ["/login", "{outcome}", "{path}"] {
        assert!(!text.contains(unsaid), "{unsaid}");
    }
    let ids: std::collections::BTreeSet<_> =
        messages.iter().flat_map(|message| &message.tool_calls).map(|call| &call.id).collect();
    assert_eq!(ids.len(), called.len());

    messages.push(Message::user_text("write me a web server"));
    let (called, text) = play(&mut messages, &SCRATCHED, &TOOLS, good).await;
    assert!(
        called.is_empty() && text.contains("no model is connected") && text.contains("`/theme`")
    );

    messages.push(Message::user_text("The TOUR, please!"));
    let (called, _) = play(&mut messages, &SCRATCHED, &TOOLS, good).await;
    assert_eq!(called, expected);
}

#[tokio::test]
async fn people_may_say_no() {
    let closing = &script().unwrap().closing;
    let answer = |json: &'static str| {
        move |tool: &str| match tool {
            "AskUserQuestion" => ToolReturnValue::ok(json, ""),
            tool => good(tool),
        }
    };
    let dismissed = answer(r#"{"answers":{},"note":"dismissed"}"#);
    let (called, text) = play(&mut started(), &SCRATCHED, &TOOLS, dismissed).await;
    assert_eq!(called.last().unwrap(), "AskUserQuestion");
    assert!(text.starts_with(&closing.after_dismissal));

    let answers = answer(r#"{"answers":{"q":"Answers"}}"#);
    let (called, text) = play(&mut started(), &SCRATCHED, &TOOLS, answers).await;
    assert_eq!(called.last().unwrap(), "AskUserQuestion");
    assert!(text.starts_with(&closing.after_answers));

    for refused in ["WriteFile", "StrReplaceFile"] {
        for (result, told) in [
            ("rejected by the user. User feedback: no", &closing.after_rejection),
            ("the disk is full", &closing.after_failure),
        ] {
            let results = |tool: &str| match tool {
                tool if tool == refused => ToolReturnValue::error(result, "No"),
                tool => good(tool),
            };
            let (called, text) = play(&mut started(), &SCRATCHED, &TOOLS, results).await;
            assert_eq!(called.last().unwrap(), refused);
            assert!(text.starts_with(told), "{text}");
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_left_out() {
    let (called, text) = play(&mut started(), &QUICK, &TOOLS, good).await;
    assert_eq!(called.last().unwrap(), "AskUserQuestion");
    assert!(text.starts_with(&script().unwrap().closing.after_no_scratch));

    let (called, text) = play(&mut started(), &SCRATCHED, &["Other"], good).await;
    assert!(called.is_empty() && text.contains("## How an answer looks"));

    let broken = |tool: &str| match tool {
        "Glob" => ToolReturnValue::error("no", "No"),
        tool => good(tool),
    };
    let (called, _) = play(&mut started(), &SCRATCHED, &TOOLS, broken).await;
    assert_eq!(called[..2], ["Glob", "SetTodoList"]);

    // Requests without tools are not the tour: titles, summaries.
    let side = next(&tour(&QUICK), &started(), &[]).await;
    assert_eq!(side.text(), script().unwrap().side.text);
}

#[test]
fn the_script_fits_the_code() {
    let script = script().unwrap();
    assert!(script.ask.options.iter().any(|choice| choice.label == ANSWERS_ONLY));
    assert!((2..=4).contains(&script.ask.options.len()) && script.ask.header.len() <= 12);
    assert_eq!(script.write.content.matches(&script.edit.old).count(), 1);
    assert_ne!(script.edit.old, script.edit.new);
    let todos = script.todos(1);
    let statuses: Vec<_> =
        todos["todos"].as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["done", "in_progress", "pending", "pending"]);
}

#[test]
fn it_is_paced_like_a_model() {
    let pace = |rate| tour(&[(RATE, rate)]).pace;
    assert_eq!(pace("0"), Duration::ZERO);
    assert_eq!(pace("100"), Duration::from_millis(10));
    for junk in ["", "fast", "-1", "NaN", "inf"] {
        assert_eq!(pace(junk), Duration::from_secs_f64(1.0 / 60.0), "{junk}");
    }
    assert_eq!(pace("1e-300"), Duration::from_secs(1));
}

#[test]
fn it_streams_word_by_word() {
    let answer = Answer {
        think: "Hm, well.\n".into(),
        text: "Extraordinary things\n\nhappen".into(),
        call: Some(("Glob", serde_json::json!({"a": "b c"}))),
    };
    let text = |text: &str, tokens| (Delta::Text(text.into()), tokens);
    let arguments = |text: &str, tokens| {
        let arguments = text.into();
        (Delta::ToolCall { index: 0, id: None, name: None, arguments }, tokens)
    };
    let usage = TokenUsage { input_other: 7, output: 16, ..TokenUsage::default() };
    let head = Delta::ToolCall {
        index: 0,
        id: Some("id".into()),
        name: Some("Glob".into()),
        arguments: String::new(),
    };
    assert_eq!(
        deltas(answer, "id".into(), 7),
        [
            (Delta::Think("Hm, ".into()), 1),
            (Delta::Think("well.".into()), 2),
            text("Extraordinary ", 4),
            text("things\n", 2),
            text("\n", 1),
            text("happen", 2),
            (head, 1),
            arguments("{\"a\":\"b ", 2),
            arguments("c\"}", 1),
            (Delta::Usage(usage), 0),
            (Delta::Finish(FinishReason::ToolCalls), 0),
        ]
    );
}
