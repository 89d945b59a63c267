//! What a server has started ends with it, wherever it has gone: into a session of its own, without
//! its environment, without its parent.

use std::path::Path;

use kimi_tui::mcp::server::{Order, Status};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::lifecycle::{is_gone, wait_until};
use super::server::Script;
use super::world::World;
use crate::support::model_server::{Gate, ModelServer, Reply};
use crate::support::program::Home;

/// Ways of a launcher to start a script, `$0`, that is hard to find then. None holds a stream of the
/// server, and none hears what a group is told.
const WAYS: [(&str, &str); 4] = [
    // In a session of its own.
    ("setsid /bin/sh \"$0\" \"$1\"", LISTENS),
    // Nor with the environment of the server.
    ("setsid env -i /bin/sh \"$0\" \"$1\"", LISTENS),
    // Nor with a parent that lives.
    (ORPHAN, LISTENS),
    // Nor does it listen.
    (ORPHAN, "trap '' TERM HUP INT; echo $$ >\"$1\"; while :; do sleep 1; done"),
];
const LISTENS: &str = "echo $$ >\"$1\"; exec sleep 600";
const ORPHAN: &str = "setsid env -i /bin/sh -c '/bin/sh \"$0\" \"$1\" & exit 0' \"$0\" \"$1\"";

/// The entry of a server that a launcher starts, which also starts one process in each of these ways;
/// their numbers are in the directory.
fn entry(script: &Script, dir: &Path) -> Value {
    let mut entry = script.entry();
    let mut launcher = String::new();
    for (n, (way, what)) in WAYS.iter().enumerate() {
        let script = dir.join(format!("script{n}"));
        std::fs::write(&script, what).unwrap();
        let start = dir.join(format!("start{n}"));
        std::fs::write(&start, way.replace("$0", script.to_str().unwrap())).unwrap();
        let (start, pid) = (start.display(), dir.join(format!("way{n}")));
        launcher +=
            &format!("/bin/sh '{start}' '{}' </dev/null >/dev/null 2>&1 &\n", pid.display());
    }
    launcher += "exec \"$0\" \"$@\"";
    let mut args = vec![json!("-c"), json!(launcher), entry["command"].take()];
    args.extend(entry["args"].as_array().cloned().unwrap_or_default());
    entry["command"] = json!("/bin/sh");
    entry["args"] = json!(args);
    entry
}

/// Their numbers, once all of them run.
fn started(dir: &Path) -> Vec<i32> {
    let read = |n| std::fs::read_to_string(dir.join(format!("way{n}"))).ok()?.trim().parse().ok();
    wait_until("all are started", || (0..WAYS.len()).all(|n| read(n).is_some()));
    let pids: Vec<i32> = (0..WAYS.len()).filter_map(read).collect();
    assert!(pids.iter().all(|pid| !is_gone(*pid)), "{pids:?}");
    for n in 0..WAYS.len() {
        std::fs::remove_file(dir.join(format!("way{n}"))).unwrap();
    }
    pids
}

fn all_gone(pids: &[i32]) {
    for (n, pid) in pids.iter().enumerate() {
        wait_until(&format!("way {n} is gone"), || is_gone(*pid));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_is_the_end_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(json!({"s": entry(&Script::new(), dir.path())})).settled().await;
    let pids = started(dir.path());
    world.servers.order(Some("s"), Order::Reconnect);
    let again = started(dir.path());
    all_gone(&pids);
    world.until("s", Status::Connected).await;
    assert!(again.iter().all(|pid| !is_gone(*pid)), "those of the new one stay");
    world.servers.order(Some("s"), Order::Disable);
    world.until("s", Status::Disabled).await;
    all_gone(&again);
    world.servers.order(Some("s"), Order::Enable);
    world.until("s", Status::Connected).await;
    let last = started(dir.path());
    world.servers.shutdown().await;
    assert!(last.iter().all(|pid| is_gone(*pid)), "they are gone before the end is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crash_of_a_server_is_the_end_of_all() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let world = World::new(json!({
        "s": entry(&Script::new(), dirs[0].path()),
        "other": entry(&Script::new(), dirs[1].path()),
    }));
    let world = world.settled().await;
    let (pids, others) = (started(dirs[0].path()), started(dirs[1].path()));
    let said = world.mcp_call("s.die", json!({})).await;
    assert!(said.is_error, "{said:?}");
    all_gone(&pids);
    assert!(others.iter().all(|pid| !is_gone(*pid)), "those of another server stay");
    world.servers.shutdown().await;
    all_gone(&others);
}

/// Nor does one outlive a server that does not listen and is thrown away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_dropped_takes_all_along() {
    let dir = tempfile::tempdir().unwrap();
    let script = Script::new().start("stubborn");
    let world = World::new(json!({"s": entry(&script, dir.path())})).settled().await;
    let pids = started(dir.path());
    drop(world);
    all_gone(&pids);
}

#[test]
fn nobody_outlives_a_program_that_is_killed() {
    for signal in [Signal::KILL, Signal::TERM] {
        let gate = Gate::new();
        let server = ModelServer::start(vec![Reply::new().text("so").wait(&gate).text("on")]);
        let home = Home::new(&server.url());
        let log = home.path("log");
        let script = Script::new().start("stubborn").log(&log);
        let dir = tempfile::tempdir().unwrap();
        let entry = entry(&script, dir.path());
        home.write("share/mcp.json", json!({"mcpServers": {"s": entry}}).to_string());
        let mut running = home.start(&["--print", "-p", "hi"]);
        running.feed(b"");
        wait_until("the server is greeted", || {
            std::fs::read_to_string(&log).unwrap_or_default().contains("tools/list")
        });
        let pids = started(dir.path());
        running.signal(signal);
        all_gone(&pids);
        gate.open();
        drop(running);
    }
}
