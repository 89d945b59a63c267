//! The child process of a server: started apart from everything else, gone when we are gone.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio as Standard};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
#[cfg(target_os = "linux")]
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::mcp::tidy::{one_line, without_spinner};
#[cfg(target_os = "linux")]
use crate::platform::process::guard;
use crate::platform::process::{in_own_session, signals, watch};

/// How long a server may take to end by itself once its input is closed, and again once it was
/// asked to end.
const GRACE: Duration = Duration::from_secs(2);
/// The grace after the request to end.
const TERM_GRACE: Duration = Duration::from_millis(500);
/// How long it may take until everybody is gone who is killed.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// Bytes that are read of what a guard said which failed.
#[cfg(target_os = "linux")]
const MOST_SAID: u64 = 8 << 10;

/// A server's process; it ends when this is dropped, with everything that it has started.
pub(super) struct Process {
    /// The server, or its guard.
    child: Child,
    guarded: bool,
    /// Leads the group of the server.
    leader: Option<Pid>,
}

/// Why a command does not run.
#[derive(Debug)]
pub(super) struct NotStarted {
    pub error: io::Error,
    /// What its guard said on the error output, if anything.
    pub said: Vec<u8>,
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self { error, said: Vec::new() }
    }
}

impl Process {
    /// Starts a command with piped standard streams in a session of its own; under a guard, which
    /// this program is, where there is one ([`guard`]).
    pub async fn start(mut command: Command, program: Option<&Path>) -> Result<Self, NotStarted> {
        #[cfg(target_os = "linux")]
        if let Some(program) = program {
            match Self::guarded(program, &command).await {
                Ok((started, report)) => return started.reported(report).await,
                // Where the server itself cannot be started either, its own start says why.
                Err(error) => tracing::warn!("a server is started without a guard: {error}"),
            }
        }
        let _ = program;
        piped(&mut command);
        in_own_session(&mut command);
        signals::fresh(&mut command);
        let mut started = started(command, false).await?;
        if let Some(leader) = started.id() {
            started.bind(leader);
        }
        Ok(started)
    }

    /// Starts the guard.
    #[cfg(target_os = "linux")]
    async fn guarded(program: &Path, command: &Command) -> io::Result<(Self, guard::Report)> {
        let (guard::Guarded { mut command, ends }, report) = guard::guarded(program, command)?;
        piped(&mut command);
        let started = started(command, true).await?;
        drop(ends);
        Ok((started, report))
    }

    /// Waits for what the guard says of its server.
    #[cfg(target_os = "linux")]
    async fn reported(mut self, report: guard::Report) -> Result<Self, NotStarted> {
        match report.server().await {
            Ok(leader) => {
                self.bind(leader);
                Ok(self)
            }
            // It has ended without a word of the server.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(self.unreported().await),
            Err(error) => Err(error.into()),
        }
    }

