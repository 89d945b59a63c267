//! What is measured, row by row.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::{Home, program};
use crate::material::{answer, deltas, session};
use crate::process::{self, Memory};
use crate::server::{Answer, Server};
use crate::stats::{median, ms, percentile, short, spread};
use crate::terminal::Terminal;

/// Bytes of each record of the long session.
const LONG: u64 = 50 * 1024 * 1024;

/// A line of the table.
pub struct Row {
    pub what: String,
    pub target: &'static str,
    pub measured: String,
}

fn row(what: impl Into<String>, target: &'static str, measured: impl Into<String>) -> Row {
    Row { what: what.into(), target, measured: measured.into() }
}

/// What the measurements share.
pub struct Bench {
    server: Server,
}

impl Bench {
    /// Starts the model server.
    pub fn new() -> Self {
        Self { server: Server::start() }
    }

    fn home(&self) -> Home {
        self.server.answer_with(Answer::of(&["Hello.".to_owned()]));
        self.server.take_bodies();
        Home::new(&self.server)
    }
}

/// From exec to the row that takes a message.
pub fn start(bench: &Bench) -> Vec<Row> {
    let times: Vec<f64> = (0..30)
        .map(|_| {
            let home = bench.home();
            let terminal = home.screen(&[]);
            ms(terminal.wait_for_prompt() - terminal.started)
        })
        .collect();
    vec![row("exec to the first usable prompt", "< 30 ms", spread(&times, "ms"))]
}

/// The answer that other programs ask for most often.
pub fn version(bench: &Bench) -> Vec<Row> {
    let home = bench.home();
    let times: Vec<f64> = (0..50).map(|_| ms(home.run(&["--version"]))).collect();
    vec![row("`kimi --version`", "< 5 ms", spread(&times, "ms"))]
}

/// One question in a pipe, less what the same exchange costs a bare TCP client.
pub fn print(bench: &Bench) -> Vec<Row> {
    let home = bench.home();
    let args = ["--print", "-p", "Say hello."];
    home.run(&args);
    let body = bench.server.take_bodies().pop().expect("a request");
    let bare: Vec<f64> = (0..50).map(|_| ms(exchange(&bench.server, &body))).collect();
    let times: Vec<f64> = (0..50).map(|_| ms(home.run(&args)) - median(&bare)).collect();
    let what = "one-shot print turn, our part (process start and end included)";
    vec![row(what, "< 15 ms", spread(&times, "ms"))]
}

/// How long it takes to send a request and read the answer, and nothing else.
fn exchange(server: &Server, body: &[u8]) -> Duration {
    let start = Instant::now();
    let mut socket = TcpStream::connect(server.address).expect("the server listens");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("the server reads");
    socket.write_all(body).expect("the server reads");
    let mut answer = Vec::new();
    let mut reader = BufReader::new(socket);
    let mut buffer = [0; 4096];
    while !answer.ends_with(b"0\r\n\r\n") {
        let count = reader.read(&mut buffer).expect("the server answers");
        assert_ne!(count, 0, "the server went away");
        answer.extend_from_slice(&buffer[..count]);
    }
    start.elapsed()
}

/// Long answers as fast as the screen takes them: time, processor, memory.
pub fn stream(bench: &Bench) -> Vec<Row> {
    let rounds: Vec<Streamed> = (0..3).map(|_| streamed(bench, 20_000)).collect();
    let double: Vec<Streamed> = (0..3).map(|_| streamed(bench, 40_000)).collect();
    let wall = |rounds: &[Streamed]| rounds.iter().map(|r| r.wall).collect::<Vec<_>>();
    let mut rows = Vec::new();
    let cpu = |rounds: &[Streamed]| rounds.iter().map(|r| r.cpu).collect::<Option<Vec<_>>>();
    let (Some(once), Some(twice)) = (cpu(&rounds), cpu(&double)) else {
        let text = format!("{}; processor time needs Linux", spread(&wall(&rounds), "s elapsed"));
        return vec![row("a 20,000-token answer to the screen", "< 1 s", text)];
    };
    let what = "processor time for a 20,000-token answer to the screen, 20,000 deltas at once";
    let elapsed = short(median(&wall(&rounds)));
    rows.push(row(what, "< 1 s", format!("{}; {elapsed} s elapsed", spread(&once, "s"))));
    let ratio = short(median(&twice) / median(&once));
    let text = format!("{}: {ratio} times", spread(&twice, "s"));
    rows.push(row("the same for 40,000 tokens", "2 times", text));
    let memory = |of: fn(&Streamed) -> Option<Memory>| rounds.iter().find_map(of);
    if let (Some(idle), Some(after)) = (memory(|r| r.idle), memory(|r| r.after)) {
        rows.push(row("resident memory, idle screen", "< 20 MB", megabytes(idle)));
        rows.push(row("resident memory after that answer", "< 40 MB", megabytes(after)));
    }
    rows
}

