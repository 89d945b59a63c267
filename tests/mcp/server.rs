//! An MCP server that does what a test tells it, faults included: this test binary itself, started
//! again, over its standard streams; or a thread behind a port.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::authority::Authority;
use super::offerings::{self, Answer};

/// Tells a process of this binary to be a server: a [`Script`] as JSON.
const ROLE: &str = "KIMI_TEST_MCP";

/// What a server does.
#[derive(Clone, Default)]
pub struct Script(Value);

impl Script {
    /// A server with the tools that [`Script::call`] knows.
    pub fn new() -> Self {
        Self(json!({}))
    }

    /// How it begins: `exit`, `hang` (reads and never answers), `deaf` (does not even read), `noise`,
    /// `refuse`, `stubborn` (ignores the end of its input and the request to end), `leaderless` (ends its
    /// first thread, serves nobody, and writes its number to its log).
    pub fn start(self, how: &str) -> Self {
        self.with("start", how.into())
    }

    /// So many tools more, `tool_0` and on.
    pub fn more_tools(self, count: usize) -> Self {
        self.with("more", count.into())
    }

    /// Lists so many tools at once.
    pub fn page(self, size: usize) -> Self {
        self.with("page", size.into())
    }

    /// Lists these as well, whatever they are.
    pub fn raw_tools(self, tools: Value) -> Self {
        self.with("raw", tools)
    }

    /// Brings these prompts, as the protocol lists them; [`offerings::prompt`] fills them in.
    pub fn prompts(self, prompts: Value) -> Self {
        self.with("prompts", prompts)
    }

    /// Brings so many prompts more, `p0` and on.
    pub fn more_prompts(self, count: usize) -> Self {
        self.with("many", count.into())
    }

    /// Brings these resources, as the protocol lists them; [`offerings::resource`] reads them.
    pub fn resources(self, resources: Value) -> Self {
        self.with("resources", resources)
    }

    /// Has a tool `ask`, which sends so many elicitations with these parameters and returns what it
    /// heard, and a tool `late`, which sends them when its call is over.
    pub fn asks(self, params: Value, times: usize) -> Self {
        self.with("asks", params).with("times", times.into())
    }

    /// Writes every message it gets to this file, and its process id to the same with `.pid`.
    pub fn log(self, path: &Path) -> Self {
        self.with("log", path.to_str().unwrap().into())
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.0[key] = value;
        self
    }

    /// An entry of `mcpServers` that starts it as a child process.
    pub fn entry(&self) -> Value {
        json!({
            "command": std::env::current_exe().unwrap(),
            "args": ["--exact", "mcp::server::serve", "--nocapture", "--test-threads=1"],
            "env": {ROLE: self.0.to_string()},
        })
    }

    /// The same, but it begins in earnest when there is this file.
    pub fn entry_after(&self, file: &Path) -> Value {
        let mut entry = self.entry();
        let line = "while ! [ -e \"$0\" ]; do sleep 0.02; done; exec \"$@\"";
        let mut words = vec![json!("-c"), json!(line), json!(file), entry["command"].take()];
        words.extend(entry["args"].as_array().unwrap().clone());
        entry["command"] = json!("/bin/sh");
        entry["args"] = words.into();
        entry
    }

    fn says(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }
}

