//! Published servers, where somebody has installed them: `KIMI_NPM_SERVERS` names a directory with
//! their `node_modules`. Nothing is ever downloaded.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kimi_tui::mcp::server::Status;
use kimi_tui::protocol::{ContentPart, ToolOutput, ToolReturnValue};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::world::{PATIENCE, World};

/// The program of a package, if it and node are there.
fn program(name: &str) -> Option<PathBuf> {
    let Some(dir) = std::env::var_os("KIMI_NPM_SERVERS").map(PathBuf::from) else {
        eprintln!("skipped: KIMI_NPM_SERVERS names no directory with node_modules");
        return None;
    };
    let dir = if dir.ends_with("node_modules") { dir } else { dir.join("node_modules") };
    let path = dir.join(".bin").join(name);
    if !path.exists() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

fn entry(program: &PathBuf, args: &[&str]) -> Value {
    json!({"command": program, "args": args, "env": {"PATH": std::env::var("PATH").unwrap()}})
}

fn text(value: &ToolReturnValue) -> String {
    assert!(!value.is_error, "{value:?}");
    value.output.text()
}

/// `server-everything` behind a port; it ends with the test.
struct Remote {
    child: Child,
    port: u16,
}

impl Remote {
    fn start(program: &PathBuf, wire: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new(program)
            .arg(wire)
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All that this server shows of the protocol's tools.
async fn everything(world: &World, server: &str) {
    let call = async |tool: &str, arguments: Value| {
        world.mcp_call(&format!("{server}.{tool}"), arguments).await
    };
    assert_eq!(text(&call("echo", json!({"message": "grüße"})).await), "Echo: grüße");
    assert!(text(&call("get-sum", json!({"a": 2, "b": 40})).await).contains("42"));
    let wrong = call("get-sum", json!({"a": "two", "b": 40})).await;
    assert!(wrong.is_error && wrong.message.contains("`a`"), "{wrong:?}");
    let image = call("get-tiny-image", json!({})).await;
    let ToolOutput::Parts(parts) = &image.output else { panic!("{image:?}") };
    assert!(parts.iter().any(|part| matches!(part, ContentPart::ImageUrl { .. })), "{parts:?}");
    let noted = call("get-annotated-message", json!({"messageType": "error"})).await;
    assert!(text(&noted).contains("Error"), "{noted:?}");
    let structured = call("get-structured-content", json!({"location": "New York"})).await;
    assert!(text(&structured).contains("temperature"), "{structured:?}");
    let links = text(&call("get-resource-links", json!({"count": 2})).await);
    assert!(links.contains("://"), "{links}");
    let resource =
        call("get-resource-reference", json!({"resourceType": "Text", "resourceId": 1})).await;
    assert!(text(&resource).contains("resource"), "{resource:?}");
    text(&call("toggle-simulated-logging", json!({})).await);
    world.shown.lock().unwrap().clear();
    let long = call("trigger-long-running-operation", json!({"duration": 1, "steps": 4})).await;
    assert!(text(&long).contains("completed"), "{long:?}");
    let shown = world.shown.lock().unwrap().clone();
    assert!(shown.contains("1/4") && shown.contains("4/4"), "{shown}");
    // A person loses patience.
    let cancel = CancellationToken::new();
    world.shown.lock().unwrap().clear();
    let name = format!("{server}.trigger-long-running-operation");
    let arguments = json!({"name": name, "arguments": {"duration": 60, "steps": 600}});
    let before = Instant::now();
    let (cancelled, ()) = tokio::join!(world.call_with("mcp_call", arguments, &cancel), async {
        while world.shown.lock().unwrap().is_empty() {
            assert!(before.elapsed() < PATIENCE, "no progress");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    });
    assert!(cancelled.is_error && before.elapsed() < Duration::from_secs(20));
    assert_eq!(text(&call("echo", json!({"message": "still here"})).await), "Echo: still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_everything_over_stdio() {
    let Some(program) = program("mcp-server-everything") else { return };
    let world = World::new(json!({"all": entry(&program, &["stdio"])})).settled().await;
    world.until("all", Status::Connected).await;
    everything(&world, "all").await;
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_everything_over_streamable_http() {
    let Some(program) = program("mcp-server-everything") else { return };
    let remote = Remote::start(&program, "streamableHttp");
    let url = format!("http://127.0.0.1:{}/mcp", remote.port);
    let world = World::new(json!({"all": {"url": url}})).settled().await;
    world.until("all", Status::Connected).await;
    everything(&world, "all").await;
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_everything_over_the_older_transport() {
    let Some(program) = program("mcp-server-everything") else { return };
    let remote = Remote::start(&program, "sse");
    let url = format!("http://127.0.0.1:{}/sse", remote.port);
    let world = World::new(json!({"all": {"url": url}})).settled().await;
    world.until("all", Status::Connected).await;
    everything(&world, "all").await;
    world.servers.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_filesystem_reads_and_writes() {
    let Some(program) = program("mcp-server-filesystem") else { return };
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let world = World::new(json!({"fs": entry(&program, &[root.to_str().unwrap()])}));
    world.until("fs", Status::Connected).await;
    let file = root.join("note.txt");
    let written = world.mcp_call("write_file", json!({"path": file, "content": "dear diary"}));
    text(&written.await);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear diary");
    let read = world.mcp_call("read_text_file", json!({"path": file})).await;
    assert_eq!(text(&read), "dear diary");
    let listed = world.mcp_call("list_directory", json!({"path": root})).await;
    assert!(text(&listed).contains("note.txt"));
    let outside = world.mcp_call("read_text_file", json!({"path": "/etc/hostname"})).await;
    assert!(outside.is_error, "{outside:?}");
    world.servers.shutdown().await;
}
