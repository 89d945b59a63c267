//! The model client against a real server, with everything that goes wrong on the way.

use std::time::Duration;

use futures_util::StreamExt;
use kimi_tui::llm::{
    Assembler, Capabilities, ChatRequest, Connection, Delta, FinishReason, Llm, LlmError, Message,
    ModelSpec, ProviderKind, Timeouts, ToolSpec, connect,
};
use kimi_tui::platform::env::fixed;
use kimi_tui::protocol::{
    ContentPart, MediaUrl, TokenUsage, ToolCall, ToolOutput, ToolReturnValue,
};
use serde_json::{Value, json};

use crate::support::model_server::{Gate, ModelServer, Recorded, Reply};

fn spec(kind: ProviderKind, base_url: &str) -> ModelSpec {
    ModelSpec {
        name: "mine".into(),
        display_name: None,
        kind,
        base_url: base_url.into(),
        api_key: "sk-test".into(),
        model: "test-model".into(),
        max_context: 100_000,
        capabilities: Capabilities { thinking: true, ..Capabilities::default() },
        prices: None,
        custom_headers: vec![("X-Extra".into(), "yes".into())],
        reasoning_key: None,
        env: Vec::new(),
    }
}

fn open(spec: &ModelSpec, timeouts: Timeouts, vars: &[(&str, &str)]) -> Llm {
    let connection = Connection {
        thinking: true,
        session_id: "session-1",
        user_agent_suffix: Some("editor 1.0"),
        device_id: Some(std::sync::Arc::new(|| Some("d".repeat(32)))),
        tokens: None,
        timeouts,
    };
    connection.open(spec, &fixed::env("/home/u", vars)).unwrap()
}

fn kimi(server: &ModelServer) -> Llm {
    open(&spec(ProviderKind::Kimi, &server.url()), Timeouts::default(), &[])
}

fn impatient(server: &ModelServer) -> Llm {
    let timeouts = Timeouts {
        headers: Duration::from_millis(400),
        idle: Duration::from_millis(400),
        trailer: Duration::from_millis(50),
        ..Timeouts::default()
    };
    open(&spec(ProviderKind::Kimi, &server.url()), timeouts, &[])
}

/// What an attempt brought, and how it ended.
struct Attempt {
    deltas: Vec<Delta>,
    end: Result<(), LlmError>,
}

impl Attempt {
    fn text(&self) -> String {
        let text = |delta: &Delta| match delta {
            Delta::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.deltas.iter().filter_map(text).collect()
    }

    fn message(&self) -> Message {
        self.assembled().message(|| unreachable!("every call has an id"))
    }

    fn assembled(&self) -> Assembler {
        let mut assembler = Assembler::default();
        self.deltas.iter().for_each(|delta| assembler.push(delta));
        assembler
    }

    fn error(self) -> LlmError {
        self.end.unwrap_err()
    }
}

async fn ask(llm: &Llm, messages: &[Message], tools: &[ToolSpec]) -> Attempt {
    let request = ChatRequest { system: "SYS", tools, messages, context_tokens: 0 };
    let mut stream = match llm.provider.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return Attempt { deltas: Vec::new(), end: Err(error) },
    };
    let mut deltas = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(delta) => deltas.push(delta),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the last item");
                return Attempt { deltas, end: Err(error) };
            }
        }
    }
    Attempt { deltas, end: Ok(()) }
}

async fn say_hi(llm: &Llm) -> Attempt {
    ask(llm, &[Message::user_text("hi")], &[]).await
}

async fn reply(reply: Reply) -> Attempt {
    let server = ModelServer::start(vec![reply]);
    say_hi(&kimi(&server)).await
}

