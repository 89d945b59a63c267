//! Running a command with everything it starts: one session, one output, gone when it has to go.

mod capture;
mod family;
pub mod guard;
pub mod signals;
pub mod watch;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use family::Strays;

pub use capture::{Bounded, Captured, Leftovers, capture};

/// Time between asking a group to end and killing it. Programs that end us wait a second and a half
/// before they kill, and what a turn has started has to be gone by then.
pub const GRACE: Duration = Duration::from_secs(1);
/// How long output is awaited after the command itself has ended, when something it left running
/// still holds the pipe.
const LINGER: Duration = Duration::from_millis(200);
/// The least time between two [`Output::pause`]s.
const PACE: Duration = Duration::from_millis(50);
const CHUNK: usize = 64 << 10;

/// Takes what a command writes to its standard output and standard error, in the order it arrives.
pub trait Output: Send {
    /// The next bytes.
    fn bytes(&mut self, bytes: &[u8]);

    /// Called some time after bytes have come, at most every 50 ms, and at the end: the moment to
    /// show them.
    fn pause(&mut self);
}

/// How a command ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Exited(ExitStatus),
    TimedOut,
    Cancelled,
    /// It runs on, and can be attended again.
    LetGo,
}

/// What ends the attendance of a command, besides its own end.
pub struct Attendance<'a> {
    /// `None` for as long as it takes.
    pub timeout: Option<Duration>,
    pub cancel: &'a CancellationToken,
    /// Time between asking the group to end and killing it, on timeout and on cancel.
    pub grace: Duration,
    /// When this is cancelled, the command is left running.
    pub let_go: Option<&'a CancellationToken>,
}

/// A command that runs in a session of its own, without a terminal and without input. When this is
/// dropped while it runs, its whole group is killed.
pub struct Running {
    // Dropped before the child, without which its strays are not found.
    group: Group,
    child: Child,
    reader: Receiver,
    buffer: Vec<u8>,
    /// Somebody may still write.
    open: bool,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        in_own_session(&mut command);
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn()?;
        // Its copies of the pipe's writing end would keep the pipe open for ever.
        drop(command);
        let group = Group::of(&child);
        let reader = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok(Self { child, group, reader, buffer: vec![0; CHUNK], open: true })
    }

    /// Starts it, and lets it die with this process, also when that is killed and can drop nothing.
    /// What the command has left running when it ended by itself is not bound by this.
    pub fn start_bound(command: Command) -> io::Result<Self> {
        // Between the start and the word of it no time should pass.
        watch::ready();
        let mut running = Self::start(command)?;
        running.group.bind();
        Ok(running)
    }

    /// The number of the process, which is that of its group and its session too; `None` once it
    /// has ended.
    pub fn id(&self) -> Option<i32> {
        self.group.leader.map(|pid| pid.as_raw_nonzero().get())
    }

    /// Waits for its end and takes its output. When the command ends but leaves something running,
    /// that keeps running: [`Running::drain`] it.
    pub async fn attend(
        &mut self,
        how: Attendance<'_>,
        output: &mut dyn Output,
    ) -> io::Result<End> {
        let mut pending = false;
        let deadline = how.timeout.map(|timeout| Instant::now() + timeout);
        let mut next_pause = Instant::now();
        let end = loop {
            tokio::select! {
                biased;
                () = how.cancel.cancelled() => break End::Cancelled,
                () = until(deadline) => break End::TimedOut,
                () = asked(how.let_go) => {
                    output.pause();
                    return Ok(End::LetGo);
                }
                () = sleep_until(next_pause), if pending => {
                    output.pause();
                    pending = false;
                    next_pause = Instant::now() + PACE;
                }
                status = self.child.wait() => break End::Exited(status?),
                read = self.reader.read(&mut self.buffer), if self.open => match read {
                    Ok(0) | Err(_) => self.open = false,
                    Ok(length) => {
                        output.bytes(self.buffer.get(..length).unwrap_or_default());
                        pending = true;
                    }
                },
            }
        };
        if !matches!(end, End::Exited(_)) {
            self.end_group(how.grace, output).await;
        }
        if self.open {
            self.linger(output).await;
        }
        self.open &= matches!(end, End::Exited(_));
        self.group.release();
        output.pause();
        Ok(end)
    }

    /// Throws away what those write whom the command has left running: a closed pipe would kill them
    /// at their next line. Ends when they have ended; at once when there are none.
    pub async fn drain(mut self) {
        while self.open {
            self.open = matches!(self.reader.read(&mut self.buffer).await, Ok(1..));
        }
    }

    /// Reads on until the pipe closes or the patience ends.
    async fn linger(&mut self, output: &mut dyn Output) {
        let patience = Instant::now() + LINGER;
        while let Ok(read) = timeout_at(patience, self.reader.read(&mut self.buffer)).await {
            match read {
                Ok(length @ 1..) => output.bytes(self.buffer.get(..length).unwrap_or_default()),
                Ok(0) | Err(_) => {
                    self.open = false;
                    return;
                }
            }
        }
    }

    async fn end_group(&mut self, grace: Duration, output: &mut dyn Output) {
        let strays = self.group.ask_to_end();
        let patience = Instant::now() + grace;
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let mut exited = false;
        while !exited || self.group.is_alive() || strays.any_runs() {
            tokio::select! {
                () = sleep_until(patience) => break,
                _ = look.tick() => {}
                _ = self.child.wait(), if !exited => exited = true,
                read = self.reader.read(&mut self.buffer), if self.open => match read {
                    Ok(length @ 1..) => output.bytes(self.buffer.get(..length).unwrap_or_default()),
                    Ok(0) | Err(_) => self.open = false,
                },
            }
        }
        self.group.signal(Signal::KILL);
        strays.signal(Signal::KILL);
        if self.child.wait().await.is_err() {
            self.open = false;
        }
    }
}

