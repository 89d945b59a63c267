//! Twenty servers, half of them broken in different ways, and one that nobody may have to kill: the
//! real program among them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Map, Value, json};

use super::lifecycle::{is_gone, wait_until};
use super::server::{HttpServer, Script};
use crate::support::model_server::{Gate, ModelServer, Recorded, Reply};
use crate::support::program::{Home, Running};

/// How long a busy machine may take where a person waits for less than a second.
const SOON: Duration = Duration::from_secs(25);

/// A port where everybody is answered with these bytes, and the connection stays open.
fn port(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(answer);
            open.push(stream);
        }
    });
    format!("http://{address}")
}

fn shell(line: &str) -> Value {
    json!({"command": "/bin/sh", "args": ["-c", line]})
}

/// Eleven ways to be no server.
fn broken() -> Map<String, Value> {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = port(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n");
    let endless = port(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hm\n\n");
    let entries = json!({
        "not_found": {"command": "/nowhere/at/all"},
        "exits": shell("echo no licence >&2; exit 3"),
        "hangs": Script::new().start("hang").entry(),
        "deaf": shell("exec sleep 600"),
        "garbage": shell("printf '\\377\\376{]\\n{\"jsonrpc\":1}\\n'; exec sleep 600"),
        "floods": shell("exec yes '{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}'"),
        "endless_line": shell("exec cat /dev/zero"),
        "http_500": {"url": format!("{error}/mcp")},
        "http_refused": {"url": format!("http://{refused}/mcp")},
        "http_no_headers": {"url": format!("{}/mcp", port(b""))},
        "http_no_answer": {"url": format!("{endless}/mcp")},
        "old_no_endpoint": {"url": format!("{endless}/sse")},
    });
    entries.as_object().unwrap().clone()
}

#[test]
fn the_broken_half_neither_delays_a_prompt_nor_the_working_half() {
    let http = HttpServer::start(Script::new());
    let bad_tools = json!([
        {"name": 5}, {"name": "odd", "inputSchema": {"$ref": "#"}},
        {"name": "Shell", "inputSchema": {"type": "object"}},
    ]);
    let good = (0..10).map(|n| {
        let entry = match n {
            0 => Script::new().start("noise").entry(),
            1 => Script::new().more_tools(2_000).entry(),
            2 => Script::new().raw_tools(bad_tools.clone()).entry(),
            3 | 4 => Script::new().entry(),
            _ => json!({"url": http.url(&format!("/mcp/{n}"))}),
        };
        (format!("good{n}"), entry)
    });
    let mut entries = broken();
    entries.extend(good);
    let last = |request: &Recorded| request.body["messages"].as_array().unwrap().last().cloned();
    let server = ModelServer::start(move |request: &Recorded, index: usize| match index {
        // All of the working half, one after the other.
        0..10 => {
            let name = format!("good{index}.echo");
            let call = json!({"name": name, "arguments": {"text": format!("hello {index}")}});
            Reply::new().tool_call(&format!("c{index}"), "mcp_call", &call.to_string())
        }
        10 => {
            let call = json!({"name": "good3.die", "arguments": {}});
            Reply::new().tool_call("c10", "mcp_call", &call.to_string())
        }
        _ => Reply::new().text(format!("{:?}", last(request))),
    });
    let home = Home::new(&server.url());
    home.write("share/mcp.json", json!({"mcpServers": entries}).to_string());
    let before = Instant::now();
    let mut running = home.start(&["--print", "-p", "go"]);
    running.feed(b"");
    server.wait_for(1);
    let first = before.elapsed();
    let requests = server.wait_for(11);
    let usable = before.elapsed();
    let ran = running.end();
    println!(
        "first request {first:?}, ten servers used {usable:?}, the end {:?}",
        before.elapsed()
    );
    ran.well();
    assert!(first < SOON && usable < SOON, "{first:?} {usable:?}");
    for (index, request) in requests.iter().enumerate().skip(1).take(10) {
        let told = last(request).unwrap().to_string();
        assert!(told.contains(&format!("hello {}", index - 1)), "{told}");
    }
    let told = last(server.requests().last().unwrap()).unwrap().to_string();
    assert!(told.contains("status 9"), "{told}");
}

/// A server that ignores every polite request to end, a grandchild that does the same, and one that has
/// made a session of its own; their process ids come into the file.
fn stubborn(pids: &Path) -> Value {
    let pids = pids.display();
    let mut entry = Script::new().start("stubborn").log(Path::new("/dev/null")).entry();
    let server = entry["command"].as_str().unwrap().to_owned();
    let words: Vec<String> = entry["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    let line = format!(
        "trap '' TERM HUP INT; (trap '' TERM HUP INT; echo $$ >> {pids}; \
         while :; do sleep 1; done) >/dev/null 2>&1 & echo $! >> {pids}; \
         setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >> {pids}; while :; do sleep 1; done' \
         >/dev/null 2>&1 & '{server}' {}",
        words.join(" ")
    );
    entry["command"] = json!("/bin/sh");
    entry["args"] = json!(["-c", line]);
    entry
}

/// Starts the program with a stubborn server in the middle of a turn, lets `end` end it, and waits
/// until nobody of the server's family is left.
fn outlived_by_none(end: impl FnOnce(&mut Running)) -> Duration {
    let gate = Gate::new();
    let call = json!({"name": "s.echo", "arguments": {"text": "x"}}).to_string();
    let server = ModelServer::start(vec![
        Reply::new().tool_call("c1", "mcp_call", &call),
        Reply::new().text("so").wait(&gate).text("on"),
    ]);
    let home = Home::new(&server.url());
    let pids = home.path("pids");
    let mut entry = stubborn(&pids);
    entry["env"]["PATH"] = json!("/usr/bin:/bin");
    home.write("share/mcp.json", json!({"mcpServers": {"s": entry}}).to_string());
    let mut running = home.start(&["--print", "-p", "hi"]);
    running.feed(b"");
    let requests = server.wait_for(2);
    assert!(requests[1].raw.contains("\"x\"") || requests[1].raw.contains('x'));
    let begun = || std::fs::read_to_string(&pids).unwrap_or_default();
    wait_until("all of them have begun", || begun().matches('\n').count() == 3);
    let family: Vec<i32> = begun().lines().map(|line| line.trim().parse().unwrap()).collect();
    assert!(family.iter().all(|pid| !is_gone(*pid)), "{family:?}");
    let before = Instant::now();
    end(&mut running);
    for pid in &family {
        wait_until("a process of the server is gone", || is_gone(*pid));
    }
    gate.open();
    before.elapsed()
}

#[test]
fn nobody_of_a_stubborn_server_outlives_a_polite_end() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let took = outlived_by_none(|running| running.signal(signal));
        println!("after {signal:?} all were gone in {took:?}");
        assert!(took < Duration::from_secs(20), "{signal:?}: {took:?}");
    }
}

#[test]
fn nobody_of_a_stubborn_server_outlives_a_program_that_is_killed() {
    let took = outlived_by_none(Running::kill);
    println!("after a kill all were gone in {took:?}");
}
