//! A private tmux server with one pane, driven as an orchestrator drives it.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A tmux server of its own, killed when dropped.
pub struct Tmux {
    socket: String,
    directory: tempfile::TempDir,
}

/// Whether tmux is there. Says a word when it is not; with `KIMI_REQUIRE_TMUX=1` that is a failure.
pub fn available() -> bool {
    let found = Command::new("tmux").arg("-V").output().is_ok_and(|out| out.status.success());
    if !found {
        assert!(
            std::env::var("KIMI_REQUIRE_TMUX").as_deref() != Ok("1"),
            "tmux is required here and was not found"
        );
        eprintln!("skipped: no tmux on this machine");
    }
    found
}

impl Tmux {
    /// A server whose one pane runs `command` (a shell line) at this size.
    pub fn start(command: &str, columns: u16, rows: u16) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let tmux = Self {
            socket: format!("kimi-test-{}-{number}", std::process::id()),
            directory: tempfile::tempdir().expect("a directory"),
        };
        let (x, y) = (columns.to_string(), rows.to_string());
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", &x, "-y", &y, command]);
        tmux
    }

    /// Runs a tmux command and returns what it prints.
    pub fn run(&self, args: &[&str]) -> String {
        let out = self.output(args);
        assert!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// A tmux client of this server, without arguments yet.
    pub fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-L", &self.socket])
            .env("TMUX_TMPDIR", self.directory.path())
            .env_remove("TMUX");
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command().args(args).stdin(Stdio::null()).output().expect("tmux runs")
    }

    /// The `send-keys` command: key names such as `Enter` or `C-c`.
    pub fn send_keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys", "-t", "t"], keys].concat());
    }

    /// Types the text as it is.
    pub fn type_text(&self, text: &str) {
        self.run(&["send-keys", "-t", "t", "-l", text]);
    }

    /// A bracketed paste through a buffer whose line feeds stay line feeds.
    pub fn paste(&self, text: &str) {
        self.load_buffer(&format!("\x1b[200~{text}\x1b[201~"));
        self.run(&["paste-buffer", "-r", "-d", "-t", "t"]);
    }

    /// The text as a burst of keys, every line end an Enter.
    pub fn paste_unmarked(&self, text: &str) {
        self.load_buffer(text);
        self.run(&["paste-buffer", "-d", "-t", "t"]);
    }

    fn load_buffer(&self, text: &str) {
        let mut child = self
            .command()
            .args(["load-buffer", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("tmux runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("tmux reads");
        drop(stdin);
        assert!(child.wait().expect("tmux ends").success());
    }

    /// The rows on the screen, each without trailing blanks.
    pub fn screen(&self) -> Vec<String> {
        rows(&self.run(&["capture-pane", "-p", "-t", "t"]))
    }

    /// The rows of the history and the screen.
    pub fn history(&self) -> Vec<String> {
        rows(&self.run(&["capture-pane", "-p", "-S", "-", "-t", "t"]))
    }

    /// The last `lines` rows of the history and the screen, with attributes.
    pub fn capture_styled(&self, lines: u32) -> String {
        self.run(&["capture-pane", "-p", "-e", "-S", &format!("-{lines}"), "-t", "t"])
    }

    /// The value of a format such as `#{pane_current_command}` or a pane option `#{@name}`.
    pub fn format(&self, format: &str) -> String {
        self.run(&["display-message", "-p", "-t", "t", format]).trim_end().to_owned()
    }

    /// Column and row of the cursor, from 0.
    pub fn cursor(&self) -> (u16, u16) {
        let text = self.format("#{cursor_x} #{cursor_y}");
        let (x, y) = text.split_once(' ').expect("two numbers");
        (x.parse().expect("a number"), y.parse().expect("a number"))
    }

    /// Gives the window another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (x, y) = (columns.to_string(), rows.to_string());
        self.run(&["resize-window", "-t", "t", "-x", &x, "-y", &y]);
    }

    /// Waits until the screen satisfies `condition` and returns it; fails with the screen after 30 s.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = self.screen();
            if condition(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "waited for {what}:\n{}", screen.join("\n"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn rows(text: &str) -> Vec<String> {
    text.lines().map(|row| row.trim_end().to_owned()).collect()
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.output(&["kill-server"]);
    }
}
