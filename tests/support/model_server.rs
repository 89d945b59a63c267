//! A real HTTP/1.1 model server on 127.0.0.1 that speaks OpenAI chat completions over SSE and does
//! exactly what a test tells it, faults included.
//!
//! It runs on a thread of its own with a runtime of its own, so it serves async tests, blocking
//! tests and the real binary alike. It stops when the value is dropped.
//!
//! ```ignore
//! // A queue: one reply per request. Beyond its end the server answers 400.
//! let server = ModelServer::start(vec![
//!     Reply::new().think("Let me look.").tool_call("c1", "Glob", r#"{"pattern":"*"}"#),
//!     Reply::new().text("Two files.").usage(120, 5, 100),
//! ]);
//! // Or a rule: `index` counts the chat requests from 0.
//! let server = ModelServer::start(|request: &Recorded, index| match index {
//!     0 => Reply::status(503, json!({"error": {"message": "busy"}})),
//!     _ => Reply::new().text(request.last_user_text()),
//! });
//! let base_url = server.url();            // http://127.0.0.1:PORT/v1
//! let sent = server.wait_for(2);          // blocks until two requests came; or server.requests()
//! ```
//!
//! Nothing has to sleep to be in step with the program under test: a [`Gate`] holds a stream at a
//! chosen place until the test opens it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// How long [`ModelServer::wait_for`] waits before it fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The client's end of the connection; equal for requests over the same one.
    pub peer: SocketAddr,
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body's bytes as text.
    pub raw: String,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Recorded {
    /// The first header of that (lower case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The text of the last user message, parts joined by newlines.
    pub fn last_user_text(&self) -> String {
        let messages = self.body["messages"].as_array().cloned().unwrap_or_default();
        let last = messages.iter().rev().find(|message| message["role"] == "user");
        match last.map(|message| &message["content"]) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => {
                parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
            }
            _ => String::new(),
        }
    }
}

/// Holds a reply at one place until the test opens it. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        let mut receiver = self.0.subscribe();
        let _ = receiver.wait_for(|open| *open).await;
    }
}

#[derive(Debug, Clone)]
enum Step {
    Delta(Value),
    Bytes(Vec<u8>),
    Sleep(Duration),
    Wait(Gate),
    Drop,
    Stall,
    Endless(Vec<u8>),
}

/// What the server does with one request. Built in the order in which it happens; a stream ends by
/// itself with `finish_reason`, usage and `[DONE]`, unless it was told to break before.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    /// None for a stream.
    body: Option<Vec<u8>>,
    before_headers: Vec<Step>,
    steps: Vec<Step>,
    calls: usize,
    piece: usize,
    pace: Duration,
    finish: Option<String>,
    usage: (u64, u64, u64),
    done: bool,
}

