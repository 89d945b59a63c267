//! The bytes of request bodies, through the real provider and a real server.

use std::sync::Arc;

use kimi_tui::agent::Modes;
use kimi_tui::config::{Config, ConfigSource};
use kimi_tui::front::host::{Host, HostOptions, Which};
use kimi_tui::platform::env::fixed;
use kimi_tui::protocol::{Message, Op, Outcome, UserInput};
use kimi_tui::store::{SessionStore, ShareDir};

use super::bench::{PATIENCE, strict};
use crate::support::model_server::{ModelServer, Recorded, Reply};

fn host(dir: &std::path::Path, url: &str) -> Host {
    let home = dir.join("home");
    let work = dir.join("work");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all(&work).unwrap();
    let share = dir.join("share");
    let env = fixed::env(home, &[("KIMI_SHARE_DIR", share.to_str().unwrap())]);
    let text = format!(
        "default_model = \"m\"\n[models.m]\nprovider = \"p\"\nmodel = \"test\"\n\
         max_context_size = 200000\n[providers.p]\ntype = \"kimi\"\nbase_url = \"{url}\"\n\
         api_key = \"sk-test\"\n"
    );
    let loaded = Config::load(&ConfigSource::Text(text), &env).unwrap();
    Host {
        store: SessionStore::new(ShareDir::from_env(&env)),
        env,
        loaded: Arc::new(loaded),
        options: Arc::new(HostOptions {
            work_dir: work,
            modes: Modes { runtime_afk: true, ..Modes::default() },
            ..HostOptions::default()
        }),
    }
}

async fn turn(host: &Host, which: &Which, prompts: &[&str]) -> String {
    let opened = host.open(which).unwrap();
    let mut messages = opened.handle.subscribe();
    for (n, prompt) in prompts.iter().enumerate() {
        opened.handle.submit(Op::Prompt { id: n.to_string(), input: UserInput::from(*prompt) });
        loop {
            let message = tokio::time::timeout(PATIENCE, messages.recv()).await.unwrap().unwrap();
            if let Message::Outcome { outcome, .. } = &*message {
                assert!(matches!(outcome, Outcome::Finished { .. }), "{outcome:?}");
                break;
            }
        }
    }
    let id = opened.handle.session().id.clone();
    opened.handle.shutdown(None).await;
    id
}

