//! A client of a tmux server in control mode: captures a pane without a process for each look.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::tmux::Tmux;

/// The client; detached when dropped.
pub struct TmuxClient {
    child: Child,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl TmuxClient {
    /// Attaches to the only session of the server, without a say in its size.
    pub fn attach(tmux: &Tmux) -> Self {
        let mut child = tmux
            .command()
            .args(["-u", "-C", "attach-session", "-t", "t", "-f", "no-output,ignore-size"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tmux runs");
        let commands = child.stdin.take().expect("piped");
        let replies = BufReader::new(child.stdout.take().expect("piped"));
        let mut client = Self { child, commands, replies };
        // Attaching is itself answered.
        client.reply();
        client
    }

    /// The visible rows and up to `history` above them, with attributes.
    pub fn capture(&mut self, history: u32) -> String {
        self.run(&format!("capture-pane -p -e -S -{history} -t t"))
    }

    /// Runs a command and returns what it prints.
    pub fn run(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").expect("the server is there");
        self.reply()
    }

    fn reply(&mut self) -> String {
        let mut text = String::new();
        let mut inside = false;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = self.replies.read_until(b'\n', &mut line).expect("the server is there");
            assert!(read > 0, "the tmux server is gone");
            let row = String::from_utf8_lossy(&line);
            if inside && (row.starts_with("%end ") || row.starts_with("%error ")) {
                return text;
            } else if inside {
                text.push_str(&row);
            } else {
                inside = row.starts_with("%begin ");
            }
        }
    }
}

impl Drop for TmuxClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