struct Streamed {
    wall: f64,
    cpu: Option<f64>,
    idle: Option<Memory>,
    after: Option<Memory>,
}

fn streamed(bench: &Bench, tokens: usize) -> Streamed {
    let home = bench.home();
    let mut pieces = deltas(&answer(tokens), 1);
    pieces.push("\n\nThese are the last words of it.".to_owned());
    let mut terminal = home.screen(&[]);
    terminal.wait_for_prompt();
    terminal.settle(Duration::from_secs(1));
    let pid = terminal.pid();
    let idle = process::memory(pid);
    bench.server.answer_with(Answer::of(&pieces));
    let before = process::cpu_seconds(pid);
    let begin = Instant::now();
    let from = terminal.ask("Tell me everything.");
    let wall = (terminal.wait_for_turn_end(from) - begin).as_secs_f64();
    // Nothing of a fast answer may be lost.
    terminal.wait_for(b"the last words of it.", from);
    terminal.settle(Duration::from_secs(1));
    let cpu = process::cpu_seconds(pid).zip(before).map(|(after, before)| after - before);
    Streamed { wall, cpu, idle, after: process::memory(pid) }
}

fn megabytes(memory: Memory) -> String {
    let mb = |kb: u64| short(kb as f64 / 1024.0);
    let part = |name: &str, kb: Option<u64>| {
        kb.map(|kb| format!("{} MB {name}", mb(kb))).into_iter().collect::<Vec<_>>()
    };
    let mut parts = part("proportional", memory.proportional);
    parts.extend(part("its own heap and stacks", memory.anonymous));
    format!("**{} MB** ({})", mb(memory.resident), parts.join(", "))
}

/// From a key to its letter on the screen, with 100,000 rows of transcript behind.
pub fn keys(bench: &Bench) -> Vec<Row> {
    let home = bench.home();
    let mut terminal = home.screen(&[]);
    terminal.wait_for_prompt();
    let lines: Vec<String> = (0..100_000).map(|n| format!("- line {n}\n")).collect();
    bench.server.answer_with(Answer::of(&lines));
    let from = terminal.ask("Write many lines.");
    terminal.wait_for_turn_end(from);
    terminal.settle(Duration::from_millis(500));

    let still = typed(&mut terminal, 100);
    terminal.send("\x15");
    let pieces = deltas(&answer(20_000), 1);
    let steady = Answer::circle(&pieces, Some(Duration::from_millis(1)));
    let flood = Answer::circle(&pieces, None);
    let mut during = |answer: &Answer, rounds: usize, keys: usize| -> Vec<f64> {
        let round = |_| {
            bench.server.answer_with(answer.clone());
            let from = terminal.ask("Go on.");
            terminal.wait_for(b"Step", from);
            let times = typed(&mut terminal, keys);
            assert!(!terminal.turn_has_ended(from), "the answer was over before the typing");
            bench.server.stop();
            terminal.send("\x15");
            terminal.wait_for_turn_end(from);
            terminal.settle(Duration::from_millis(500));
            times
        };
        (0..rounds).flat_map(round).collect()
    };
    let streaming = during(&steady, 1, 100);
    // An answer is broken off after 64 MB: at this speed that is a matter of seconds.
    let flooded = during(&flood, 4, 25);
    [
        ("with nothing going on", still),
        ("while 1,000 tokens a second stream in", streaming),
        ("while tokens stream in as fast as they are read", flooded),
    ]
    .into_iter()
    .map(|(words, times)| {
        let (p50, p95) = (short(median(&times)), short(percentile(&times, 0.95)));
        let most = short(percentile(&times, 1.0));
        let text = format!("median {p50} ms, **95 % {p95} ms**, all {most} ms");
        let what = format!("key to screen behind a live answer of 100,000 rows, {words}");
        row(what, "95 % < 16 ms", format!("{text} (n = {})", times.len()))
    })
    .collect()
}

