//! The connection to an instance: one line of JSON in, one line or many out.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::trouble::Trouble;
use super::words::who;
use crate::front::text::clean_line;
use crate::platform::Env;
use crate::protocol::control::{Answer, Command, Instance, Refusal, RefusalCode};

/// The longest line that is read, in bytes: what a model can answer is far shorter.
const MAX_LINE: usize = 64 << 20;

/// How long an instance may take to do what needs no waiting.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait for a line.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// As long as a reply may take that needs no waiting.
    Patience,
    /// Up to this moment; for ever without one.
    Then(Option<Deadline>),
}

/// When a wait ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Instant,
    /// How long it was at the beginning.
    after: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(env: &Env, after: Duration) -> Self {
        let now = env.clock.instant();
        Self { at: now.checked_add(after).unwrap_or(now), after }
    }

    /// Whether it is over.
    pub fn has_passed(self, env: &Env) -> bool {
        self.at <= env.clock.instant()
    }

    /// What to say when it is.
    pub fn trouble(self, who: String) -> Trouble {
        Trouble::TimedOut { who, after: self.after }
    }

    /// The same, with some time for the answer to come through.
    pub fn and(self, more: Duration) -> Self {
        Self { at: self.at + more, ..self }
    }
}

/// A line that came back, parsed and as it was.
#[derive(Debug)]
pub struct Reply {
    pub answer: Answer,
    raw: Vec<u8>,
}

impl Reply {
    /// The line itself, without its end.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The state in it as one line of JSON, with the fields that this version does not know. A
    /// fraction may differ in its 17th digit.
    pub fn state_json(&self) -> String {
        let line: serde_json::Value = serde_json::from_slice(&self.raw).unwrap_or_default();
        line.get("state").unwrap_or(&serde_json::Value::Null).to_string()
    }
}

/// A connection.
pub struct Link<'a> {
    env: &'a Env,
    stream: UnixStream,
    /// What has been read and not yet been taken.
    read: Vec<u8>,
    /// How far into it no line end has been found.
    searched: usize,
    patience: Duration,
    who: String,
}

impl<'a> Link<'a> {
    /// Connects. An instance that accepts nobody must not hold us up: the system keeps those who
    /// knock waiting when too many do.
    pub fn open(instance: &Instance, env: &'a Env, patience: Duration) -> Result<Self, Trouble> {
        let who = who(instance);
        let Some(socket) = instance.socket.as_ref().map(PathBuf::from) else {
            return Err(Trouble::NoSocket { who });
        };
        let (connected, connecting) = mpsc::channel();
        std::thread::spawn(move || connected.send(UnixStream::connect(socket)));
        let stream = match connecting.recv_timeout(patience) {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => return Err(Trouble::Connect { who, source }),
            Err(_) => return Err(Trouble::Silent { who, within: patience }),
        };
        stream
            .set_write_timeout(Some(patience))
            .map_err(|source| Trouble::Broken { who: who.clone(), source })?;
        Ok(Self { env, stream, read: Vec::new(), searched: 0, patience, who })
    }

    /// The instance at the other end, in words.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Sends a command and takes its answer; a refusal is an error.
    pub fn ask(&mut self, command: &Command, until: Until) -> Result<Reply, Trouble> {
        let unsent = self.send(command).err();
        match (self.next(until), unsent) {
            (Ok(Some(reply)), _) => Ok(reply),
            // Whoever refuses a line need not read it to its end.
            (Err(refused @ Trouble::Refused { .. }), _) => Err(refused),
            (_, Some(unsent)) => Err(unsent),
            (Ok(None), None) => Err(Trouble::HungUp { who: self.who.clone() }),
            (Err(trouble), None) => Err(trouble),
        }
    }

    /// Sends a command.
    pub fn send(&mut self, command: &Command) -> Result<(), Trouble> {
        let mut line = serde_json::to_vec(command).map_err(|error| self.broken(error.into()))?;
        line.push(b'\n');
        self.stream.write_all(&line).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.silent(),
            _ => self.broken(error),
        })
    }

    /// The next line; `None` when the instance has hung up. A refusal is an error.
    pub fn next(&mut self, until: Until) -> Result<Option<Reply>, Trouble> {
        let deadline = match until {
            Until::Patience => Some(self.env.clock.instant() + self.patience),
            Until::Then(deadline) => deadline.map(|deadline| deadline.at),
        };
        let raw = loop {
            if let Some(line) = self.take_line() {
                break line;
            }
            match self.fill(deadline)? {
                Filled::Some => {}
                Filled::HungUp if self.read.is_empty() => return Ok(None),
                Filled::HungUp => return Err(Trouble::HungUp { who: self.who.clone() }),
                Filled::TooLate => return Err(self.too_late(until)),
            }
        };
        let answer: Answer = match serde_json::from_slice(&raw) {
            Ok(answer) => answer,
            Err(error) => return Err(self.garbage(error.to_string())),
        };
        if answer.ok {
            return Ok(Some(Reply { answer, raw }));
        }
        let mut refusal = answer.error.unwrap_or_else(|| Refusal {
            code: RefusalCode::WrongState,
            message: "it does not say why".to_owned(),
        });
        refusal.message = clean_line(&refusal.message);
        Err(Trouble::Refused { who: self.who.clone(), refusal })
    }

    /// The state that came with a reply.
    pub fn state_of<'r>(&self, reply: &'r Reply) -> Result<&'r Instance, Trouble> {
        reply.answer.state.as_deref().ok_or_else(|| self.garbage("no state".to_owned()))
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.read[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.read.len();
            return None;
        };
        let rest = self.read.split_off(self.searched + end + 1);
        let mut line = std::mem::replace(&mut self.read, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }

    /// Reads what there is, at the latest at the deadline.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<Filled, Trouble> {
        if self.read.len() > MAX_LINE {
            return Err(self.garbage(format!("a line of more than {} MB", MAX_LINE >> 20)));
        }
        let left = deadline.map(|then| then.saturating_duration_since(self.env.clock.instant()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Filled::TooLate);
        }
        self.stream.set_read_timeout(left).map_err(|error| self.broken(error))?;
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(Filled::HungUp),
            Ok(length) => {
                self.read.extend_from_slice(buffer.get(..length).unwrap_or_default());
                Ok(Filled::Some)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(Filled::Some),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(Filled::TooLate),
                // A process that dies with our words unread.
                io::ErrorKind::ConnectionReset => Ok(Filled::HungUp),
                _ => Err(self.broken(error)),
            },
        }
    }

    fn too_late(&self, until: Until) -> Trouble {
        match until {
            Until::Then(Some(deadline)) => deadline.trouble(self.who.clone()),
            _ => self.silent(),
        }
    }

    fn silent(&self) -> Trouble {
        Trouble::Silent { who: self.who.clone(), within: self.patience }
    }

    fn broken(&self, source: io::Error) -> Trouble {
        Trouble::Broken { who: self.who.clone(), source }
    }

    /// It is gone.
    pub fn ended(&self) -> Trouble {
        Trouble::Ended { who: self.who.clone() }
    }

    /// It speaks another language.
    pub fn garbage(&self, why: String) -> Trouble {
        Trouble::Garbage { who: self.who.clone(), why }
    }
}

enum Filled {
    Some,
    HungUp,
    TooLate,
}