/// The text of a body up to the end of its last message.
fn head(request: &Recorded) -> &str {
    let end = request.raw.rfind("}]").expect("messages");
    let cap = request.raw.find(",\"max_completion_tokens\"").unwrap_or(end + 2);
    request.raw[..cap].trim_end_matches(']')
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_only_grow_at_their_end_also_through_a_resume() {
    // Ten steps with calls of all kinds, an answer; then, resumed, a step and an answer.
    let server = ModelServer::start(|_: &Recorded, index: usize| {
        let step = |n: usize| format!("c{n}");
        match index {
            0 => Reply::new().think("Let me see.").text("I will \u{1f40d} look.\n").tool_call(
                "c0",
                "Glob",
                r#"{"pattern":"*"}"#,
            ),
            3 => Reply::new()
                .tool_call("x1", "ReadFile", r#"{"path":"nope"}"#)
                .tool_call("x2", "Nope", "{torn")
                .tool_call("x3", "Shell", r#"{"command":"printf '\\303\\251\\033[1m'"}"#),
            10 | 12 => Reply::new().think("So.").text("Done."),
            n => Reply::new().tool_call(
                &step(n),
                "Shell",
                &format!(r#"{{"command":"echo step {n}"}}"#),
            ),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let host = host(dir.path(), &server.url());
    let id = turn(&host, &Which::New, &["do it"]).await;
    assert_eq!(server.requests().len(), 11);
    // Another day, another AGENTS.md, another file in the directory: the prompt stays.
    std::fs::write(dir.path().join("work/AGENTS.md"), "Use tabs.").unwrap();
    turn(&host, &Which::Id(id), &["and more"]).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 13);
    for (n, pair) in requests.windows(2).enumerate() {
        let (before, after) = (head(&pair[0]), head(&pair[1]));
        assert!(after.starts_with(before), "request {}:\n{before}\n---\n{after}", n + 2);
        assert!(after.len() > before.len());
        let (before, after) =
            (&pair[0].body["messages"], pair[1].body["messages"].as_array().unwrap());
        let before = before.as_array().unwrap();
        assert_eq!(after[..before.len()], before[..]);
        assert_eq!(pair[0].body["tools"], pair[1].body["tools"]);
    }
    for request in &requests {
        strict(&request.body["messages"]);
        assert_eq!(request.body["messages"][0], requests[0].body["messages"][0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_is_small() {
    let server = ModelServer::start(vec![Reply::new().text("hi")]);
    let dir = tempfile::tempdir().unwrap();
    turn(&host(dir.path(), &server.url()), &Which::New, &["hi"]).await;
    let body = &server.requests()[0].raw;
    assert!(body.len() < 20_000, "{} bytes", body.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_steps_with_compactions() {
    const STEPS: usize = 500;
    let mut asked_for = 0;
    let server = ModelServer::start(move |request: &Recorded, _: usize| {
        let size = request.raw.len() as u64 / 4;
        if request.body.get("tools").is_none_or(|tools| tools.as_array().is_none_or(Vec::is_empty))
        {
            return Reply::new().text("A SUMMARY of what was done.").usage(size, 10, 0);
        }
        let n = asked_for;
        asked_for += 1;
        if n == STEPS {
            return Reply::new().text("Done.").usage(size, 10, 0);
        }
        let command = format!(r#"{{"command":"seq {n} {}"}}"#, n + 400);
        Reply::new().tool_call(&format!("c{n}"), "Shell", &command).usage(size, 10, 0)
    });
    let dir = tempfile::tempdir().unwrap();
    let mut host = host(dir.path(), &server.url());
    let mut config = host.loaded.config.clone();
    config.models.get_mut("m").unwrap().max_context_size = 30_000;
    config.loop_control.reserved_context_size = 1_000;
    host.loaded = Arc::new(kimi_tui::config::LoadedConfig { config, ..(*host.loaded).clone() });
    let id = turn(&host, &Which::New, &["do it five hundred times"]).await;
    let requests = server.requests();
    let mut last: Option<&Recorded> = None;
    let (mut steps, mut compactions) = (0, 0);
    for request in &requests {
        strict(&request.body["messages"]);
        if request.body.get("tools").is_none_or(|tools| tools.as_array().is_none_or(Vec::is_empty))
        {
            compactions += 1;
            last = None;
            continue;
        }
        steps += 1;
        assert!(request.raw.len() < 150_000, "{} bytes", request.raw.len());
        if let Some(last) = last {
            let (before, after) = (head(last), head(request));
            // Results that were cut instead of summarised begin anew too.
            if !after.starts_with(before) {
                assert!(after.len() < before.len(), "step {steps} changes what was sent");
                compactions += 1;
            }
        }
        last = Some(request);
    }
    assert_eq!(steps, STEPS + 1);
    assert!(compactions >= 5, "{compactions} compactions");
    // Each call is in the record with one result, whatever the context holds by now.
    let session = host.store.find(&host.options.work_dir, &id).unwrap().unwrap();
    let record = std::fs::read_to_string(session.wire_path()).unwrap();
    let mut results = std::collections::HashMap::<String, usize>::new();
    for line in record.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if value["message"]["type"] == "ToolResult" {
            let id = value["message"]["payload"]["tool_call_id"].as_str().unwrap().to_owned();
            *results.entry(id).or_default() += 1;
        }
    }
    assert_eq!(results.len(), STEPS);
    assert!(results.values().all(|n| *n == 1));
}