#[cfg(target_os = "linux")]
fn leaderless(log: Option<&Path>) {
    let me = std::process::id();
    // The harness runs this in a thread of its own, and its first one waits for that.
    // SAFETY: both handlers do nothing but end the thread that is hit, or nothing at all.
    unsafe {
        extern "C" fn end_thread(_: libc::c_int) {
            // SAFETY: this thread holds nothing that anybody needs any more.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
        libc::signal(libc::SIGUSR1, end_thread as *const () as libc::sighandler_t);
        libc::syscall(libc::SYS_tgkill, me, me, libc::SIGUSR1);
    }
    super::lifecycle::wait_until("the first thread has ended", || {
        let stat = std::fs::read_to_string(format!("/proc/{me}/stat")).unwrap_or_default();
        stat.contains(") Z ")
    });
    if let Some(log) = log {
        std::fs::write(log, me.to_string()).unwrap();
    }
    std::thread::sleep(Duration::from_secs(600));
}

/// Not a test: the server, when this process was started as one.
#[test]
fn serve() {
    let Ok(script) = std::env::var(ROLE) else { return };
    let script = Script(serde_json::from_str(&script).unwrap());
    // SAFETY: nothing else in this process uses standard output any more.
    let out = Arc::new(Mutex::new(unsafe { File::from_raw_fd(1) }));
    // The harness has begun a line of its own.
    writeln!(out.lock().unwrap()).unwrap();
    let log = script.0["log"].as_str().map(PathBuf::from);
    if let Some(log) = &log {
        std::fs::write(log.with_extension("pid"), std::process::id().to_string()).unwrap();
    }
    match script.says("start") {
        "exit" => {
            eprintln!("cannot open the database");
            std::process::exit(3);
        }
        "deaf" => std::thread::sleep(Duration::from_secs(600)),
        "noise" => writeln!(out.lock().unwrap(), "Listening on stdio. Ready!").unwrap(),
        #[cfg(target_os = "linux")]
        "leaderless" => leaderless(log.as_deref()),
        "stubborn" => {
            // SAFETY: only ignores a signal.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        }
        _ => {}
    }
    let mut session = Session { script: script.clone(), ..Session::default() };
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if let Some(log) = &log {
            let mut log = File::options().append(true).create(true).open(log).unwrap();
            writeln!(log, "{line}").unwrap();
        }
        let message: Value = serde_json::from_str(&line).unwrap();
        for answer in session.answer(&message, &out) {
            // One write: the flood of another thread must not come between.
            out.lock().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
        }
    }
    if script.says("start") == "stubborn" {
        std::thread::sleep(Duration::from_secs(600));
    }
    std::process::exit(0);
}

/// One session of a server.
#[derive(Default)]
struct Session {
    script: Script,
    grown: bool,
    calls: usize,
    /// A call that waits for so many answers of the person, and those that have come.
    asking: Option<(Value, usize, Vec<Value>)>,
}

impl Session {
    fn answer(&mut self, message: &Value, out: &Arc<Mutex<File>>) -> Vec<String> {
        let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) else {
            return self.heard(message);
        };
        if self.script.says("start") == "hang" {
            return Vec::new();
        }
        let result = match method {
            "initialize" if self.script.says("start") == "refuse" => {
                let error = json!({"code": -32603, "message": "no licence"});
                return vec![json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()];
            }
            "initialize" => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": self.capabilities(),
                "serverInfo": {"name": "test", "version": "1"},
                "instructions": "Things for tests.",
            }),
            "tools/list" => self.list(message["params"]["cursor"].as_str()),
            "tools/call" => match self.call(id, &message["params"], out) {
                Called::Result(result) => result,
                Called::Raw(lines) => return lines,
            },
            "prompts/list" => {
                let mut prompts =
                    self.script.0[if self.grown { "grown" } else { "prompts" }].clone();
                for n in 0..self.script.0["many"].as_u64().unwrap_or(0) {
                    prompts.as_array_mut().unwrap().push(json!({"name": format!("p{n}")}));
                }
                let size = self.script.0["page"].as_u64();
                offerings::page("prompts", &prompts, &message["params"], size)
            }
            "resources/list" => {
                let resources = &self.script.0["resources"];
                let size = self.script.0["page"].as_u64();
                offerings::page("resources", resources, &message["params"], size)
            }
            "prompts/get" | "resources/read" => match offerings::answer(method, &message["params"])
            {
                Answer::Result(result) => result,
                Answer::Silence => return Vec::new(),
                Answer::Refused(why) => {
                    let error = json!({"code": -32602, "message": why});
                    return vec![json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()];
                }
            },
            "ping" => json!({}),
            _ => {
                let error = json!({"code": -32601, "message": "unknown"});
                return vec![json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()];
            }
        };
        vec![json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()]
    }

    /// Takes an answer of the person; with the last one the call that asked is over.
    fn heard(&mut self, message: &Value) -> Vec<String> {
        let Some((_, wanted, heard)) = &mut self.asking else { return Vec::new() };
        let answer = ["result", "error"].iter().find_map(|key| message.get(key));
        heard.extend(answer.cloned());
        if heard.len() < *wanted {
            return Vec::new();
        }
        let Some((id, count, mut heard)) = self.asking.take() else { return Vec::new() };
        if count > 10 {
            // Of very many the kinds are enough.
            heard.dedup();
        }
        let text = json!({"type": "text", "text": format!("HEARD {}", Value::from(heard))});
        let result = json!({"content": [text]});
        vec![json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()]
    }

    fn capabilities(&self) -> Value {
        let mut all = json!({"tools": {"listChanged": true}});
        if self.script.0["prompts"].is_array() {
            all["prompts"] = json!({"listChanged": true});
        }
        if self.script.0["resources"].is_array() {
            all["resources"] = json!({"listChanged": true});
        }
        all
    }

    fn list(&self, cursor: Option<&str>) -> Value {
        let tool = |name: &str, description: &str, schema: Value| json!({"name": name, "description": description, "inputSchema": schema});
        let none = json!({"type": "object", "properties": {}});
        let mut tools = vec![
            tool(
                "echo",
                "Repeats a text.",
                json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}),
            ),
            tool("die", "Ends the server.", none.clone()),
            tool("hang", "Never answers.", none.clone()),
            tool("huge", "Answers with very much.", none.clone()),
            tool("flood", "Sends notifications for ever.", none.clone()),
            tool("grow", "Brings another tool.", none.clone()),
            tool("count", "Counts its calls.", none.clone()),
            tool("broken", "Answers with broken JSON.", none.clone()),
        ];
        if !self.script.0["asks"].is_null() {
            let mut ask = tool("ask", "Asks the person.", none.clone());
            ask["annotations"] = json!({"readOnlyHint": true});
            tools.extend([ask, tool("late", "Asks when it is too late.", none.clone())]);
        }
        tools[6]["annotations"] = json!({"readOnlyHint": true});
        if self.grown {
            tools.push(tool("grown", "Came later.", none.clone()));
        }
        for n in 0..self.script.0["more"].as_u64().unwrap_or(0) {
            tools.push(tool(&format!("tool_{n}"), "One of many.", none.clone()));
        }
        tools.extend(self.script.0["raw"].as_array().cloned().unwrap_or_default());
        let Some(page) = self.script.0["page"].as_u64() else { return json!({"tools": tools}) };
        let from: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let to = (from + page as usize).min(tools.len());
        let mut listed = json!({"tools": tools[from..to]});
        if to < tools.len() {
            listed["nextCursor"] = to.to_string().into();
        }
        listed
    }

    fn call(&mut self, id: &Value, params: &Value, out: &Arc<Mutex<File>>) -> Called {
        self.calls += 1;
        let text = |text: String| json!({"content": [{"type": "text", "text": text}]});
        Called::Result(match params["name"].as_str().unwrap_or_default() {
            "echo" => text(params["arguments"]["text"].as_str().unwrap_or("?").to_owned()),
            "count" => text(self.calls.to_string()),
            "die" => {
                eprintln!("segmentation fault");
                std::process::exit(9);
            }
            "hang" => return Called::Raw(Vec::new()),
            "report" => {
                let token = &params["_meta"]["progressToken"];
                let report = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                    "params": {"progressToken": token, "progress": 1, "total": 4, "message": "on it"}});
                // It never gets any further.
                return Called::Raw(vec![report.to_string()]);
            }
            "huge" => {
                // One line of 100 MB, never whole in anybody's memory.
                let mut out = out.lock().unwrap();
                let begin = format!(
                    "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\""
                );
                out.write_all(begin.as_bytes()).unwrap();
                for _ in 0..100 {
                    out.write_all(&vec![b'x'; 1 << 20]).unwrap();
                }
                out.write_all(b"\"}]}}\n").unwrap();
                return Called::Raw(Vec::new());
            }
            "flood" => {
                let out = Arc::clone(out);
                std::thread::spawn(move || {
                    let log = json!({"jsonrpc": "2.0", "method": "notifications/message",
                        "params": {"level": "info", "data": "y".repeat(200)}});
                    let changed =
                        json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
                    let flood = format!("{log}\n{changed}\n");
                    while out.lock().unwrap().write_all(flood.as_bytes()).is_ok() {}
                });
                text("flooding".to_owned())
            }
            "say" => {
                // Each character is a byte: what is said need not be text.
                let said = params["arguments"]["bytes"].as_str().unwrap_or_default();
                let said = said.replace("\"$ID\"", &id.to_string());
                let bytes: Vec<u8> = said.chars().map(|ch| ch as u8).collect();
                let mut out = out.lock().unwrap();
                for _ in 0..params["arguments"]["times"].as_u64().unwrap_or(1) {
                    out.write_all(&bytes).unwrap();
                }
                text("said".to_owned())
            }
            "grow" => {
                self.grown = true;
                let changed =
                    json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
                self.script.0["grown"] = json!([{"name": "grown"}]);
                let prompts =
                    json!({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"});
                let result = text("grown".to_owned());
                let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
                return Called::Raw(vec![
                    changed.to_string(),
                    prompts.to_string(),
                    answer.to_string(),
                ]);
            }
            asks @ ("ask" | "late") => {
                let times = self.script.0["times"].as_u64().unwrap_or(1) as usize;
                let request = |n: usize| {
                    json!({"jsonrpc": "2.0", "id": format!("e{n}"), "method": "elicitation/create",
                        "params": self.script.0["asks"]})
                    .to_string()
                };
                let mut lines: Vec<String> = (0..times).map(request).collect();
                if asks == "late" {
                    let result = text("done".to_owned());
                    let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
                    lines.insert(0, answer.to_string());
                } else {
                    self.asking = Some((id.clone(), times, Vec::new()));
                }
                return Called::Raw(lines);
            }
            "broken" => {
                let line =
                    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[}}");
                return Called::Raw(vec![line]);
            }
            name => text(format!("{name} called")),
        })
    }
}

