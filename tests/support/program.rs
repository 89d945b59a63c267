//! The real binary without a terminal: a home, a project directory, a configuration, pipes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No wait takes longer.
const PATIENCE: Duration = Duration::from_secs(40);
/// The same of a run with a thousand servers, in a debug build on a busy machine.
const LONG_PATIENCE: Duration = Duration::from_secs(120);

/// Where the program lives.
pub struct Home {
    dir: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

impl Home {
    /// Nothing is configured.
    pub fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "project"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, vars: Vec::new() }
    }

    /// A model of this server is configured.
    pub fn new(url: &str) -> Self {
        let home = Self::bare();
        home.write("share/config.toml", Self::config(url));
        home
    }

    /// The configuration of [`Home::new`].
    pub fn config(url: &str) -> String {
        format!(
            "default_model = \"mock\"\n[models.mock]\nprovider = \"p\"\nmodel = \"mock-model\"\n\
             max_context_size = 262144\n[providers.p]\ntype = \"kimi\"\nbase_url = \"{url}\"\n\
             api_key = \"sk-test\"\n"
        )
    }

    /// Sets an environment variable for every run.
    pub fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program with these words, in the project directory.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kimi"));
        command.args(words);
        self.settle(command)
    }

    /// A shell line in the same place; the program is `"$0"`.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_kimi")]);
        self.settle(command)
    }

    fn settle(&self, mut command: Command) -> Command {
        command
            .current_dir(self.path("project"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("USER", "tester")
            .env("KIMI_SHARE_DIR", self.path("share"))
            .envs(self.vars.iter().map(|(name, value)| (name, value)));
        hear_signals(&mut command);
        command
    }

    /// Starts it with pipes; nothing is written to stdin yet.
    pub fn start(&self, words: &[&str]) -> Running {
        Running::start(self.command(words))
    }

    /// Runs it to its end with an empty stdin.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, "")
    }

    /// The same for a run that has a great deal to do.
    pub fn run_long(&self, words: &[&str]) -> Ran {
        let mut running = self.start(words);
        running.feed(b"");
        running.end_within(LONG_PATIENCE)
    }

    /// Runs it to its end with this stdin.
    pub fn run_with(&self, words: &[&str], stdin: impl AsRef<[u8]>) -> Ran {
        let mut running = self.start(words);
        running.feed(stdin.as_ref());
        running.end()
    }

    /// The directories of all sessions.
    pub fn sessions(&self) -> Vec<PathBuf> {
        let below = |dir: &Path| {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
        };
        below(&self.path("share/sessions")).iter().flat_map(|dir| below(dir)).collect()
    }

    /// The only session.
    pub fn session(&self) -> PathBuf {
        let sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions[0].clone()
    }
}

/// The lines of a file that are JSON; a torn last line is left out.
pub fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A run that is over.
#[derive(Debug)]
pub struct Ran {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// stdout as JSON lines; fails when one is none.
    pub fn records(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
        };
        self.out.lines().map(parse).collect()
    }

    /// The run went well.
    #[track_caller]
    pub fn well(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }
}

/// The program while it runs; killed when dropped.
pub struct Running {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    out: Arc<Stream>,
    err: Arc<Stream>,
}

#[derive(Default)]
struct Stream {
    state: Mutex<(Vec<u8>, bool)>,
    news: Condvar,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Arc<Self> {
        let stream = Arc::new(Self::default());
        let theirs = Arc::clone(&stream);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            loop {
                let read = from.read(&mut buffer).unwrap_or(0);
                let mut state = theirs.state.lock().unwrap();
                state.0.extend_from_slice(&buffer[..read]);
                state.1 |= read == 0;
                theirs.news.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        stream
    }

    #[track_caller]
    fn wait(&self, what: &str, fits: impl Fn(&str, bool) -> bool) -> String {
        self.wait_within(PATIENCE, what, fits)
    }

    #[track_caller]
    fn wait_within(
        &self,
        patience: Duration,
        what: &str,
        fits: impl Fn(&str, bool) -> bool,
    ) -> String {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock().unwrap();
        loop {
            let text = String::from_utf8_lossy(&state.0).into_owned();
            if fits(&text, state.1) {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                panic!("waited for {what}:\n{text}");
            }
            state = self.news.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Stream::read(child.stdout.take().unwrap());
        let err = Stream::read(child.stderr.take().unwrap());
        Self { stdin: child.stdin.take(), child, out, err }
    }

    /// Writes all of stdin and ends it. A program that does not read it is no failure.
    pub fn feed(&mut self, stdin: &[u8]) {
        if let Some(mut pipe) = self.stdin.take() {
            drop(pipe.write_all(stdin));
        }
    }

    /// Waits until stdout has this in it.
    #[track_caller]
    pub fn wait_out(&self, text: &str) {
        self.out_with(text);
    }

    /// The same; returns what stdout has by then.
    #[track_caller]
    pub fn out_with(&self, text: &str) -> String {
        self.out.wait(text, |out, _| out.contains(text))
    }

    /// Waits until stderr has this in it.
    #[track_caller]
    pub fn wait_err(&self, text: &str) {
        self.err.wait(text, |err, _| err.contains(text));
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(self) -> Ran {
        self.end_within(PATIENCE)
    }

    #[track_caller]
    fn end_within(mut self, patience: Duration) -> Ran {
        let deadline = Instant::now() + patience;
        let out = self.out.wait_within(patience, "the end of stdout", |_, closed| closed);
        let err = self.err.wait_within(patience, "the end of stderr", |_, closed| closed);
        // Both streams are closed: the end is near, and nothing else tells of it.
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end\n{out}\n{err}");
            std::thread::yield_now();
        };
        Ran { code: status.code(), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whoever runs the tests in the background, as a shell does with `&`, ignores SIGINT, and so would the
/// program: ignored signals are inherited.
fn hear_signals(command: &mut Command) {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // SAFETY: `signal` may be called between fork and exec, and touches nothing of ours.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGTERM] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                Ok(())
            });
        }
    }
}
