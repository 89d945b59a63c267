//! The child process of a server: started apart from everything else, gone when we are gone.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Stdio as Standard;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process_group, setsid};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::mcp::tidy::{one_line, without_spinner};
use crate::platform::process::{marked, watch};

/// How long a server may take to end by itself once its input is closed, and again once it was
/// asked to end.
const GRACE: Duration = Duration::from_secs(2);
/// The grace after the request to end.
const TERM_GRACE: Duration = Duration::from_millis(500);

/// Starts a command with piped standard streams in a session of its own, from the thread that
/// starts all of them.
///
/// That thread lives as long as the process, which matters on Linux: a child is told to die with
/// the thread that made it. It also keeps the work of forking away from the agent's thread.
pub(super) async fn spawn(mut command: std::process::Command) -> io::Result<(Child, Group)> {
    let us = getpid();
    static SERVERS: AtomicU64 = AtomicU64::new(1);
    let (variable, value) = watch::mark(SERVERS.fetch_add(1, Ordering::Relaxed));
    command.env(variable, &value);
    let mark = format!("{variable}={value}");
    command.stdin(Standard::piped()).stdout(Standard::piped()).stderr(Standard::piped());
    // SAFETY: setsid, prctl and getppid are async-signal-safe and touch no memory of the parent.
    unsafe {
        command.pre_exec(move || {
            setsid()?;
            #[cfg(target_os = "linux")]
            {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                // The parent may have gone before the line above.
                if getppid() != Some(us) {
                    return Err(io::Error::from(io::ErrorKind::NotConnected));
                }
            }
            #[cfg(not(target_os = "linux"))]
            let _ = us;
            Ok(())
        });
    }
    let runtime = Handle::current();
    let (answer, started) = oneshot::channel();
    let job: Job = Box::new(move || {
        let _runtime = runtime.enter();
        let mut command = tokio::process::Command::from(command);
        // Nobody may wait for the answer any more: the child is killed then, with its group.
        let _ = answer.send(command.kill_on_drop(true).spawn().map(|child| {
            let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            (child, Group::new(leader, mark))
        }));
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

/// The process group of a server, and what has left it; killed when this is dropped.
pub(super) struct Group {
    leader: Option<Pid>,
    /// The variable that everybody carries whom the server has started; `None` when nobody is left.
    mark: Option<String>,
}

impl Group {
    fn new(leader: Option<Pid>, mark: String) -> Self {
        leader.into_iter().for_each(watch::began);
        Self { leader, mark: Some(mark) }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // It fails when nobody is left, which is what was wanted.
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Waits for the process to end by itself, its input being closed; then asks the group to end,
    /// then kills it, and those who are in other groups.
    pub async fn end(mut self, child: &mut Child) {
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            self.signal(Signal::TERM);
            // A stopped process takes the signal only when it goes on.
            self.signal(Signal::CONT);
            let _ = tokio::time::timeout(TERM_GRACE, child.wait()).await;
        }
        self.signal(Signal::KILL);
        let _ = tokio::time::timeout(TERM_GRACE, child.wait()).await;
        if let Some(mark) = self.mark.take() {
            let _ = tokio::task::spawn_blocking(move || marked::kill_all(mark)).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mark) = self.mark.take() {
            // Nobody waits here, and to look takes milliseconds.
            std::thread::spawn(move || marked::kill_all(mark));
        }
        self.leader.into_iter().for_each(watch::ended);
    }
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
