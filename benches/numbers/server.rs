//! A model server on this machine that is never what one waits for: answers are put together before
//! the clock starts, and a thread per connection hands them out.
//!
//! The scriptable server of the tests builds each event while it sends it, which would be part of
//! what is measured here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

/// What a chat request is answered with.
#[derive(Clone)]
pub enum Answer {
    /// Everything at once, as fast as it is read.
    Whole(Arc<Vec<u8>>),
    /// These events in a circle until [`Server::stop`] is called: as fast as they are read, or
    /// paced, one per tick.
    Circle { events: Arc<Vec<Vec<u8>>>, tick: Option<Duration> },
}

impl Answer {
    /// One event per piece of text.
    pub fn of(deltas: &[String]) -> Self {
        let mut bytes = HEAD.as_bytes().to_vec();
        for delta in deltas {
            bytes.extend(event(delta));
        }
        bytes.extend(end());
        Self::Whole(Arc::new(bytes))
    }

    /// One event per piece of text, again and again.
    pub fn circle(deltas: &[String], tick: Option<Duration>) -> Self {
        let events = deltas.iter().map(|delta| event(delta)).collect();
        Self::Circle { events: Arc::new(events), tick }
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";

fn event(text: &str) -> Vec<u8> {
    let delta = json!({"content": text});
    chunk(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "bench", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
}

/// An event as one chunk of the body.
fn chunk(data: &serde_json::Value) -> Vec<u8> {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

fn end() -> Vec<u8> {
    let mut bytes = chunk(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    bytes.extend(chunk(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk",
        "choices": [], "usage": {"prompt_tokens": 1_000, "completion_tokens": 100,
            "total_tokens": 1_100}})));
    bytes.extend(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    bytes
}

struct Shared {
    answer: Mutex<Answer>,
    stop: AtomicBool,
    bodies: Mutex<Vec<Vec<u8>>>,
}

/// The running server. It lives as long as the process.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Starts a server on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answer: Mutex::new(Answer::of(&["Hello.".to_owned()])),
            stop: AtomicBool::new(false),
            bodies: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                // The program that is measured may go away at any time.
                std::thread::spawn(move || drop(serve(socket, &shared)));
            }
        });
        Self { address, shared }
    }

    /// What requests are answered with from now on.
    pub fn answer_with(&self, answer: Answer) {
        self.shared.stop.store(false, Ordering::SeqCst);
        *self.shared.answer.lock().expect("not poisoned") = answer;
    }

    /// Ends a [`Answer::Circle`] in good order.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }

    /// The bodies of the requests since the last call.
    pub fn take_bodies(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.shared.bodies.lock().expect("not poisoned"))
    }
}

fn serve(mut socket: TcpStream, shared: &Shared) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        shared.bodies.lock().expect("not poisoned").push(body);
        let answer = shared.answer.lock().expect("not poisoned").clone();
        match answer {
            Answer::Whole(bytes) => socket.write_all(&bytes)?,
            Answer::Circle { events, tick } => {
                socket.write_all(HEAD.as_bytes())?;
                let begin = Instant::now();
                for (n, event) in events.iter().cycle().enumerate() {
                    if shared.stop.load(Ordering::SeqCst) {
                        break;
                    }
                    if let Some(tick) = tick {
                        let due = begin + tick * u32::try_from(n).unwrap_or(u32::MAX);
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                    socket.write_all(event)?;
                }
                socket.write_all(&end())?;
            }
        }
    }
}
