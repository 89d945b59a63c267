//! Tokens while a server is in use: renewed unseen, and what happens when that fails.

use std::sync::Arc;

use kimi_tui::mcp::config::Source;
use kimi_tui::mcp::oauth::Login;
use kimi_tui::mcp::server::Status;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::authority::{Authority, say_yes};
use super::server::HttpServer;
use super::world::{World, env};
use kimi_tui::config::McpMode;
use kimi_tui::mcp::limits::Limits;

fn entry(server: &HttpServer, path: &str) -> Value {
    json!({"s": {"url": server.url(path), "auth": "oauth"}})
}

async fn log_in(dir: &std::path::Path, entries: &Value) {
    let source = Source::read(entries.as_object().unwrap()).unwrap();
    let env = env(dir);
    let login = Login::of(&source.servers[0], &env).unwrap();
    let (_, mut pasted) = mpsc::unbounded_channel();
    let told = |address: &str| {
        let address = address.to_owned();
        std::thread::spawn(move || say_yes(&address));
    };
    login.run(&env, told, &mut pasted).await.unwrap();
}

/// A server that somebody has logged in to, connected.
async fn logged_in(rules: Value, path: &str) -> (Arc<Authority>, HttpServer, World) {
    let authority = Authority::new(rules);
    let server = HttpServer::behind(&authority);
    let entries = entry(&server, path);
    let dir = tempfile::tempdir().unwrap();
    log_in(dir.path(), &entries).await;
    let world = World::with(dir, entries, McpMode::Deferred, Limits::default());
    world.until("s", Status::Connected).await;
    (authority, server, world)
}

async fn echo(world: &World) -> Result<String, String> {
    let said = world.mcp_call("echo", json!({"text": "x"})).await;
    if said.is_error { Err(said.message) } else { Ok(said.output.text()) }
}

fn greetings(server: &HttpServer) -> usize {
    let greets = |(head, body): &&(String, String)| {
        body.contains("\"initialize\"") && head.to_ascii_lowercase().contains("authorization")
    };
    server.seen().iter().filter(greets).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_token_is_renewed_within_the_session() {
    for path in ["/mcp", "/events", "/sse"] {
        let (authority, server, world) = logged_in(json!({}), path).await;
        assert_eq!(echo(&world).await.unwrap(), "x");
        authority.expire();
        let (one, other) = tokio::join!(echo(&world), echo(&world));
        assert_eq!((one.unwrap().as_str(), other.unwrap().as_str()), ("x", "x"));
        assert_eq!((authority.refreshes(), greetings(&server)), (1, 1), "{path}");
        world.servers.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_about_to_expire_is_renewed_before() {
    // The server takes it for ever: what renews it is the time alone.
    let (authority, server, world) = logged_in(json!({"lifetime": 1}), "/mcp").await;
    while authority.refreshes() == 0 {
        echo(&world).await.unwrap();
    }
    assert_eq!(greetings(&server), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_the_model_hears_what_the_user_can_do() {
    for path in ["/mcp", "/sse"] {
        let (authority, server, world) = logged_in(json!({}), path).await;
        authority.expire();
        // That the authority is away is no reason to forget a login.
        authority.rule("refresh", json!("busy"));
        let why = echo(&world).await.unwrap_err();
        assert!(why.contains("503") && !why.contains("hunter2"), "{path}: {why}");
        authority.rule("refresh", json!("no"));
        let why = loop {
            let why = echo(&world).await.unwrap_err();
            if !why.contains("503") {
                break why;
            }
        };
        assert!(why.contains("kimi mcp auth s"), "{path}: {why}");
        let reason = world.until("s", Status::Unauthorized).await.unwrap();
        assert!(reason.contains("kimi mcp auth s"), "{reason}");
        assert!(world.servers.failures()[0].contains("kimi mcp auth s"));
        let status = world.servers.status().unwrap();
        assert_eq!(status["servers"][0]["status"], "unauthorized");
        let again = echo(&world).await.unwrap_err();
        assert!(again.contains("kimi mcp auth s"), "{again}");
        // Logged in again, by another process for example: the next call finds that out.
        authority.rule("refresh", Value::Null);
        log_in(world.dir.path(), &entry(&server, path)).await;
        assert_eq!(echo(&world).await.unwrap(), "x", "{path}");
        world.servers.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fixed_token_that_is_withdrawn_is_told() {
    let (authority, server, other) = logged_in(json!({}), "/mcp").await;
    let world = World::new(json!({"s": {"url": server.url("/mcp"), "auth": "hunter2-a1"}}));
    world.until("s", Status::Connected).await;
    authority.expire();
    let why = echo(&world).await.unwrap_err();
    assert!(why.contains("does not take the token") && !why.contains("hunter2"), "{why}");
    world.until("s", Status::Unauthorized).await;
    other.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_elsewhere_is_seen_by_a_search_and_by_a_call() {
    for tool in ["mcp_search", "mcp_call"] {
        let authority = Authority::new(json!({}));
        let server = HttpServer::behind(&authority);
        let entries = entry(&server, "/mcp");
        let dir = tempfile::tempdir().unwrap();
        let world = World::with(dir, entries.clone(), McpMode::Auto, Limits::default());
        world.until("s", Status::Unauthorized).await;
        let arguments = match tool {
            "mcp_search" => json!({"query": "repeat a text"}),
            _ => json!({"name": "mcp__s__echo", "arguments": {"text": "x"}}),
        };
        let before = world.call(tool, arguments.clone()).await;
        let told = format!("{}{}", before.output.text(), before.message);
        assert!(told.contains("kimi mcp auth s"), "{told}");
        let tries = || world.servers.get("s").unwrap().state().tries();
        assert_eq!(tries(), 1, "nobody knocks without a token");
        log_in(world.dir.path(), &entries).await;
        let after = world.call(tool, arguments).await.output.text();
        match tool {
            "mcp_search" => assert!(after.contains("mcp__s__echo"), "{after}"),
            _ => assert_eq!(after, "x"),
        }
        world.servers.shutdown().await;
    }
}
