//! The program in a pseudo-terminal, with the time at which each of its bytes came.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the program writes at the end of a turn, right before the prompt.
const TURN_END: &[u8] = &[b'\r'; 16];

/// The glyph of the prompt, which is on the screen only while a message can be typed.
const PROMPT: &[u8] = "💫".as_bytes();

/// The program in a terminal of 100 by 30; killed when dropped.
pub struct Terminal {
    /// When the program was started.
    pub started: Instant,
    /// Keeps the terminal open.
    _master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    stream: Arc<Stream>,
}

#[derive(Default)]
struct Stream {
    written: Mutex<Written>,
    news: Condvar,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    /// Where each piece that was read ends, and when it came.
    pieces: Vec<(usize, Instant)>,
}

impl Terminal {
    /// Starts `program` with exactly this environment.
    pub fn start(program: &Path, args: &[&str], env: &[(String, String)], cwd: &Path) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (name, value) in env {
            command.env(name, value);
        }
        command.cwd(cwd);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let stream = Arc::new(Stream::default());
        let theirs = Arc::clone(&stream);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let now = Instant::now();
                let mut written = theirs.written.lock().expect("not poisoned");
                written.bytes.extend_from_slice(&buffer[..count]);
                let end = written.bytes.len();
                written.pieces.push((end, now));
                theirs.news.notify_all();
            }
        });
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the program starts");
        Self { started, _master: pair.master, writer, child, stream }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    /// Types bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).expect("the terminal is open");
        self.writer.flush().expect("the terminal is open");
    }

    /// How many bytes the program has written.
    pub fn written(&self) -> usize {
        self.stream.written.lock().expect("not poisoned").bytes.len()
    }

    /// When the last byte came.
    fn last(&self) -> Instant {
        let written = self.stream.written.lock().expect("not poisoned");
        written.pieces.last().map_or(self.started, |(_, at)| *at)
    }

    /// When the end of `wanted` came, as the first such bytes from place `from` on.
    pub fn wait_for(&self, wanted: &[u8], from: usize) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.stream.written.lock().expect("not poisoned");
        let mut from = from;
        loop {
            let unseen = written.bytes.get(from..).unwrap_or_default();
            if let Some(at) = find(unseen, wanted) {
                let end = from + at + wanted.len();
                let piece = written.pieces.partition_point(|(until, _)| *until < end);
                return written.pieces[piece].1;
            }
            from = from.max((written.bytes.len() + 1).saturating_sub(wanted.len()));
            let left = deadline.saturating_duration_since(Instant::now());
            let (wanted, tail) = (String::from_utf8_lossy(wanted), tail(&written.bytes));
            assert!(!left.is_zero(), "{wanted:?} never came; the end of what came:\n{tail}");
            written = self.stream.news.wait_timeout(written, left).expect("not poisoned").0;
        }
    }

    /// When the prompt was first there.
    pub fn wait_for_prompt(&self) -> Instant {
        self.wait_for(PROMPT, 0)
    }

    /// Types a message and sends it. Returns the place in the stream before which it was.
    pub fn ask(&mut self, message: &str) -> usize {
        let from = self.written();
        self.send(message);
        self.wait_for(message.as_bytes(), from);
        let from = self.written();
        self.send("\r");
        from
    }

    /// When the turn that began at place `from` had ended.
    pub fn wait_for_turn_end(&self, from: usize) -> Instant {
        self.wait_for(TURN_END, from)
    }

    /// Whether it has.
    pub fn turn_has_ended(&self, from: usize) -> bool {
        let written = self.stream.written.lock().expect("not poisoned");
        find(written.bytes.get(from..).unwrap_or_default(), TURN_END).is_some()
    }

    /// Waits until nothing has been written for `quiet`.
    pub fn settle(&self, quiet: Duration) {
        loop {
            let rest = quiet.saturating_sub(self.last().elapsed());
            if rest.is_zero() {
                return;
            }
            std::thread::sleep(rest);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        from += at;
        if bytes[from..].starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
    None
}

fn tail(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(2_000);
    String::from_utf8_lossy(&bytes[from..]).escape_debug().to_string()
}