#[tokio::test]
async fn a_whole_answer_with_thinking_calls_and_usage() {
    let server = ModelServer::start(vec![
        Reply::new()
            .pieces_of(3)
            .think("I should look.")
            .text("Let me see: 好的。")
            .tool_call("c1", "Glob", r#"{"pattern":"*"}"#)
            .tool_call("c2", "ReadFile", r#"{"path":"a"}"#)
            .usage(120, 7, 100),
    ]);
    let attempt = say_hi(&kimi(&server)).await;
    assert_eq!(attempt.end, Ok(()));
    assert_eq!(
        attempt.message(),
        Message::assistant(
            vec![ContentPart::think("I should look."), ContentPart::text("Let me see: 好的。")],
            vec![
                ToolCall::new("c1", "Glob", r#"{"pattern":"*"}"#),
                ToolCall::new("c2", "ReadFile", r#"{"path":"a"}"#),
            ],
        )
    );
    let whole = attempt.assembled();
    assert_eq!(whole.finish, Some(FinishReason::ToolCalls));
    assert_eq!(whole.message_id.as_deref(), Some("chatcmpl-test"));
    let usage =
        TokenUsage { input_other: 20, output: 7, input_cache_read: 100, input_cache_creation: 0 };
    assert_eq!(whole.usage, Some(usage));
}

#[tokio::test]
async fn deltas_come_as_they_are_sent() {
    let gate = Gate::new();
    let server = ModelServer::start(vec![Reply::new().text("first").wait(&gate).text("second")]);
    let llm = kimi(&server);
    let messages = [Message::user_text("hi")];
    let request = ChatRequest { system: "", tools: &[], messages: &messages, context_tokens: 0 };
    let mut stream = llm.provider.stream(request).await.unwrap();
    assert!(matches!(stream.next().await, Some(Ok(Delta::MessageId(_)))));
    assert_eq!(stream.next().await, Some(Ok(Delta::Text("first".into()))));
    gate.open();
    assert_eq!(stream.next().await, Some(Ok(Delta::Text("second".into()))));
}

#[tokio::test]
async fn a_slow_stream_is_no_idle_one() {
    let server = ModelServer::start(vec![
        Reply::new()
            .late(Duration::from_millis(5))
            .sleep(Duration::from_millis(5))
            .pieces_of(1)
            .pace(Duration::from_millis(50))
            .text("slowly but surely")
            .finish("content_filter"),
    ]);
    let timeouts = Timeouts { idle: Duration::from_millis(600), ..Timeouts::default() };
    let llm = open(&spec(ProviderKind::Kimi, &server.url()), timeouts, &[]);
    let attempt = say_hi(&llm).await;
    assert_eq!(attempt.assembled().finish, Some(FinishReason::ContentFilter));
    assert_eq!((attempt.text().as_str(), attempt.end), ("slowly but surely", Ok(())));
}

#[tokio::test]
async fn kimi_headers() {
    let server = ModelServer::start(vec![Reply::new().text("hi")]);
    say_hi(&kimi(&server)).await.end.unwrap();
    let request = &server.requests()[0];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.header("authorization"), Some("Bearer sk-test"));
    assert_eq!(
        request.header("user-agent"),
        Some(format!("KimiCLI/{version} (editor 1.0)").as_str())
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-msh-platform"), Some("kimi_cli"));
    assert_eq!(request.header("x-msh-version"), Some(version));
    assert_eq!(request.header("x-msh-device-id"), Some("d".repeat(32).as_str()));
    assert!(request.header("x-msh-os-version").is_some());
    assert_eq!(request.header("x-extra"), Some("yes"));
}

#[tokio::test]
async fn other_servers_learn_nothing_of_the_machine() {
    let server = ModelServer::start(vec![Reply::new().text("hi")]);
    let spec = ModelSpec {
        api_key: Default::default(),
        ..spec(ProviderKind::OpenAiLegacy, &server.url())
    };
    let llm = connect(&spec, false, "s", None, &fixed::env("/home/u", &[])).unwrap();
    say_hi(&llm).await.end.unwrap();
    let request = &server.requests()[0];
    assert!(request.headers.iter().all(|(name, _)| !name.starts_with("x-msh")));
    assert_eq!(request.header("authorization"), None);
}

fn tools() -> Vec<ToolSpec> {
    vec![ToolSpec {
        name: "Glob".into(),
        description: "Finds files.".into(),
        parameters: json!({"type": "object", "properties": {"pattern": {}}}),
    }]
}

fn history() -> Vec<Message> {
    let image =
        |url: &str| ContentPart::ImageUrl { image_url: MediaUrl { url: url.into(), id: None } };
    let seen = ToolReturnValue {
        output: ToolOutput::Parts(vec![image("data:image/png;base64,AA==")]),
        message: "Seen.".into(),
        ..ToolReturnValue::default()
    };
    vec![
        Message::user(vec![ContentPart::text("look"), image("data:image/png;base64,BB==")]),
        Message::assistant(
            vec![ContentPart::think("hm"), ContentPart::text("")],
            vec![
                ToolCall::new("c1", "Glob", "{\"pattern\":\"*\"}"),
                ToolCall::new("c2", "Glob", "{"),
            ],
        ),
        Message::tool_result("c1", &ToolReturnValue::ok("a.txt\n", "1 found.")),
        Message::tool_result("c2", &seen),
        Message::assistant(vec![ContentPart::think(""), ContentPart::text("One file.")], vec![]),
        Message::assistant(vec![ContentPart::think("cut off")], vec![]),
        Message::user_text("thanks"),
    ]
}

async fn body_of(kind: ProviderKind, messages: &[Message], vars: &[(&str, &str)]) -> Recorded {
    let server = ModelServer::start(vec![Reply::new().text("hi")]);
    let llm = open(&spec(kind, &server.url()), Timeouts::default(), vars);
    ask(&llm, messages, &tools()).await.end.unwrap();
    server.wait_for(1).remove(0)
}

#[tokio::test]
async fn the_body_of_kimi() {
    let body = body_of(ProviderKind::Kimi, &history(), &[]).await.raw;
    let expected = concat!(
        r#"{"model":"test-model","stream":true,"stream_options":{"include_usage":true},"#,
        r#""prompt_cache_key":"session-1","thinking":{"type":"enabled"},"#,
        r#""tools":[{"type":"function","function":{"name":"Glob","description":"Finds files.","#,
        r#""parameters":{"type":"object","properties":{"pattern":{"type":"string"}}}}}],"#,
        r#""messages":[{"role":"system","content":"SYS"},"#,
        r#"{"role":"user","content":[{"type":"text","text":"look"},"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,BB=="}}]},"#,
        r#"{"role":"assistant","reasoning_content":"hm","tool_calls":["#,
        r#"{"type":"function","id":"c1","function":{"name":"Glob","arguments":"{\"pattern\":\"*\"}"}},"#,
        r#"{"type":"function","id":"c2","function":{"name":"Glob","arguments":"{\"invalid_json\":\"{\"}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"<system>1 found.</system>"},"#,
        r#"{"type":"text","text":"a.txt\n"}]},"#,
        r#"{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"<system>Seen.</system>"},"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},"#,
        r#"{"role":"assistant","reasoning_content":"","content":"One file."},"#,
        r#"{"role":"user","content":"thanks"}],"max_completion_tokens":"#,
    );
    assert_eq!(&body[..expected.len().min(body.len())], expected);
    let cap: Value = serde_json::from_str(&body).unwrap();
    let cap = cap["max_completion_tokens"].as_u64().unwrap();
    // The window less the margin and the guessed input, which has two pictures in it.
    assert!((94_800..95_000 - 24).contains(&cap), "{cap}");
}

#[tokio::test]
async fn the_body_of_openai() {
    let body = body_of(ProviderKind::OpenAiLegacy, &history(), &[]).await.raw;
    let expected = concat!(
        r#"{"model":"test-model","stream":true,"stream_options":{"include_usage":true},"reasoning_effort":"high","#,
        r#""tools":[{"type":"function","function":{"name":"Glob","description":"Finds files.","#,
        r#""parameters":{"type":"object","properties":{"pattern":{"type":"string"}}}}}],"#,
        r#""messages":[{"role":"system","content":"SYS"},"#,
        r#"{"role":"user","content":[{"type":"text","text":"look"},"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,BB=="}}]},"#,
        r#"{"role":"assistant","reasoning_content":"hm","content":null,"tool_calls":["#,
        r#"{"type":"function","id":"c1","function":{"name":"Glob","arguments":"{\"pattern\":\"*\"}"}},"#,
        r#"{"type":"function","id":"c2","function":{"name":"Glob","arguments":"{\"invalid_json\":\"{\"}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"<system>1 found.</system>"},"#,
        r#"{"type":"text","text":"a.txt\n"}]},"#,
        r#"{"role":"tool","tool_call_id":"c2","content":"<system>Seen.</system>"},"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},"#,
        r#"{"role":"assistant","content":"One file."},"#,
        r#"{"role":"user","content":"thanks"}]}"#,
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_environment_turns_knobs() {
    let vars = [
        ("KIMI_MODEL_TEMPERATURE", "0.6"),
        ("KIMI_MODEL_TOP_P", "warm"),
        ("KIMI_MODEL_MAX_TOKENS", "777"),
        ("KIMI_MODEL_THINKING_KEEP", "all"),
    ];
    let body = body_of(ProviderKind::Kimi, &[Message::user_text("hi")], &vars).await.body;
    assert_eq!(body["temperature"], json!(0.6));
    assert_eq!(body.get("top_p"), None);
    assert_eq!(body["max_completion_tokens"], 777);
    assert_eq!(body["thinking"], json!({"type": "enabled", "keep": "all"}));
    let uncapped = [("KIMI_MODEL_MAX_COMPLETION_TOKENS", "0")];
    let body = body_of(ProviderKind::Kimi, &[Message::user_text("hi")], &uncapped).await.body;
    assert_eq!(body.get("max_completion_tokens"), None);
}

/// Whatever a later request adds comes after all that an earlier one said.
#[tokio::test]
async fn bodies_only_grow_at_their_end() {
    let history = history();
    // An answer and the results of its calls come together.
    let steps = [1, 4, 5, 6, 7];
    for kind in [ProviderKind::Kimi, ProviderKind::OpenAiLegacy] {
        let server = ModelServer::start(|_: &Recorded, _| Reply::new().text("hi"));
        let llm = open(&spec(kind, &server.url()), Timeouts::default(), &[]);
        for step in steps {
            ask(&llm, &history[..step], &tools()).await.end.unwrap();
        }
        let bodies = server.wait_for(steps.len());
        for pair in bodies.windows(2) {
            let end = pair[0].raw.rfind("}]").unwrap() + 1;
            let (early, late) = (&pair[0].raw[..end], &pair[1].raw);
            assert!(early.contains("\"messages\":[{\"role\":\"system\""));
            assert!(late.starts_with(early), "{early}\nis not the beginning of\n{late}");
        }
    }
}

#[tokio::test]
async fn a_dropped_connection_keeps_what_came() {
    let attempt = reply(Reply::new().text("half an ans").drop_here()).await;
    assert_eq!(attempt.text(), "half an ans");
    let error = attempt.error();
    assert!(matches!(error, LlmError::Connection(_)) && error.retryable(), "{error}");
}

#[tokio::test]
async fn a_body_that_ends_early_is_incomplete() {
    let attempt = reply(Reply::new().text("half").cut()).await;
    let told = "the connection closed before the answer was complete";
    assert_eq!(attempt.error(), LlmError::Connection(told.into()));
    let empty = reply(Reply::new().cut()).await;
    assert_eq!(empty.error(), LlmError::Connection(told.into()));
}

#[tokio::test]
async fn a_finish_reason_is_end_enough() {
    let last = r#"{"choices":[{"delta":{"content":"all"},"finish_reason":"length"}]}"#;
    for ending in [
        Reply::new().event(last).cut(),
        Reply::new().event(last).drop_here(),
        Reply::new().event(last).stall(),
        Reply::new().bytes(format!("data: {last}")).cut(),
    ] {
        let server = ModelServer::start(vec![ending]);
        let attempt = say_hi(&impatient(&server)).await;
        assert_eq!(attempt.text(), "all");
        assert_eq!(attempt.assembled().finish, Some(FinishReason::Length));
        assert_eq!(attempt.end, Ok(()));
    }
}

#[tokio::test]
async fn statuses_tell_what_the_server_said() {
    let refused = json!({"error": {"message": "Invalid\nAuthentication \u{1b}[31m", "type": "x"}});
    let attempt = reply(Reply::status(401, refused).header("x-request-id", "r-1")).await;
    let error = attempt.error();
    assert_eq!(
        error,
        LlmError::Status {
            code: 401,
            message: "Invalid Authentication [31m".into(),
            request_id: Some("r-1".into()),
            retry_after: None,
        }
    );
    assert!(!error.retryable());

    let limited = reply(Reply::status(429, json!({})).header("retry-after", "3")).await.error();
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(3)));
    // The clock of the test stands at 03:04:05.
    let date = "Fri, 02 Jan 2026 03:04:15 GMT";
    let limited = reply(Reply::status(429, json!({})).header("retry-after", date)).await.error();
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(10)));

    let page = Reply::body(502, "text/html", "<html><title>Bad Gateway</title>\n<b>x</b></html>");
    let error = reply(page).await.error();
    assert!(
        error.retryable() && error.to_string().contains("failed with the page \"Bad Gateway\"")
    );
    let error = reply(Reply::status(500, json!({"error": {"message": "x".repeat(9999)}}))).await;
    assert!(error.error().to_string().chars().count() < 600);
}

#[tokio::test]
async fn a_malformed_chunk_is_told_after_what_came() {
    let attempt = reply(Reply::new().text("ok").event("{\"choices\": [")).await;
    assert_eq!(attempt.text(), "ok");
    let error = attempt.error();
    assert!(matches!(&error, LlmError::Malformed(text) if text.contains("{\"choices\": [")));
    assert!(reply(Reply::new().event("[1]")).await.end.is_err());
    // Nonsense that is JSON does no harm.
    for odd in [r#"{"choices":{}}"#, r#"{"choices":[{"delta":7,"usage":[]}]}"#, "{}"] {
        assert_eq!(reply(Reply::new().event(odd).text("x")).await.end, Ok(()), "{odd}");
    }
}

#[tokio::test]
async fn errors_inside_the_stream() {
    let busy = r#"{"error":{"message":"too\nbusy","code":"503"}}"#;
    let attempt = reply(Reply::new().text("a").event(busy)).await;
    assert_eq!((attempt.text().as_str(), attempt.error().status()), ("a", Some(503)));
    let limited = r#"{"error":{"message":"slow","type":"rate_limit_error","code":null}}"#;
    assert_eq!(reply(Reply::new().event(limited)).await.error().status(), Some(429));
    let named = "event: error\ndata: {\"message\":\"gone\"}\n\n";
    assert_eq!(reply(Reply::new().bytes(named)).await.error(), LlmError::Other("gone".into()));
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let server = ModelServer::start(vec![Reply::new().text("and then").stall(), Reply::hang()]);
    let attempt = say_hi(&impatient(&server)).await;
    assert_eq!(attempt.text(), "and then");
    let error = attempt.error();
    assert!(matches!(&error, LlmError::Timeout(text) if text.contains("sent nothing for 0.4 s")));
    let error = say_hi(&impatient(&server)).await.error();
    assert!(matches!(&error, LlmError::Timeout(text) if text.contains("did not begin")), "{error}");
}

/// An answer that goes on with comments for a minute and says nothing more.
fn kept_alive(begin: Reply) -> ModelServer {
    let pings = |reply: Reply, _| reply.bytes(": ping\n\n").sleep(Duration::from_millis(20));
    ModelServer::start(vec![(0..3_000).fold(begin, pings).cut()])
}

#[tokio::test]
async fn comments_do_not_hold_up_a_finished_answer() {
    let last = r#"{"choices":[{"delta":{"content":"all"},"finish_reason":"stop"}]}"#;
    let server = kept_alive(Reply::new().event(last));
    let llm = impatient(&server);
    let attempt = tokio::time::timeout(Duration::from_secs(30), say_hi(&llm)).await.unwrap();
    assert_eq!((attempt.text().as_str(), attempt.end), ("all", Ok(())));
}

#[tokio::test]
async fn comments_are_no_answer_for_ever() {
    let server = kept_alive(Reply::new().text("and then"));
    let timeouts = Timeouts { data: Duration::from_millis(600), ..Timeouts::default() };
    let llm = open(&spec(ProviderKind::Kimi, &server.url()), timeouts, &[]);
    let attempt = tokio::time::timeout(Duration::from_secs(30), say_hi(&llm)).await.unwrap();
    assert_eq!(attempt.text(), "and then");
    let error = attempt.error();
    assert!(matches!(&error, LlmError::Timeout(text) if text.contains("nothing for 0.6 s")));
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_no_rate_limit() {
    for (body, quota) in [
        (json!({"error": {"message": "m", "type": "insufficient_quota"}}), true),
        (json!({"error": {"message": "m", "type": "x", "code": "insufficient_quota"}}), true),
        (json!({"error": {"message": "m", "type": "exceeded_current_quota_error"}}), true),
        (json!({"error": {"message": "m", "type": "rate_limit_reached_error"}}), false),
    ] {
        let event = body.to_string();
        for answer in [Reply::status(429, body), Reply::new().event(&event)] {
            let error = reply(answer).await.error();
            assert_eq!(error.status(), Some(429), "{error}");
            assert_eq!(error.quota_exhausted(), quota, "{error}");
            assert_eq!((error.retryable(), error.temporary()), (!quota, !quota), "{error}");
            assert_eq!(error.to_string().contains("quota"), quota, "{error}");
        }
    }
}

#[tokio::test]
async fn an_endless_answer_is_bounded() {
    let attempt = reply(Reply::new().endless(&"talk ".repeat(20_000))).await;
    let error = attempt.error();
    assert!(!error.retryable() && error.to_string().contains("64 MiB"), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let spec = spec(ProviderKind::Kimi, &format!("http://127.0.0.1:{port}/v1"));
    let error = say_hi(&open(&spec, Timeouts::default(), &[])).await.error();
    let LlmError::Connection(text) = &error else { panic!("{error:?}") };
    assert!(text.starts_with(&format!("cannot connect to 127.0.0.1:{port}: ")), "{text}");
}

#[tokio::test]
async fn the_content_type_does_not_matter_but_the_content_does() {
    let events = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n";
    let attempt = reply(Reply::body(200, "application/garbage", events)).await;
    assert_eq!((attempt.text().as_str(), attempt.end), ("hi", Ok(())));

    let whole = json!({"id": "m", "choices": [{"message": {"reasoning_content": "t", "content": "hi",
        "tool_calls": [{"id": "c", "function": {"name": "Glob", "arguments": {"a": 1}}}]},
        "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}});
    let attempt = reply(Reply::status(200, whole)).await;
    assert_eq!(attempt.end, Ok(()));
    let message = attempt.message();
    assert_eq!(message.content, [ContentPart::think("t"), ContentPart::text("hi")]);
    assert_eq!(message.tool_calls, [ToolCall::new("c", "Glob", r#"{"a":1}"#)]);
    assert_eq!(attempt.assembled().usage.unwrap().total(), 5);

    for (kind, body, told) in [
        ("text/html", "<!doctype html><title>Welcome</title>", "the web page \"Welcome\""),
        ("text/event-stream", "<html>", "a web page"),
        ("application/json", "{\"choices\"", "not valid JSON"),
        ("application/json", "{\"object\":\"list\"}", "without choices"),
        ("text/plain", "hello", "no event stream"),
    ] {
        let error = reply(Reply::body(200, kind, body)).await.error();
        assert!(error.to_string().contains(told), "{error}");
        // A torn answer may be whole the next time; a page stays a page.
        assert_eq!(error.retryable(), told == "not valid JSON", "{error}");
        assert_eq!(error.to_string().contains("check base_url"), !error.retryable(), "{error}");
    }
    let error = reply(Reply::status(200, json!({"error": {"message": "no", "code": 400}}))).await;
    assert_eq!(error.error().status(), Some(400));
}

#[tokio::test]
async fn the_key_stays_with_its_host() {
    let other = ModelServer::start(vec![Reply::new().text("stolen")]);
    let there = format!("{}/chat/completions", other.url());
    let attempt = reply(Reply::status(307, json!({})).header("location", &there)).await;
    let error = attempt.error();
    assert_eq!(error.status(), Some(307));
    assert!(error.to_string().contains("redirects to http://127.0.0.1:"), "{error}");
    assert!(other.requests().is_empty());

    let server = ModelServer::start(vec![
        Reply::status(307, json!({})).header("location", "/v2/chat/completions"),
        Reply::new().text("moved"),
    ]);
    assert_eq!(say_hi(&kimi(&server)).await.text(), "moved");
    let requests = server.requests();
    assert_eq!(requests[1].path, "/v2/chat/completions");
    assert_eq!(requests[1].method, "POST");
    assert_eq!(requests[0].raw, requests[1].raw);

    let circle = ModelServer::start(|request: &Recorded, _: usize| {
        Reply::status(302, json!({})).header("location", &request.path)
    });
    assert!(matches!(say_hi(&kimi(&circle)).await.error(), LlmError::Other(_)));
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    // The server can take the next request only after the first client is gone or done.
    let server = ModelServer::start(vec![Reply::new().text("a").stall(), Reply::new().text("b")]);
    let llm = kimi(&server);
    let messages = [Message::user_text("hi")];
    let request = ChatRequest { system: "", tools: &[], messages: &messages, context_tokens: 0 };
    let mut stream = llm.provider.stream(request).await.unwrap();
    stream.next().await;
    drop(stream);
    assert_eq!(say_hi(&llm).await.text(), "b");
    assert_eq!(server.requests()[1].last_user_text(), "hi");
}

/// A body may end some time after its last event; the connection outlives that.
#[tokio::test]
async fn connections_are_used_again() {
    let server = ModelServer::start(|_: &Recorded, _: usize| {
        let done = "data: [DONE]\n\n";
        Reply::new().text("hi").bytes(done).sleep(Duration::from_millis(20)).cut()
    });
    let llm = kimi(&server);
    // The first connections are still waiting for their end when the next request goes out.
    let mut peers = std::collections::BTreeSet::new();
    for n in 0..1000 {
        say_hi(&llm).await.end.unwrap();
        if !peers.insert(server.wait_for(n + 1)[n].peer) {
            return;
        }
    }
    panic!("a thousand requests took a thousand connections");
}
