//! Running a command with everything it starts: one session, one output, gone when it has to go.

mod capture;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

pub use capture::{Bounded, Captured, capture};

/// Time between asking a group to end and killing it. Programs that end us wait a second and a half
/// before they kill, and what a turn has started has to be gone by then.
const GRACE: Duration = Duration::from_secs(1);
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

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Exited(ExitStatus),
    TimedOut,
    Cancelled,
}

/// Runs a command in a session of its own, without a terminal and without input.
///
/// When the command ends but leaves something running, that keeps running and what it still writes
/// is thrown away. On timeout and on cancel the whole group is asked to end and then killed; when
/// the future is dropped it is killed at once.
pub async fn run(
    mut command: Command,
    timeout: Duration,
    cancel: &CancellationToken,
    output: &mut dyn Output,
) -> io::Result<End> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
    let mut command = tokio::process::Command::from(command);
    let mut child = command.kill_on_drop(true).spawn()?;
    // Its copies of the pipe's writing end would keep the pipe open for ever.
    drop(command);
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let mut reader = Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let mut buffer = vec![0; CHUNK];
    let (mut open, mut pending) = (true, false);
    let deadline = Instant::now() + timeout;
    let mut next_pause = Instant::now();
    let end = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break End::Cancelled,
            () = sleep_until(deadline) => break End::TimedOut,
            () = sleep_until(next_pause), if pending => {
                output.pause();
                pending = false;
                next_pause = Instant::now() + PACE;
            }
            status = child.wait() => break End::Exited(status?),
            read = reader.read(&mut buffer), if open => match read {
                Ok(0) | Err(_) => open = false,
                Ok(length) => {
                    output.bytes(buffer.get(..length).unwrap_or_default());
                    pending = true;
                }
            },
        }
    };
    if !matches!(end, End::Exited(_)) {
        end_group(&group, &mut child, &mut reader, &mut buffer, &mut open, output).await;
    }
    if open && !drain(&mut reader, &mut buffer, output).await && matches!(end, End::Exited(_)) {
        // A closed pipe would kill what was left running at its next line.
        tokio::spawn(async move { while let Ok(1..) = reader.read(&mut buffer).await {} });
    }
    group.0 = None;
    output.pause();
    Ok(end)
}

/// Reads on until the pipe closes (true) or the patience ends.
async fn drain(reader: &mut Receiver, buffer: &mut [u8], output: &mut dyn Output) -> bool {
    let patience = Instant::now() + LINGER;
    while let Ok(read) = timeout_at(patience, reader.read(buffer)).await {
        match read {
            Ok(length @ 1..) => output.bytes(buffer.get(..length).unwrap_or_default()),
            Ok(0) | Err(_) => return true,
        }
    }
    false
}

async fn end_group(
    group: &Group,
    child: &mut Child,
    reader: &mut Receiver,
    buffer: &mut [u8],
    open: &mut bool,
    output: &mut dyn Output,
) {
    group.signal(Signal::TERM);
    // A stopped process takes the signal only when it goes on.
    group.signal(Signal::CONT);
    let patience = Instant::now() + GRACE;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let mut exited = false;
    while !exited || group.is_alive() {
        tokio::select! {
            () = sleep_until(patience) => break,
            _ = look.tick() => {}
            _ = child.wait(), if !exited => exited = true,
            read = reader.read(buffer), if *open => match read {
                Ok(length @ 1..) => output.bytes(buffer.get(..length).unwrap_or_default()),
                Ok(0) | Err(_) => *open = false,
            },
        }
    }
    group.signal(Signal::KILL);
    if child.wait().await.is_err() {
        *open = false;
    }
}

/// A process group that is killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            // It fails when nobody is left, which is what was wanted.
            let _ = kill_process_group(leader, signal);
        }
    }

    fn is_alive(&self) -> bool {
        self.0.is_some_and(|leader| test_kill_process_group(leader).is_ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests;