impl Reply {
    /// An empty stream.
    pub fn new() -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".into(), "text/event-stream; charset=utf-8".into())],
            body: None,
            before_headers: Vec::new(),
            steps: Vec::new(),
            calls: 0,
            piece: 16,
            pace: Duration::ZERO,
            finish: None,
            usage: (100, 10, 0),
            done: true,
        }
    }

    /// A plain answer with this status and JSON body.
    pub fn status(status: u16, body: Value) -> Self {
        Self::body(status, "application/json", body.to_string())
    }

    /// A plain answer with any body.
    pub fn body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: Some(body.into()), ..Self::new() }.header("content-type", content_type)
    }

    /// Takes the request and never answers.
    pub fn hang() -> Self {
        Self { before_headers: vec![Step::Stall], ..Self::new() }
    }

    /// Sets a header of the answer.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits this long before the headers.
    pub fn late(mut self, by: Duration) -> Self {
        self.before_headers.push(Step::Sleep(by));
        self
    }

    /// Following text and thinking is cut into pieces of so many characters (default 16).
    pub fn pieces_of(mut self, chars: usize) -> Self {
        self.piece = chars.max(1);
        self
    }

    /// Waits this long before each following piece.
    pub fn pace(mut self, between: Duration) -> Self {
        self.pace = between;
        self
    }

    /// Streams text.
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.pieces("content", text.as_ref())
    }

    /// Streams thinking (`reasoning_content`).
    pub fn think(self, text: impl AsRef<str>) -> Self {
        self.pieces("reasoning_content", text.as_ref())
    }

    /// Streams a tool call: its head first, then its arguments in two pieces.
    pub fn tool_call(mut self, id: &str, name: &str, arguments: &str) -> Self {
        let index = self.calls;
        self.calls += 1;
        let half = (0..=arguments.len() / 2).rev().find(|at| arguments.is_char_boundary(*at));
        let (first, second) = arguments.split_at(half.unwrap_or(0));
        self = self.delta(json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]}));
        for arguments in [first, second] {
            self = self.delta(
                json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}),
            );
        }
        self
    }

    /// Streams one delta object as it is.
    pub fn delta(mut self, delta: Value) -> Self {
        if !self.pace.is_zero() {
            self.steps.push(Step::Sleep(self.pace));
        }
        self.steps.push(Step::Delta(delta));
        self
    }

    /// Streams one event with this data, well formed or not.
    pub fn event(self, data: &str) -> Self {
        self.bytes(format!("data: {data}\n\n"))
    }

    /// Sends bytes as they are.
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Bytes(bytes.into()));
        self
    }

    /// Says nothing for a while.
    pub fn sleep(mut self, time: Duration) -> Self {
        self.steps.push(Step::Sleep(time));
        self
    }

    /// Goes on when the gate is open.
    pub fn wait(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// Closes the connection here, in the middle of the body.
    pub fn drop_here(mut self) -> Self {
        self.steps.push(Step::Drop);
        self
    }

    /// Says nothing more and keeps the connection.
    pub fn stall(mut self) -> Self {
        self.steps.push(Step::Stall);
        self
    }

    /// Repeats this text for ever, as fast as it is taken.
    pub fn endless(mut self, text: &str) -> Self {
        let event = format!("data: {}\n\n", chunk(json!({"content": text}), None));
        self.steps.push(Step::Endless(event.into_bytes()));
        self
    }

    /// The `finish_reason` at the end (default `stop`, or `tool_calls` after calls).
    pub fn finish(mut self, reason: &str) -> Self {
        self.finish = Some(reason.to_owned());
        self
    }

    /// The token counts at the end (default 100, 10, 0).
    pub fn usage(mut self, prompt: u64, completion: u64, cached: u64) -> Self {
        self.usage = (prompt, completion, cached);
        self
    }

    /// Ends the body after the last step, without finish reason, usage or `[DONE]`.
    pub fn cut(mut self) -> Self {
        self.done = false;
        self
    }

    fn pieces(mut self, key: &str, text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(self.piece) {
            self = self.delta(json!({key: piece.iter().collect::<String>()}));
        }
        self
    }

    fn ending(&self) -> Vec<u8> {
        let default = if self.calls > 0 { "tool_calls" } else { "stop" };
        let finish = self.finish.as_deref().unwrap_or(default);
        let (prompt, completion, cached) = self.usage;
        let usage = json!({"id": "chatcmpl-test", "object": "chat.completion.chunk", "choices": [],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": cached}}});
        let last = chunk(json!({}), Some(finish));
        format!("data: {last}\n\ndata: {usage}\n\ndata: [DONE]\n\n").into_bytes()
    }
}

fn chunk(delta: Value, finish: Option<&str>) -> Value {
    json!({"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "test", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

/// Decides what is answered to a chat request.
pub trait Script: Send + 'static {
    /// The reply to the request number `index`, counted from 0.
    fn reply(&mut self, request: &Recorded, index: usize) -> Reply;
}

impl<F: FnMut(&Recorded, usize) -> Reply + Send + 'static> Script for F {
    fn reply(&mut self, request: &Recorded, index: usize) -> Reply {
        self(request, index)
    }
}

impl Script for Vec<Reply> {
    fn reply(&mut self, _: &Recorded, index: usize) -> Reply {
        self.get(index).cloned().unwrap_or_else(|| {
            Reply::status(
                400,
                json!({"error": {"message": "the test's script has no more replies"}}),
            )
        })
    }
}

/// What is answered to a request that is none to chat.
type Rule = Box<dyn FnMut(&Recorded) -> Reply + Send>;

struct Shared {
    /// Ends of other paths and what they answer.
    others: Mutex<Vec<(String, Rule)>>,
    script: Mutex<(Box<dyn Script>, usize)>,
    requests: Mutex<Vec<Recorded>>,
    arrived: Condvar,
    /// When something was last sent.
    wrote: Mutex<Option<Instant>>,
}

/// The running server; see the module's documentation.
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl ModelServer {
    /// Starts a server on a free port.
    pub fn start(script: impl Script) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            others: Mutex::default(),
            script: Mutex::new((Box::new(script), 0)),
            requests: Mutex::default(),
            arrived: Condvar::new(),
            wrote: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, served) => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Answers requests to paths with this end too; they use up none of the script's replies.
    pub fn also(&self, end: &str, reply: Reply) {
        self.also_by(end, move |_| reply.clone());
    }

    /// The same by a rule. The latest rule for an end is the one that holds.
    pub fn also_by(&self, end: &str, rule: impl FnMut(&Recorded) -> Reply + Send + 'static) {
        self.shared.others.lock().unwrap().insert(0, (end.to_owned(), Box::new(rule)));
    }

    /// The requests to paths with this end.
    pub fn requests_to(&self, end: &str) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.path.ends_with(end)).collect()
    }

    /// The base URL for a provider's `base_url`, with `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// When the server wrote its last bytes so far.
    pub fn last_write(&self) -> Option<Instant> {
        *self.shared.wrote.lock().unwrap()
    }

    /// Blocks until `count` requests have come and returns all of them.
    pub fn wait_for(&self, count: usize) -> Vec<Recorded> {
        let requests = self.shared.requests.lock().unwrap();
        let (requests, timeout) = self
            .shared
            .arrived
            .wait_timeout_while(requests, PATIENCE, |requests| requests.len() < count)
            .unwrap();
        assert!(!timeout.timed_out(), "{count} requests were expected, {} came", requests.len());
        requests.clone()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((socket, peer)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            let mut socket = BufReader::new(socket);
            while let Ok(Some(request)) = read_request(&mut socket, peer).await {
                let reply = shared.take(request);
                if !matches!(answer(&mut socket, &reply, &shared).await, Ok(true)) {
                    break;
                }
            }
        });
    }
}

