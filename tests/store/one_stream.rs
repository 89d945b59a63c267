//! One scripted session, played to every front end: they agree on what was said, called and
//! returned, and so does the record.

use std::sync::Arc;

use kimi_tui::agent::Modes;
use kimi_tui::config::{Config, ConfigSource};
use kimi_tui::front::host::{Host, HostOptions, Which};
use kimi_tui::platform::env::fixed;
use kimi_tui::protocol::{ContentPart, Event, Message, Op, UserInput};
use kimi_tui::store::{SessionStore, ShareDir, WireLog, WireRecord};
use serde_json::Value;

use crate::agent::bench::PATIENCE;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::program::Home;
use crate::support::pty::Pty;
use crate::support::screen::is_idle;

/// What happened, as told by one of them.
#[derive(Debug, Default, PartialEq)]
struct Story {
    thinking: String,
    text: String,
    /// Id, name, arguments.
    calls: Vec<(String, String, String)>,
    /// Id and what the model is told.
    results: Vec<(String, String)>,
}

impl Story {
    fn event(&mut self, event: &Event) {
        match event {
            Event::ContentPart(ContentPart::Text { text }) => self.text.push_str(text),
            Event::ContentPart(ContentPart::Think { think, .. }) => self.thinking.push_str(think),
            Event::ToolCall(call) => self.calls.push((
                call.id.clone(),
                call.function.name.clone(),
                call.arguments().to_owned(),
            )),
            Event::ToolCallPart { arguments_part } => {
                let call = self.calls.last_mut().expect("a call");
                call.2.push_str(arguments_part.as_deref().unwrap_or_default());
            }
            Event::ToolResult { tool_call_id, return_value } => {
                let message = kimi_tui::llm::Message::tool_result(tool_call_id, return_value);
                self.results.push((tool_call_id.clone(), message.text()));
            }
            Event::StepRetry { .. } => panic!("the attempt is withdrawn before this story"),
            _ => {}
        }
    }

    fn record(&mut self, record: &Value) {
        let parts = match &record["content"] {
            Value::String(text) => vec![serde_json::json!({"type": "text", "text": text})],
            parts => parts.as_array().cloned().unwrap_or_default(),
        };
        let text_of = |kind: &str| {
            parts
                .iter()
                .filter(|part| part["type"] == kind)
                .filter_map(|part| part[kind].as_str())
                .collect::<Vec<_>>()
        };
        if record["role"] == "tool" {
            let id = record["tool_call_id"].as_str().unwrap().to_owned();
            self.results.push((id, text_of("text").join("\n")));
            return;
        }
        assert_eq!(record["role"], "assistant", "{record}");
        self.text.push_str(&text_of("text").concat());
        self.thinking.push_str(&text_of("think").concat());
        for call in record["tool_calls"].as_array().into_iter().flatten() {
            let of = |value: &Value| value.as_str().unwrap().to_owned();
            let function = &call["function"];
            self.calls.push((of(&call["id"]), of(&function["name"]), of(&function["arguments"])));
        }
    }
}