    /// Why a guard has said nothing.
    #[cfg(target_os = "linux")]
    async fn unreported(mut self) -> NotStarted {
        let mut said = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let mut stderr = stderr.take(MOST_SAID);
            let _ = timeout(TERM_GRACE, stderr.read_to_end(&mut said)).await;
        }
        let how = match timeout(TERM_GRACE, self.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(_)) | Err(_) => "no answer".to_owned(),
        };
        let text = String::from_utf8_lossy(&said);
        let said_last = text.lines().rfind(|line| !line.trim().is_empty());
        let said_last = said_last.map(|line| format!("; it said: {}", one_line(line, LINE)));
        let why = format!("its guard has failed ({how}){}", said_last.unwrap_or_default());
        NotStarted { error: io::Error::other(why), said }
    }

    fn id(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
    }

    fn bind(&mut self, leader: Pid) {
        watch::began(leader);
        self.leader = Some(leader);
    }

    /// Its standard input, output and error output, which are to be had once.
    pub fn streams(&mut self) -> Option<(ChildStdin, ChildStdout, ChildStderr)> {
        Some((self.child.stdin.take()?, self.child.stdout.take()?, self.child.stderr.take()?))
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // It fails when nobody is left, which is what was wanted.
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Kills it and all it has started; the guard does it where there is one, and is not there any
    /// more when all are gone.
    fn kill(&self) {
        match self.id() {
            Some(guard) if self.guarded => {
                let _ = kill_process(guard, Signal::TERM);
                // A stopped guard takes it only when it goes on.
                let _ = kill_process(guard, Signal::CONT);
            }
            None if self.guarded => {}
            _ => self.signal(Signal::KILL),
        }
    }

    /// Waits for the process to end by itself, its input being closed; then asks the group to end,
    /// then kills everything.
    pub async fn end(mut self) {
        if timeout(GRACE, self.wait()).await.is_err() {
            self.signal(Signal::TERM);
            // A stopped process takes the signal only when it goes on.
            self.signal(Signal::CONT);
            let _ = timeout(TERM_GRACE, self.wait()).await;
        }
        self.kill();
        if timeout(KILL_GRACE, self.wait()).await.is_err() {
            // Somebody holds the guard.
            self.signal(Signal::KILL);
            #[cfg(target_os = "linux")]
            if let Some(guard) = self.id().filter(|_| self.guarded) {
                let _ = tokio::task::spawn_blocking(move || guard::abandon(guard)).await;
                let _ = timeout(TERM_GRACE, self.wait()).await;
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.leader.into_iter().for_each(watch::ended);
    }
}

fn piped(command: &mut Command) {
    command.stdin(Standard::piped()).stdout(Standard::piped()).stderr(Standard::piped());
}

/// Starts it from the thread that starts all of them.
///
/// That thread lives as long as the process, which matters on Linux: a guard is told to end with
/// the thread that made it. It also keeps the work of forking away from the agent's thread.
async fn started(command: Command, guarded: bool) -> io::Result<Process> {
    let runtime = Handle::current();
    let (answer, started) = oneshot::channel();
    let job: Job = Box::new(move || {
        let _runtime = runtime.enter();
        let child = tokio::process::Command::from(command).spawn();
        // Nobody may wait for the answer any more: it is killed then.
        let _ = answer.send(child.map(|child| Process { child, guarded, leader: None }));
    });
    starter()?.send(job).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    started.await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?
}

type Job = Box<dyn FnOnce() + Send>;

fn starter() -> io::Result<&'static Sender<Job>> {
    static STARTER: OnceLock<Sender<Job>> = OnceLock::new();
    if let Some(starter) = STARTER.get() {
        return Ok(starter);
    }
    let (jobs, waiting) = channel::<Job>();
    let run = move || waiting.into_iter().for_each(|job| job());
    std::thread::Builder::new().name("mcp-start".to_owned()).spawn(run)?;
    Ok(STARTER.get_or_init(|| jobs))
}

/// Lines of error output that are remembered, and characters of each.
const LINES: usize = 8;
const LINE: usize = 400;

/// What is known of a server that does not answer any more: how it ended, what it said last.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct LastWords(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    end: Option<String>,
    /// The last lines of its error output.
    error_lines: VecDeque<String>,
    /// The first line on its output that was no message.
    noise: Option<String>,
}

impl Words {
    /// The line that says why: a stack of calls often comes after it.
    fn reason(&self) -> Option<&String> {
        let says_error = |line: &&String| line.to_ascii_lowercase().contains("error");
        self.error_lines.iter().rev().find(says_error).or(self.error_lines.back())
    }
}

impl LastWords {
    fn with<T>(&self, look: impl FnOnce(&mut Words) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes how the process ended.
    pub(super) fn ended(&self, how: String) {
        self.with(|words| words.end = Some(how));
    }

    /// Notes a line of its error output.
    pub(super) fn said(&self, line: &str) {
        let line = one_line(&without_spinner(line), LINE);
        if !line.is_empty() {
            self.with(|words| {
                words.error_lines.push_back(line);
                if words.error_lines.len() > LINES {
                    words.error_lines.pop_front();
                }
            });
        }
    }

    /// The last lines of its error output, clean, the oldest first.
    pub fn error_lines(&self) -> Vec<String> {
        self.with(|words| words.error_lines.iter().cloned().collect())
    }

    /// Notes a line on its output that is no message.
    pub(super) fn made_noise(&self, line: &str) {
        self.with(|words| {
            words.noise.get_or_insert_with(|| one_line(line, LINE));
        });
    }

    /// All of it as half a sentence for a person, if there is any.
    pub fn told(&self) -> Option<String> {
        self.with(|words| {
            let mut told = words.end.clone().unwrap_or_default();
            let said = match (words.reason(), &words.noise) {
                (Some(line), _) => format!("it said: {line}"),
                (None, Some(line)) => format!("its output is no MCP: {line}"),
                (None, None) => String::new(),
            };
            if !said.is_empty() {
                if !told.is_empty() {
                    told.push_str("; ");
                }
                told.push_str(&said);
            }
            (!told.is_empty()).then_some(told)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_the_last_lines() {
        let words = LastWords::default();
        for n in 0..20 {
            words.said(&format!("\u{1b}[31mline {n}\u{1b}[0m"));
        }
        assert_eq!(words.told().unwrap(), "it said: line 19");
        assert_eq!(words.error_lines().len(), LINES);
        words.said("  Error: no such module ");
        words.said(" at x.js:1");
        words.said("\u{1b}[0m");
        words.ended("it ended with status 1".to_owned());
        assert_eq!(words.told().unwrap(), "it ended with status 1; it said: Error: no such module");
        assert_eq!(words.error_lines().last().unwrap(), "at x.js:1");
    }
}