/// Types letters at uneven distances and times each.
fn typed(terminal: &mut Terminal, count: usize) -> Vec<f64> {
    let mut draft = String::new();
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        if draft.len() == 40 {
            terminal.send("\x15");
            draft.clear();
        }
        // No word of the answer looks like the draft, whatever its length.
        let letter = if draft.len().is_multiple_of(2) { 'q' } else { 'z' };
        draft.push(letter);
        std::thread::sleep(Duration::from_millis(20 + (n * 7 % 23) as u64));
        let from = terminal.written();
        let begin = Instant::now();
        terminal.send(letter.to_string());
        times.push(ms(terminal.wait_for(draft.as_bytes(), from) - begin));
    }
    times
}

/// Five seconds in which nothing happens.
pub fn idle(bench: &Bench) -> Vec<Row> {
    let home = bench.home();
    let mut terminal = home.screen(&[]);
    terminal.wait_for_prompt();
    let from = terminal.ask("Say hello.");
    terminal.wait_for_turn_end(from);
    // The connection to the server and the threads for files are given up after some seconds.
    terminal.settle(Duration::from_secs(12));
    let pid = terminal.pid();
    let (bytes, before) = (terminal.written(), process::wakeups(pid));
    let cpu = process::cpu_seconds(pid);
    std::thread::sleep(Duration::from_secs(5));
    let bytes = terminal.written() - bytes;
    let text = match (before, process::wakeups(pid), cpu, process::cpu_seconds(pid)) {
        (Some((before, _)), Some((after, threads)), Some(cpu), Some(later)) => format!(
            "**{} wakeups, {bytes} bytes**, {} s of processor time ({threads} threads)",
            after.saturating_sub(before),
            short(later - cpu)
        ),
        _ => format!("**{bytes} bytes** (wakeups need Linux)"),
    };
    vec![row("idle for 5 s after a turn", "no wakeups, no bytes", text)]
}

/// A session with 50 MB of conversation and 50 MB of record.
pub fn resume(bench: &Bench) -> Vec<Row> {
    let home = bench.home();
    let session = session::write(&home.share(), &home.work_dir(), LONG);
    let mut memory = None;
    let times: Vec<f64> = (0..10)
        .map(|_| {
            let terminal = home.screen(&["-S", &session.id]);
            let took = ms(terminal.wait_for_prompt() - terminal.started);
            terminal.settle(Duration::from_millis(200));
            memory = process::memory(terminal.pid());
            took
        })
        .collect();
    let mut rows =
        vec![row("resume of a 50 MB session to the prompt", "< 200 ms", spread(&times, "ms"))];
    rows.extend(memory.map(|memory| row("resident memory then", "", megabytes(memory))));
    rows
}

/// What the model is sent before anything was said.
pub fn overhead(bench: &Bench) -> Vec<Row> {
    let home = bench.home();
    home.run(&["--print", "-p", "hi"]);
    let body = bench.server.take_bodies().pop().expect("a request");
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let size = |value: &Value| serde_json::to_vec(value).map_or(0, |bytes| bytes.len());
    let (system, tools) = (size(&request["messages"][0]), size(&request["tools"]));
    let count = request["tools"].as_array().map_or(0, Vec::len);
    let text = format!(
        "**{} bytes**: system prompt {system}, {count} tools {tools}, the rest {}",
        body.len(),
        body.len() - system - tools
    );
    vec![row("first request in an empty directory", "< 20 KB", text)]
}

/// The file that is installed.
pub fn size(_: &Bench) -> Vec<Row> {
    let bytes = std::fs::metadata(program()).map_or(0, |meta| meta.len());
    let text = format!("**{} MB**", short(bytes as f64 / 1024.0 / 1024.0));
    vec![row("release binary", "< 20 MB", text)]
}
