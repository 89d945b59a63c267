//! A client of the wire protocol, as programs in the field are.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::program::Home;

/// No wait takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Events of the protocol that the published client for Rust does not know.
const UNKNOWN_TO_IT: [&str; 3] = ["MCPLoadingBegin", "MCPLoadingEnd", "Notification"];

/// Reads a message as the published client for Rust does, whose types are strict about every field.
#[track_caller]
fn typed(line: &str, message: &Value) {
    if message["params"]["type"].as_str().is_some_and(|kind| UNKNOWN_TO_IT.contains(&kind)) {
        return;
    }
    let read = serde_json::from_str(line).map_err(|error| error.to_string()).and_then(|raw| {
        kimi_wire::message::parse_wire_message(raw).map_err(|error| error.to_string())
    });
    if let Err(error) = read {
        panic!("{error}: {line}");
    }
}

/// The program with a client on its streams; killed when dropped.
pub struct Client {
    pub child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    calls: u32,
    /// Whether it speaks the wire protocol: another one has other types.
    pub typed: bool,
    /// Every message so far.
    pub seen: Vec<Value>,
}

impl Client {
    /// Starts `kimi --wire` with these words more.
    pub fn start(home: &Home, words: &[&str]) -> Self {
        Self::of(home.command(&[&["--wire"], words].concat()))
    }

    /// Starts this program.
    pub fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut err = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text);
            text
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr: Some(stderr), calls: 0, typed: true, seen: Vec::new() }
    }

    /// The same, and has said that it shows everything.
    pub fn ready(home: &Home, words: &[&str]) -> Self {
        let mut client = Self::start(home, words);
        client.initialize(json!({}));
        client
    }

    /// Says hello with these parameters more; the result.
    #[track_caller]
    pub fn initialize(&mut self, more: Value) -> Value {
        let mut params = json!({
            "protocol_version": "1.10",
            "client": {"name": "lab", "version": "0.1"},
            "capabilities": {"supports_question": true, "supports_plan_mode": true},
        });
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        let id = self.call("initialize", params);
        self.result(&id)
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("an open stdin");
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// Calls a method; returns the id of the call.
    pub fn call(&mut self, method: &str, params: Value) -> String {
        self.calls += 1;
        let id = format!("c{}", self.calls);
        let call = json!({"jsonrpc": "2.0", "method": method, "id": id, "params": params});
        self.raw(format!("{call}\n").as_bytes());
        id
    }

    /// Sends a prompt.
    pub fn prompt(&mut self, text: &str) -> String {
        self.call("prompt", json!({"user_input": text}))
    }

    /// Answers a request.
    pub fn reply(&mut self, id: &str, result: Value) {
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
        self.raw(format!("{answer}\n").as_bytes());
    }

    /// The next message.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                let message: Value = serde_json::from_str(&line).expect("a line of JSON");
                assert_eq!(message["jsonrpc"], "2.0", "{line}");
                if self.typed {
                    typed(&line, &message);
                }
                self.seen.push(message.clone());
                message
            }
            Err(error) => panic!("no message ({error}) after {:#?}", self.seen),
        }
    }

    /// The first message from now on that fits.
    #[track_caller]
    pub fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next();
            if fits(&message) {
                return message;
            }
        }
    }

    /// Waits for the answer to a call: the result or the error.
    #[track_caller]
    pub fn answer(&mut self, id: &str) -> Value {
        self.until(|message| message["id"] == id && message.get("method").is_none())
    }

    #[track_caller]
    pub fn result(&mut self, id: &str) -> Value {
        let answer = self.answer(id);
        answer.get("result").unwrap_or_else(|| panic!("{answer}")).clone()
    }

    #[track_caller]
    pub fn error(&mut self, id: &str) -> (i64, String) {
        let answer = self.answer(id);
        let error = answer.get("error").unwrap_or_else(|| panic!("{answer}"));
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
    }

    /// Waits for an event; its payload.
    #[track_caller]
    pub fn event(&mut self, kind: &str) -> Value {
        let event =
            self.until(|message| message["method"] == "event" && message["params"]["type"] == kind);
        event["params"]["payload"].clone()
    }

    /// Waits for a request; its id and payload.
    #[track_caller]
    pub fn request(&mut self, kind: &str) -> (String, Value) {
        let request = self
            .until(|message| message["method"] == "request" && message["params"]["type"] == kind);
        let payload = request["params"]["payload"].clone();
        assert_eq!(request["id"], payload["id"], "the two ids of a request are one");
        (request["id"].as_str().unwrap().to_owned(), payload)
    }

    /// The words of a conversation: event and request types and `=id` for answers, repetitions of
    /// streamed pieces once.
    pub fn shape(&self) -> Vec<String> {
        let mut shape: Vec<String> = self.seen.iter().map(word).collect();
        shape.dedup_by(|a, b| a == b && matches!(a.as_str(), "ContentPart" | "ToolCallPart"));
        shape
    }

    /// Ends stdin.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits until the program has ended; its status and its stderr. What it still wrote is seen.
    #[track_caller]
    pub fn ended(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not end: {:#?}", self.seen),
            }
            std::thread::yield_now();
        };
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(serde_json::from_str(&line).expect("a line of JSON"));
        }
        (status.code(), self.stderr.take().unwrap().join().unwrap())
    }

    /// Ends stdin and waits for a good end; its stderr.
    #[track_caller]
    pub fn finish(mut self) -> String {
        self.hang_up();
        let (code, err) = self.ended();
        assert_eq!(code, Some(0), "{err}");
        err
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

fn word(message: &Value) -> String {
    match message["params"]["type"].as_str() {
        Some(kind) => kind.to_owned(),
        None => format!("={}", message["id"].as_str().unwrap_or("null")),
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
