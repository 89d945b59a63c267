//! The child process of a server: started apart from everything else, gone when we are gone.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio as Standard};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
#[cfg(target_os = "linux")]
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

#[cfg(target_os = "linux")]
use super::last_words::LINE;
#[cfg(target_os = "linux")]
use crate::mcp::tidy::one_line;
use crate::platform::process::guard;
use crate::platform::process::{in_own_session, signals, watch};

/// How long a server may take to end by itself once its input is closed, and again once it was
/// asked to end.
const GRACE: Duration = Duration::from_secs(2);
/// The grace after the request to end.
const TERM_GRACE: Duration = Duration::from_millis(500);
/// How long it may take until everybody is gone who is killed. A guard that needs longer is helped.
const KILL_GRACE: Duration = Duration::from_millis(250);
/// How long it takes at most until everybody is killed, be it that somebody holds the guard.
pub(in crate::mcp) const END_TIME: Duration =
    GRACE.saturating_add(TERM_GRACE).saturating_add(KILL_GRACE).saturating_add(guard::ABANDON_TIME);

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
        Ok(started(command, false).await?)
    }

    /// Starts the guard.
    #[cfg(target_os = "linux")]
    async fn guarded(program: &Path, command: &Command) -> io::Result<(Self, guard::Report)> {
        let (mut command, report) = guard::guarded(program, command)?;
        piped(&mut command);
        Ok((started(command, true).await?, report))
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

    /// Of what was started just now, which leads a group of its own.
    fn new(child: Child, guarded: bool) -> Self {
        let mut process = Self { child, guarded, leader: None };
        // The one below a guard is known by its report.
        if let Some(leader) = process.id().filter(|_| !guarded) {
            process.bind(leader);
        }
        process
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

/// Starts it from the thread that starts all of them. When this is dropped first, it is not started,
/// or killed at once; what the command holds is held until then.
///
/// That thread lives as long as the process, which matters on Linux: a guard is told to end with
/// the thread that made it. It also keeps the work of forking away from the agent's thread.
async fn started(command: Command, guarded: bool) -> io::Result<Process> {
    let runtime = Handle::current();
    let (answer, started) = oneshot::channel();
    let job: Job = Box::new(move || {
        if answer.is_closed() {
            return;
        }
        let _runtime = runtime.enter();
        let child = tokio::process::Command::from(command).spawn();
        // Nobody may wait for the answer any more: dropped with it, the process is killed.
        let _ = answer.send(child.map(|child| Process::new(child, guarded)));
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

#[cfg(test)]
mod tests;
