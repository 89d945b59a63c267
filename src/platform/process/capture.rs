//! Running a command that is given an input and whose two outputs are wanted apart, each to a bound.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::time::{Instant, sleep_until};

use super::family::Strays;
use super::{CHUNK, End, GRACE, Group, LINGER, watch};

/// What a command wrote, and how it ended.
#[derive(Debug)]
pub struct Captured {
    pub end: End,
    pub stdout: Bounded,
    pub stderr: Bounded,
}

/// What becomes of the processes that a command leaves running when it ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    Kept,
    Killed,
}

/// The beginning of an output.
#[derive(Debug, Default)]
pub struct Bounded {
    bytes: Vec<u8>,
    /// There was more than what is kept.
    pub cut: bool,
}

impl Bounded {
    /// What is kept, as text; bytes that are none are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn push(&mut self, bytes: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.bytes.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.bytes.extend_from_slice(kept);
        self.cut |= kept.len() < bytes.len();
    }
}

/// Runs a command in a session of its own with this input. Of each output at most `limit` bytes are
/// kept; the rest is read and thrown away, so that a flood neither fills the memory nor stops the
/// command.
///
/// On timeout everything the command has started is asked to end and then killed; when the future is
/// dropped, or this process is killed, it is killed at once. A command that does not read its input is
/// no failure.
pub async fn capture(
    mut command: Command,
    input: Vec<u8>,
    timeout: Duration,
    limit: usize,
    leftovers: Leftovers,
) -> io::Result<Captured> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: setsid is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
    watch::ready();
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let mut group = Group::of(&child);
    group.bind();
    let mut feed = Box::pin(feed(child.stdin.take(), input));
    let mut out = Reader::new(child.stdout.take(), limit);
    let mut err = Reader::new(child.stderr.take(), limit);
    let (mut fed, mut exited) = (false, None);
    // First the time it may take, then the time that is left for what it leaves behind.
    let mut deadline = Instant::now() + timeout;
    let mut end = None;
    let mut strays = Strays::default();
    while !(exited.is_some() && out.pipe.is_none() && err.pipe.is_none()) {
        tokio::select! {
            biased;
            () = sleep_until(deadline) => {
                if exited.is_some() || end.is_some() {
                    break;
                }
                end = Some(End::TimedOut);
                strays = group.ask_to_end();
                deadline = Instant::now() + GRACE;
            }
            status = child.wait(), if exited.is_none() => {
                exited = Some(status?);
                if end.is_none() {
                    deadline = Instant::now() + LINGER;
                }
            }
            () = &mut feed, if !fed => fed = true,
            () = out.read(), if out.pipe.is_some() => {}
            () = err.read(), if err.pipe.is_some() => {}
        }
    }
    let end = match (end, exited) {
        (None, Some(status)) => {
            if leftovers == Leftovers::Killed {
                group.signal(Signal::KILL);
            }
            // A closed pipe would kill what was left running at its next line.
            out.drain_on();
            err.drain_on();
            group.release();
            End::Exited(status)
        }
        _ => {
            group.signal(Signal::KILL);
            strays.signal(Signal::KILL);
            let _ = child.wait().await;
            group.release();
            End::TimedOut
        }
    };
    Ok(Captured { end, stdout: out.kept, stderr: err.kept })
}

async fn feed(pipe: Option<ChildStdin>, input: Vec<u8>) {
    if let Some(mut pipe) = pipe {
        // Who does not read it has its reasons.
        let _ = pipe.write_all(&input).await;
    }
}

struct Reader<P> {
    pipe: Option<P>,
    buffer: Vec<u8>,
    kept: Bounded,
    limit: usize,
}

impl<P: AsyncRead + Unpin + Send + 'static> Reader<P> {
    fn new(pipe: Option<P>, limit: usize) -> Self {
        Self { pipe, buffer: vec![0; CHUNK], kept: Bounded::default(), limit }
    }

    async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut self.buffer).await {
            Ok(length @ 1..) => {
                self.kept.push(self.buffer.get(..length).unwrap_or_default(), self.limit);
            }
            Ok(0) | Err(_) => self.pipe = None,
        }
    }

    /// Reads on for as long as somebody writes, and keeps nothing of it.
    fn drain_on(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let mut buffer = std::mem::take(&mut self.buffer);
            tokio::spawn(async move { while let Ok(1..) = pipe.read(&mut buffer).await {} });
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::Pid;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn sh(line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line);
        command
    }

    async fn run(line: &str, input: &[u8], timeout: Duration, limit: usize) -> Captured {
        capture(sh(line), input.to_vec(), timeout, limit, Leftovers::Kept).await.unwrap()
    }

    fn code(captured: &Captured) -> Option<i32> {
        match captured.end {
            End::Exited(status) => status.code(),
            _ => None,
        }
    }

    #[tokio::test]
    async fn input_and_outputs_are_apart() {
        let ran = run("cat; echo err >&2; exit 3", b"in", LONG, 1000).await;
        assert_eq!((code(&ran), ran.stdout.text().as_str()), (Some(3), "in"));
        assert_eq!((ran.stderr.text().as_str(), ran.stderr.cut), ("err\n", false));
    }

    #[tokio::test]
    async fn an_input_that_nobody_reads_holds_nothing_up() {
        let ran = run("exec <&-; echo done", &vec![b'x'; 4 << 20], LONG, 1000).await;
        assert_eq!((code(&ran), ran.stdout.text().as_str()), (Some(0), "done\n"));
    }

    #[tokio::test]
    async fn a_flood_is_cut_and_ends() {
        let ran = run("yes | head -c 20000000; yes | head -c 9000000 >&2", b"", LONG, 1000).await;
        assert_eq!(code(&ran), Some(0));
        assert_eq!((ran.stdout.text().len(), ran.stdout.cut), (1000, true));
        assert_eq!((ran.stderr.text().len(), ran.stderr.cut), (1000, true));
    }

    #[tokio::test]
    async fn a_timeout_takes_everything_down() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let path = fifo.clone();
        // It ends when nobody has the other end any more.
        let reader = std::thread::spawn(move || std::fs::read_to_string(path).unwrap());
        // The grandchild ignores the polite signal.
        let line = format!(
            "(trap '' TERM; exec 9>'{}'; echo up >&9; while :; do sleep 1; done) & sleep 60",
            fifo.display()
        );
        let ran = run(&line, b"", Duration::from_secs(1), 1000).await;
        assert_eq!(ran.end, End::TimedOut);
        assert_eq!(reader.join().unwrap(), "up\n");
    }

    #[tokio::test]
    async fn what_is_left_running_holds_nothing_up() {
        let started = Instant::now();
        let ran = run("sleep 20 & echo $!", b"", LONG, 1000).await;
        assert_eq!(code(&ran), Some(0));
        assert!(started.elapsed() < Duration::from_secs(10));
        let pid = Pid::from_raw(ran.stdout.text().trim().parse().unwrap()).unwrap();
        rustix::process::test_kill_process(pid).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn nothing_is_left_where_nothing_shall_be() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let path = fifo.clone();
        // It ends when nobody has the other end any more.
        let reader = std::thread::spawn(move || std::fs::read_to_string(path).unwrap());
        let line = format!("exec 9>'{}'; echo up >&9; sleep 300 & exit 4", fifo.display());
        let ran = capture(sh(&line), Vec::new(), LONG, 1000, Leftovers::Killed).await.unwrap();
        assert_eq!(code(&ran), Some(4));
        assert_eq!(reader.join().unwrap(), "up\n");
    }
}