/// Thinking, text, calls that run together and alone, one that fails.
fn script() -> Vec<Reply> {
    vec![
        Reply::new()
            .pieces_of(3)
            .think("First I look around.")
            .text("Looking at the files.")
            .tool_call("c1", "Glob", r#"{"pattern":"*.txt"}"#)
            .tool_call("c2", "ReadFile", r#"{"path":"missing.txt"}"#)
            .tool_call("c3", "Shell", r#"{"command":"echo shell-output; exit 3"}"#),
        Reply::new().think("Now I write.").text("Writing the file.").tool_call(
            "c4",
            "WriteFile",
            r#"{"path":"made.txt","content":"made\n"}"#,
        ),
        Reply::new().pieces_of(2).think("Done.").text("The final words."),
    ]
}

const PROMPT: &str = "please do it";

/// The story as it is compared: readers may end in any order, and each home is elsewhere.
fn plain(mut story: Story, home: &Home) -> Story {
    let place = home.path("project").display().to_string();
    for (_, text) in &mut story.results {
        *text = text.replace(&place, "@");
    }
    story.results.sort();
    story
}

fn of_wire(session: &std::path::Path, home: &Home) -> Story {
    let mut story = Story::default();
    for (_, record) in WireLog::read(&session.join("wire.jsonl")).unwrap() {
        if let WireRecord::Event(event) = record {
            story.event(&event);
        }
    }
    plain(story, home)
}

fn home() -> (ModelServer, Home) {
    let server = ModelServer::start(script());
    let home = Home::new(&server.url());
    home.write("project/a.txt", "a\n");
    (server, home)
}

/// Two subscribers in process, and the record of their session.
fn subscribers(home: &Home, url: &str) -> (Story, Story, Story) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let share = home.path("in-process");
    let env = fixed::env(home.path("home"), &[("KIMI_SHARE_DIR", share.to_str().unwrap())]);
    let loaded = Config::load(&ConfigSource::Text(Home::config(url)), &env).unwrap();
    let env = kimi_tui::platform::Env::new(
        [("KIMI_SHARE_DIR".to_owned(), share.to_str().unwrap().to_owned())]
            .into_iter()
            .chain(std::env::var("PATH").map(|path| ("PATH".to_owned(), path)))
            .collect(),
        home.path("home"),
        home.path("project"),
        env.clock,
        env.ids,
    );
    let host = Host {
        store: SessionStore::new(ShareDir::from_env(&env)),
        env,
        loaded: Arc::new(loaded),
        options: Arc::new(HostOptions {
            work_dir: home.path("project"),
            modes: Modes { runtime_afk: true, ..Modes::default() },
            ..HostOptions::default()
        }),
    };
    runtime.block_on(async {
        let opened = host.open(&Which::New).unwrap();
        let mut first = opened.handle.subscribe();
        let mut second = opened.handle.subscribe();
        opened.handle.submit(Op::Prompt { id: "p".into(), input: UserInput::from(PROMPT) });
        let (mut one, mut two) = (Story::default(), Story::default());
        for (messages, story) in [(&mut first, &mut one), (&mut second, &mut two)] {
            loop {
                let next = tokio::time::timeout(PATIENCE, messages.recv()).await;
                match &*next.expect("in time").expect("a message") {
                    Message::Event(event) => story.event(event),
                    Message::Outcome { .. } => break,
                    Message::Request(request) => panic!("{request:?}"),
                }
            }
        }
        let dir = opened.handle.session().dir.clone();
        opened.handle.shutdown(None).await;
        (plain(one, home), plain(two, home), of_wire(&dir, home))
    })
}

#[test]
fn all_front_ends_tell_the_same() {
    // A: two subscribers of one session, and its record.
    let (server, at) = home();
    let (first, second, wire) = subscribers(&at, &server.url());
    assert_eq!(first, second);
    assert_eq!(first, wire);
    assert_eq!(first.text, "Looking at the files.Writing the file.The final words.");
    assert_eq!(first.thinking, "First I look around.Now I write.Done.");
    assert_eq!((first.calls.len(), first.results.len()), (4, 4));
    assert!(first.results[2].1.contains("shell-output"), "{first:#?}");

    // B: print mode as records, and its record on disk.
    let (_server, at) = home();
    let ran = at.run(&["--print", "--output-format", "stream-json", "-p", PROMPT]);
    let mut records = Story::default();
    ran.well().records().iter().for_each(|record| records.record(record));
    assert_eq!(plain(records, &at), first);
    assert_eq!(of_wire(&at.session(), &at), first);

    // C: print mode as text, and its record on disk.
    let (_server, at) = home();
    let ran = at.run(&["--print", "-p", PROMPT]);
    assert_eq!(ran.well().out, "Looking at the files.\nWriting the file.\nThe final words.\n");
    assert_eq!(of_wire(&at.session(), &at), first);

    // D: the screen, and its record on disk.
    let (_server, at) = home();
    on_screen(&at);
    assert_eq!(of_wire(&at.session(), &at), first);
}

fn on_screen(home: &Home) {
    let share = home.path("share");
    let (home_dir, path) = (home.path("home"), std::env::var("PATH").unwrap_or_default());
    let env = [
        ("HOME", home_dir.to_str().unwrap()),
        ("KIMI_SHARE_DIR", share.to_str().unwrap()),
        ("USER", "tester"),
        ("TERM", "xterm-256color"),
        ("PATH", path.as_str()),
    ];
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_kimi"));
    let mut pty =
        Pty::spawn(binary, &["--yolo", "--thinking"], &env, &home.path("project"), (100, 60));
    pty.wait_for_rows("the prompt", is_idle);
    pty.send(format!("{PROMPT}\r"));
    let rows = pty.wait_for_rows("the end", |rows| {
        is_idle(rows) && rows.iter().any(|row| row.contains("The final words."))
    });
    let screen = rows.join("\n");
    for part in [
        PROMPT,
        // Thinking that has ended is one row; the pager has all of it.
        "• Thought",
        "Looking at the files.",
        "*.txt",
        "missing.txt",
        "shell-output",
        "Writing the file.",
        "made.txt",
    ] {
        assert!(screen.contains(part), "{part} is missing:\n{screen}");
    }
    // In the order in which it happened.
    let at = |part: &str| screen.find(part).unwrap();
    for reader in ["*.txt", "missing.txt"] {
        assert!(at("Looking at the files.") < at(reader) && at(reader) < at("shell-output"));
    }
    assert!(at("shell-output") < at("Writing the file."));
    assert!(at("Writing the file.") < at("made.txt") && at("made.txt") < at("The final words."));
    pty.send("/exit\r");
    pty.wait_exit();
}