enum Called {
    Result(Value),
    Raw(Vec<String>),
}

/// A server behind a port; it ends with the test.
pub struct HttpServer {
    port: u16,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

struct Shared {
    script: Script,
    authority: Option<Arc<Authority>>,
    session: Mutex<Session>,
    /// Streams of the older kind, by session.
    streams: Mutex<HashMap<String, Sender<String>>>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl HttpServer {
    /// Answers `/mcp`, and what is below it, with JSON, `/events` with streams of events, `/sse` in the older way; 401 to
    /// what lacks `authorization: Bearer sesame` when the script starts with `locked`.
    pub fn start(script: Script) -> Self {
        Self::listen(script, None)
    }

    /// The same behind an authorization server at the same port: only who has a token gets through.
    pub fn behind(authority: &Arc<Authority>) -> Self {
        Self::listen(Script::new(), Some(Arc::clone(authority)))
    }

    fn listen(script: Script, authority: Option<Arc<Authority>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let shared = Arc::new(Shared {
            session: Mutex::new(Session { script: script.clone(), ..Session::default() }),
            script,
            authority,
            streams: Mutex::default(),
            seen: Arc::clone(&seen),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve_http(stream, &shared));
            }
        });
        Self { port, seen }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests: first line with headers, body.
    pub fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve_http(mut stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    shared.seen.lock().unwrap().push((head.clone(), body.clone()));
    let mut reply = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(text.as_bytes());
    };
    if shared.script.says("start") == "locked" && !lower.contains("authorization: bearer sesame") {
        return reply("401 Unauthorized", "www-authenticate: Bearer\r\n", "");
    }
    let refused = shared.authority.as_ref().and_then(|authority| authority.answer(&head, &body));
    if let Some((status, headers, body)) = refused {
        return reply(&status, &headers, &body);
    }
    let out = Arc::new(Mutex::new(File::options().write(true).open("/dev/null").unwrap()));
    let answers = |body: &str| {
        let message: Value = serde_json::from_str(body).unwrap();
        shared.session.lock().unwrap().answer(&message, &out).join("")
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let json = "content-type: application/json\r\nmcp-session-id: s1\r\n";
    // Many addresses are the same server.
    let place = if path.starts_with("/mcp/") { "/mcp" } else { path.as_str() };
    match (head.split(' ').next().unwrap_or_default(), place) {
        ("POST", "/mcp" | "/events") => match answers(&body) {
            none if none.is_empty() => reply("202 Accepted", "", ""),
            answer if place == "/mcp" => reply("200 OK", json, &answer),
            answer => {
                let text = format!("event: message\ndata: {answer}\n\n");
                reply("200 OK", "content-type: text/event-stream\r\nmcp-session-id: s1\r\n", &text);
            }
        },
        ("GET", "/sse") => {
            let (sender, events) = channel();
            shared.streams.lock().unwrap().insert("1".to_owned(), sender);
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            let first = "event: endpoint\ndata: /messages?session=1\n\n";
            let _ = stream.write_all(format!("{head}{first}").as_bytes());
            while let Ok(event) = events.recv() {
                if stream
                    .write_all(format!("event: message\ndata: {event}\n\n").as_bytes())
                    .is_err()
                {
                    return;
                }
            }
        }
        ("POST", "/messages?session=1") => {
            let answer = answers(&body);
            reply("202 Accepted", "", "");
            if !answer.is_empty()
                && let Some(stream) = shared.streams.lock().unwrap().get("1")
            {
                let _ = stream.send(answer);
            }
        }
        ("DELETE", _) => reply("200 OK", "", ""),
        _ => reply("405 Method Not Allowed", "", ""),
    }
}
