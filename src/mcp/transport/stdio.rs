//! A server that is a child process: messages on its standard input and output, a line each.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use super::last_words::LastWords;
use super::lines::{Line, Lines, MAX_LINE, answered};
use super::log::ServerLog;
use super::process::{NotStarted, Process};
use super::{messages, refusal};
use crate::platform::Env;

/// What a server inherits of our environment (mcp.md section 1): enough to find programs and a home,
/// none of our secrets.
const INHERITED: [&str; 6] = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"];
/// What may come on its output between two messages that is none: lines, and bytes of them.
const MOST_NOISE: (usize, usize) = (1_000, 64 << 20);
/// After so many bytes of error output, reading it pauses: a server that does nothing but complain is
/// slowed down.
const ERROR_BURST: usize = 256 << 10;
const ERROR_PAUSE: Duration = Duration::from_millis(100);
/// Messages that may wait for a server to read its input.
const MOST_UNSENT: usize = 256;
/// The longest line of error output that is kept, in bytes.
const MAX_ERROR_LINE: usize = 8 << 10;
/// How long the end of a process that has closed its output may take to be known.
const END_PATIENCE: Duration = Duration::from_millis(500);
/// Bytes of a line that is quoted to a person.
const QUOTED: usize = 200;

/// What to start.
#[derive(Clone)]
pub(in crate::mcp) struct Command {
    pub program: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Absolute.
    pub cwd: PathBuf,
    /// Where its error output goes.
    pub log: ServerLog,
    /// The program that guards it.
    pub guard: Option<PathBuf>,
}

/// The transport. Dropping it kills the server.
pub(in crate::mcp) struct Stdio {
    /// Until it is closed.
    process: Option<Process>,
    input: Option<Arc<Mutex<ChildStdin>>>,
    unsent: Arc<AtomicUsize>,
    output: Lines<ChildStdout>,
    /// Messages of a batch that are not handed out yet.
    waiting: VecDeque<RxJsonRpcMessage<RoleClient>>,
    last_words: LastWords,
    /// Lines and bytes since the last message that were none.
    noise: (usize, usize),
    log: AbortOnDropHandle<()>,
}

impl Stdio {
    /// Starts the server. The error is half a sentence for a person.
    pub async fn start(
        command: &Command,
        env: &Env,
        last_words: LastWords,
    ) -> Result<Self, String> {
        if !command.cwd.is_dir() {
            let what = if command.cwd.exists() { "is no directory" } else { "does not exist" };
            return Err(format!("its directory {} {what}", command.cwd.display()));
        }
        let mut process = std::process::Command::new(&command.program);
        process.args(&command.args).current_dir(&command.cwd).env_clear();
        for name in INHERITED {
            // A value like this was a function of a shell once, and could be code.
            if let Some(value) = env.var(name).filter(|value| !value.starts_with("()")) {
                process.env(name, value);
            }
        }
        process.envs(&command.env);
        let started = Process::start(process, command.guard.as_deref()).await;
        let mut process = match started {
            Ok(process) => process,
            Err(NotStarted { error, said }) => {
                for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    command.log.write(line).await;
                }
                return Err(match error.kind() {
                    io::ErrorKind::NotFound => {
                        format!("the command `{}` was not found", command.program)
                    }
                    _ => format!("the command `{}` cannot be run: {error}", command.program),
                });
            }
        };
        let Some((stdin, stdout, stderr)) = process.streams() else {
            return Err("its standard streams are not there".to_owned());
        };
        let log = keep_errors(stderr, command.log.clone(), last_words.clone());
        Ok(Self {
            process: Some(process),
            input: Some(Arc::new(Mutex::new(stdin))),
            unsent: Arc::default(),
            output: Lines::new(stdout, MAX_LINE),
            waiting: VecDeque::new(),
            last_words,
            noise: (0, 0),
            log: AbortOnDropHandle::new(tokio::spawn(log)),
        })
    }

    /// Takes a line apart. What is no message is noted; an answer that cannot be used is still an
    /// answer.
    fn take(&mut self, line: Line) {
        let (head, tail, why) = match line {
            Line::Whole(text) => match messages(&text) {
                Ok(messages) => {
                    self.noise = (0, 0);
                    self.waiting.extend(messages);
                    return;
                }
                Err(error) => {
                    self.last_words.made_noise(&quoted(&text));
                    self.noise = (self.noise.0 + 1, self.noise.1 + text.len());
                    (text.clone(), text, format!("the server's answer is no valid JSON: {error}"))
                }
            },
            Line::TooLong { head, tail } => {
                let why = format!("the server's answer is larger than {} MiB", MAX_LINE >> 20);
                (head, tail, why)
            }
        };
        if head.first() == Some(&b'{') {
            self.waiting.extend(answered(&head, &tail).and_then(|id| refusal(id, &why)));
        }
    }

    /// Whether it has said too much that is no message.
    fn is_noisy(&self) -> bool {
        self.noise.0 > MOST_NOISE.0 || self.noise.1 > MOST_NOISE.1
    }

    /// Notes how the process ended, once its output has.
    async fn note_end(&mut self) {
        let Some(process) = &mut self.process else { return };
        let how = match tokio::time::timeout(END_PATIENCE, process.wait()).await {
            Ok(Ok(status)) => match status.code() {
                Some(code) => format!("it ended with status {code}"),
                None => "it was killed by a signal".to_owned(),
            },
            Ok(Err(error)) => format!("its end is unknown: {error}"),
            Err(_) if self.noise.0 > 0 => "it does not speak MCP".to_owned(),
            Err(_) => "it closed its output".to_owned(),
        };
        // What it said last may still be on its way.
        if !self.log.is_finished() {
            let _ = tokio::time::timeout(END_PATIENCE, &mut self.log).await;
        }
        self.last_words.ended(how);
    }
}

impl Transport<RoleClient> for Stdio {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let unsent = Arc::clone(&self.unsent);
        let input = self.input.clone();
        async move {
            let input = input.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            if unsent.fetch_add(1, Ordering::Relaxed) >= MOST_UNSENT {
                unsent.fetch_sub(1, Ordering::Relaxed);
                return Err(io::Error::other("the server does not read its input"));
            }
            let mut input = input.lock().await;
            let written = match input.write_all(&line).await {
                Ok(()) => input.flush().await,
                failed => failed,
            };
            unsent.fetch_sub(1, Ordering::Relaxed);
            match written {
                // It has ended, or is about to: that shows on its output, together with the reason.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written,
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            match self.output.next().await {
                Ok(Some(line)) if !self.is_noisy() => {
                    self.take(line);
                }
                Ok(_) | Err(_) => {
                    self.note_end().await;
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.input = None;
        if let Some(process) = self.process.take() {
            process.end().await;
        }
        Ok(())
    }
}

fn quoted(text: &[u8]) -> String {
    String::from_utf8_lossy(text.get(..text.len().min(QUOTED)).unwrap_or_default()).into_owned()
}

/// Writes the error output to its file, line by line, until it ends.
async fn keep_errors(stderr: ChildStderr, log: ServerLog, last_words: LastWords) {
    let mut lines = Lines::new(stderr, MAX_ERROR_LINE);
    let mut unpaused = 0;
    while let Ok(Some(line)) = lines.next().await {
        let text = match line {
            Line::Whole(text) => text,
            Line::TooLong { head, .. } => head,
        };
        // Before it is told: who hears of it may look there for more.
        log.write(&text).await;
        last_words.said(&quoted(&text));
        unpaused += text.len();
        if unpaused > ERROR_BURST {
            unpaused = 0;
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}