impl Shared {
    /// Records a request and finds its reply. Other paths than chat completions get a 404 and use
    /// up no reply.
    fn take(&self, request: Recorded) -> Reply {
        let chat = request.method == "POST"
            && request
                .path
                .split('?')
                .next()
                .is_some_and(|path| path.ends_with("/chat/completions"));
        let reply = if chat {
            let mut script = self.script.lock().unwrap();
            let (script, index) = &mut *script;
            *index += 1;
            script.reply(&request, *index - 1)
        } else {
            let mut others = self.others.lock().unwrap();
            let other = others.iter_mut().find(|(end, _)| request.path.ends_with(end.as_str()));
            other.map_or_else(
                || Reply::status(404, json!({"error": {"message": "no such path"}})),
                |(_, rule)| rule(&request),
            )
        };
        self.requests.lock().unwrap().push(request);
        self.arrived.notify_all();
        reply
    }
}

async fn read_request(
    socket: &mut BufReader<TcpStream>,
    peer: SocketAddr,
) -> std::io::Result<Option<Recorded>> {
    let mut line = String::new();
    if socket.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, length)| length.parse().ok()).unwrap_or(0)];
    socket.read_exact(&mut body).await?;
    let raw = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some(Recorded { peer, method, path, headers, raw, body }))
}

/// Plays a reply; true when the connection may serve another request.
async fn answer(
    socket: &mut BufReader<TcpStream>,
    reply: &Reply,
    shared: &Shared,
) -> std::io::Result<bool> {
    let mut steps: VecDeque<Step> = reply.before_headers.clone().into();
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let chunked = reply.body.is_none();
    match &reply.body {
        None => {
            steps.push_back(Step::Bytes(
                format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes(),
            ));
            steps.extend(reply.steps.iter().map(|step| match step {
                Step::Delta(delta) => {
                    framed(format!("data: {}\n\n", chunk(delta.clone(), None)).as_bytes())
                }
                Step::Bytes(bytes) => framed(bytes),
                step => step.clone(),
            }));
            if reply.done {
                steps.push_back(framed(&reply.ending()));
            }
            steps.push_back(Step::Bytes(b"0\r\n\r\n".to_vec()));
        }
        Some(body) => {
            let mut bytes = format!("{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
            bytes.extend_from_slice(body);
            steps.push_back(Step::Bytes(bytes));
        }
    }
    for step in steps {
        match step {
            Step::Bytes(bytes) => {
                socket.write_all(&bytes).await?;
                *shared.wrote.lock().unwrap() = Some(Instant::now());
            }
            Step::Sleep(time) => tokio::time::sleep(time).await,
            Step::Wait(gate) => gate.passed().await,
            Step::Drop => return Ok(false),
            // Until the client goes away.
            Step::Stall => {
                let mut rest = Vec::new();
                socket.read_to_end(&mut rest).await?;
                return Ok(false);
            }
            Step::Endless(event) => {
                let Step::Bytes(framed) = framed(&event.repeat(64)) else { return Ok(false) };
                loop {
                    socket.write_all(&framed).await?;
                }
            }
            Step::Delta(_) => unreachable!("deltas were framed above"),
        }
        if chunked {
            socket.flush().await?;
        }
    }
    Ok(true)
}

/// The bytes as one chunk of a chunked body.
fn framed(bytes: &[u8]) -> Step {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    Step::Bytes(framed)
}