/// Makes the process a command becomes the first of a session of its own: no terminal, no signal
/// meant for our group reaches it.
pub fn in_own_session(command: &mut Command) {
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
}

/// The program that this process runs.
pub fn own_program() -> PathBuf {
    // A program that was replaced while it runs is still to be had here.
    let running = PathBuf::from("/proc/self/exe");
    std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or(running)
}

/// Whether a process of that number is there, be it ours or not.
pub fn is_alive(pid: i32) -> bool {
    let Some(pid) = known(pid) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Kills the group of a command whose parent is gone, if the process that leads it has one of these
/// variables in its environment: numbers are used again, and it might be a stranger by now. Only
/// where the environment of a process can be read; returns whether anything was killed.
pub fn kill_orphan(leader: i32, marks: &[String]) -> bool {
    let Some(pid) = known(leader).filter(|_| leader > 1) else { return false };
    let marked = carries(leader.cast_unsigned(), marks);
    let leads = rustix::process::getsid(Some(pid)).is_ok_and(|session| session == pid);
    marked && leads && kill_process_group(pid, Signal::KILL).is_ok()
}

/// Whether a process was started with one of these variables (`NAME=value`) in its environment. Not of one
/// whose environment cannot be read.
pub fn carries(pid: u32, marks: &[String]) -> bool {
    std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| marks.iter().any(|mark| mark.as_bytes() == variable))
    })
}

/// A number as that of a process; a file may hold anything.
fn known(pid: i32) -> Option<Pid> {
    if pid > 0 { Pid::from_raw(pid) } else { None }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn asked(let_go: Option<&CancellationToken>) {
    match let_go {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

/// A process group that is killed when this is dropped.
struct Group {
    leader: Option<Pid>,
    /// [`watch`] knows of it.
    bound: bool,
}

impl Group {
    /// The group that a child in a session of its own leads.
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Self { leader, bound: false }
    }

    fn bind(&mut self) {
        if let Some(leader) = self.leader.filter(|_| !self.bound) {
            watch::began(leader);
            self.bound = true;
        }
    }

    /// Whoever is left of it may stay.
    fn release(&mut self) {
        if let Some(leader) = self.leader.take().filter(|_| self.bound) {
            watch::ended(leader);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // It fails when nobody is left, which is what was wanted.
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Asks everybody to end; returns those who have left the group, who are not to be found any more
    /// once their parents have ended.
    fn ask_to_end(&self) -> Strays {
        let strays = self.strays();
        self.signal(Signal::TERM);
        strays.signal(Signal::TERM);
        // A stopped process takes the signal only when it goes on.
        self.signal(Signal::CONT);
        strays
    }

    fn strays(&self) -> Strays {
        self.leader.map(Strays::of).unwrap_or_default()
    }

    fn is_alive(&self) -> bool {
        self.leader.is_some_and(|leader| test_kill_process_group(leader).is_ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Before their parents are gone, which is what they are known by.
        let strays = self.strays();
        self.signal(Signal::KILL);
        strays.signal(Signal::KILL);
        self.release();
    }
}

#[cfg(test)]
mod tests;
