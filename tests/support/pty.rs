//! The real binary in a pseudo-terminal, with a vt100 parser behind it.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a wait may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A frame may come in several reads, this far apart.
const WITHIN_A_FRAME: Duration = Duration::from_millis(10);

/// A program in a pseudo-terminal; killed when dropped.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    closed: bool,
}

impl Pty {
    /// Starts `program` with exactly this environment; `size` is columns and rows.
    pub fn spawn(
        program: &Path,
        args: &[&str],
        env: &[(&str, &str)],
        cwd: &Path,
        size: (u16, u16),
    ) -> Self {
        let (cols, rows) = size;
        let pair = native_pty_system()
            .openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
            .expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (name, value) in env {
            command.env(name, value);
        }
        command.cwd(cwd);
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                parser: parser(cols, rows),
                bytes: Vec::new(),
                closed: false,
            }),
            news: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            loop {
                let read = reader.read(&mut buffer).unwrap_or(0);
                let mut state = theirs.state.lock().expect("not poisoned");
                if read == 0 {
                    state.closed = true;
                } else {
                    state.parser.process(&buffer[..read]);
                    state.bytes.extend_from_slice(&buffer[..read]);
                }
                theirs.news.notify_all();
                if read == 0 {
                    break;
                }
            }
        });
        Self { master: pair.master, writer, child, shared }
    }

    /// Types bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).expect("the program's terminal is open");
        self.writer.flush().expect("the program's terminal is open");
    }

    /// Waits until the screen satisfies `condition`; fails with the screen after 30 s.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        self.wait(what, |state| condition(state.parser.screen()));
    }

    /// Waits until the rows of the screen satisfy `condition`, and returns them, with what else
    /// belongs to the same frame.
    pub fn wait_for_rows(&self, what: &str, condition: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut fits = |state: &mut State| {
            let rows = rows_of(state.parser.screen());
            let fits = condition(&rows);
            if fits {
                found = rows;
            }
            fits
        };
        self.wait_mut(what, &mut fits);
        // Never rows of a moment at which they did not fit: half of the next frame may be there.
        for _ in 0..20 {
            let mut state = self.shared.state.lock().expect("not poisoned");
            let before = state.bytes.len();
            let waited = self.shared.news.wait_timeout(state, WITHIN_A_FRAME);
            state = waited.expect("not poisoned").0;
            if state.bytes.len() == before || !fits(&mut state) {
                break;
            }
        }
        found
    }

    /// Waits until the rows of the history and the screen satisfy `condition`, and returns them.
    pub fn wait_for_history(
        &self,
        what: &str,
        condition: impl Fn(&[String]) -> bool,
    ) -> Vec<String> {
        let mut found = Vec::new();
        self.wait_mut(what, |state| {
            found = history_of(&mut state.parser);
            condition(&found)
        });
        found
    }

    /// Waits until the bytes written so far satisfy `condition`, and returns them.
    pub fn wait_for_bytes(&self, what: &str, condition: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        self.wait(what, |state| condition(&state.bytes));
        self.raw_bytes()
    }

    /// Waits until the program has ended and returns its exit code.
    pub fn wait_exit(&mut self) -> u32 {
        self.wait("the end of the program", |state| state.closed);
        self.child.wait().expect("a status").exit_code()
    }

    /// Whether the program, and whatever else had the terminal, is gone.
    pub fn ended(&self) -> bool {
        self.shared.state.lock().expect("not poisoned").closed
    }

    fn wait(&self, what: &str, condition: impl Fn(&State) -> bool) {
        self.wait_mut(what, |state| condition(state));
    }

    fn wait_mut(&self, what: &str, mut condition: impl FnMut(&mut State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state.lock().expect("not poisoned");
        while !condition(&mut state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let rows = rows_of(state.parser.screen()).join("\n");
                // The lock is let go first: a poisoned one would fail the end of the program, too.
                drop(state);
                panic!("waited for {what}:\n{rows}");
            }
            state = self.shared.news.wait_timeout(state, left).expect("not poisoned").0;
        }
    }

    /// The visible rows, each without trailing blanks.
    pub fn rows(&self) -> Vec<String> {
        rows_of(self.shared.state.lock().expect("not poisoned").parser.screen())
    }

    /// The visible text.
    pub fn screen_text(&self) -> String {
        self.rows().join("\n")
    }

    /// Every row of the history and the screen.
    pub fn history(&self) -> Vec<String> {
        history_of(&mut self.shared.state.lock().expect("not poisoned").parser)
    }

    /// Every byte so far.
    pub fn raw_bytes(&self) -> Vec<u8> {
        self.shared.state.lock().expect("not poisoned").bytes.clone()
    }

    /// Waits until nothing has been written for some time: nothing is on its way any more.
    pub fn wait_quiet(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut before = self.raw_bytes().len();
        let mut quiet = 0;
        while quiet < 4 {
            assert!(Instant::now() < deadline, "it never falls silent");
            std::thread::sleep(Duration::from_millis(100));
            let now = self.raw_bytes().len();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let mut state = self.shared.state.lock().expect("not poisoned");
        state.parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master
            .resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 })
            .expect("the terminal is open");
    }

    /// The process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    /// Kills the program.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.kill();
    }
}

fn rows_of(screen: &vt100::Screen) -> Vec<String> {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect()
}

/// Every row of a parser's history and screen.
pub fn history_of(parser: &mut vt100::Parser) -> Vec<String> {
    parser.screen_mut().set_scrollback(usize::MAX);
    let mut offset = parser.screen().scrollback();
    let mut rows = Vec::new();
    while offset > 0 {
        parser.screen_mut().set_scrollback(offset);
        rows.extend(rows_of(parser.screen()).into_iter().next());
        offset -= 1;
    }
    parser.screen_mut().set_scrollback(0);
    rows.extend(rows_of(parser.screen()));
    rows
}

/// A parser with a long scrollback.
pub fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(cells(rows), cells(columns), 100_000)
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal of at least one cell")
}
