//! A pane started, driven and read as an orchestrator does it, with all five readers looking on.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::readers::rendered::Latch;
use super::readers::words::{begins_with_spinner, ends_in_mark};
use super::readers::{Capture, State, Stream, VERSIONS, Version, extract};
use super::{Pane, closings};
use crate::support::screen::is_idle;
use crate::support::tmux_client::TmuxClient;
use crate::support::tmux_tap::{Tap, Tapped};
use crate::tui::world::World;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rows of history that a reader asks for at first.
const HISTORY: u32 = 200;

/// The program in a pane, in a directory of its own with a name of 64 digits.
pub struct Watched {
    pane: Pane,
    tap: Tap,
    client: RefCell<TmuxClient>,
    latches: RefCell<[Latch; 2]>,
    /// Where in the stream each message was sent.
    sends: RefCell<Vec<usize>>,
    /// Looks at a busy pane so far.
    pub looks: Cell<usize>,
    /// Watched turns so far.
    turns: Cell<usize>,
}

impl Deref for Watched {
    type Target = Pane;

    fn deref(&self) -> &Pane {
        &self.pane
    }
}

/// The directory number `number` of a world, created.
pub fn directory(world: &World, number: usize) -> PathBuf {
    let path = world.work().join(format!("{number:0>64x}"));
    std::fs::create_dir_all(&path).expect("a directory");
    path
}

impl Watched {
    /// Starts `kimi` with these arguments below two shells, neither of which makes way for it.
    pub fn start(world: &World, args: &str, size: (u16, u16)) -> Self {
        Self::start_in(world, &directory(world, 0xa), args, size)
    }

    /// The same in this directory.
    pub fn start_in(
        world: &World,
        directory: &std::path::Path,
        args: &str,
        size: (u16, u16),
    ) -> Self {
        let watched = Self::launch(world, directory, args, size);
        watched.wait_for("the prompt", is_idle);
        assert_eq!(watched.format("#{pane_current_command}"), "kimi");
        watched
    }

    /// The same without waiting for the program.
    pub fn launch(
        world: &World,
        directory: &std::path::Path,
        args: &str,
        size: (u16, u16),
    ) -> Self {
        let pane = Pane::open(world, "CAO_TERMINAL_ID=aa59085a", size);
        let tap = Tap::open(&pane);
        let client = RefCell::new(TmuxClient::attach(&pane));
        pane.type_text(&format!(
            "stty -g | cksum; /bin/sh -c \"cd '{}' && env -u COLORTERM TERM=xterm-256color {} {args}\"; echo left=$?",
            directory.display(),
            env!("CARGO_BIN_EXE_kimi")
        ));
        pane.send_keys(&["Enter"]);
        let (latches, sends) = (RefCell::default(), RefCell::default());
        let (looks, turns) = (Cell::new(0), Cell::new(0));
        Self { pane, tap, client, latches, sends, looks, turns }
    }

    /// Pastes a message and presses Enter once it is in the composer.
    pub fn send(&self, text: &str) {
        self.about_to_send();
        self.paste(text);
        self.wait_for("the pasted text", |rows| !rows.iter().any(|row| ends_in_prompt_row(row)));
        self.send_keys(&["Enter"]);
    }

    /// Readers of the stream begin anew.
    pub fn about_to_send(&self) {
        self.sends.borrow_mut().push(self.tap.len());
    }

    /// A look at the pane by the two readers of captures.
    pub fn look(&self) -> Look {
        let capture = Capture::new(&self.client.borrow_mut().capture(HISTORY));
        let rows = capture.texts();
        let mut latches = self.latches.borrow_mut();
        let states = [latches[0].read(Version::Seed, &rows), latches[1].read(Version::V1, &rows)];
        let over = is_over(&rows);
        let turning = rows.iter().any(|row| begins_with_spinner(row));
        Look { states, over, turning, capture }
    }

    /// Looks at the pane as often as it can until the turn has ended; no look may find it ready
    /// before. `act` is called with every look.
    pub fn watch(&self, mut act: impl FnMut(&Capture)) {
        let deadline = Instant::now() + PATIENCE;
        let mut begun = false;
        loop {
            let look = self.look();
            assert!(Instant::now() < deadline, "{look}");
            if look.over && look.states.iter().all(|state| state.is_ready()) {
                // A short turn may be over before the first look.
                begun = begun || closings(&self.history()) > self.turns.get();
                if begun {
                    self.turns.set(self.turns.get() + 1);
                    return;
                }
            }
            begun |= look.is_busy();
            if begun && !look.over {
                assert_eq!(look.states, [State::Busy; 2], "{look}");
                self.looks.set(self.looks.get() + 1);
            }
            act(&look.capture);
        }
    }

    /// A whole turn, watched; returns the looks that found the pane busy.
    pub fn turn(&self, text: &str) -> usize {
        let before = self.looks.get();
        self.send(text);
        self.watch(|_| {});
        self.looks.get() - before
    }

    /// How many bytes the pane has written.
    pub fn written(&self) -> usize {
        self.tap.len()
    }

    /// Waits until all five readers find the pane in this state.
    pub fn wait_state(&self, wanted: State) {
        self.wait_states(&format!("{wanted:?}"), |state| state == wanted);
    }

    /// Waits until all five readers would send a message. A capture that holds nothing but an
    /// answer does not tell idle from completed.
    pub fn wait_ready(&self) {
        self.wait_states("ready", State::is_ready);
    }

    fn wait_states(&self, what: &str, wanted: impl Fn(State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (states, shown) = self.states();
            if states.iter().all(|(_, state)| wanted(*state)) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {states:?}\n{shown}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What every reader takes the pane for, and what they see.
    pub fn states(&self) -> (Vec<(Version, State)>, String) {
        let Look { capture, states: [seed, first], .. } = self.look();
        let stream = self.replayed();
        let mut states = vec![(Version::Seed, seed), (Version::V1, first)];
        states.extend(stream.states());
        (states, format!("{}\n── stream ──\n{}", capture.texts().join("\n"), stream.shown()))
    }

    fn replayed(&self) -> Stream {
        let bytes = self.tap.all().bytes;
        let mut stream = Stream::new();
        let mut from = 0;
        for &send in self.sends.borrow().iter() {
            stream.feed(&bytes[from..send]);
            stream.sending();
            from = send;
        }
        stream.feed(&bytes[from..]);
        stream
    }

    /// The last answer as each reader cuts it out; invisible joiners are dropped.
    pub fn answers(&self) -> [(Version, Option<Vec<String>>); 5] {
        let text = self.client.borrow_mut().run("capture-pane -p -e -S - -t t");
        let capture = Capture::new(&text);
        let height = self.format("#{pane_height}").parse().expect("a number");
        let visible = |line: String| line.replace('\u{2060}', "");
        VERSIONS.map(|version| {
            let lines = extract::answer(version, &capture, height);
            (version, lines.map(|lines| lines.into_iter().map(visible).collect()))
        })
    }

    /// Judges every recorded turn again from its bytes: see [`Replay`].
    pub fn replay(&self, step: usize) -> Replay {
        Replay::run(&self.tap.all(), &self.sends.borrow(), step)
    }
}

fn ends_in_prompt_row(row: &str) -> bool {
    row.starts_with("── input") && ends_in_mark(row)
}

/// What was seen at once.
pub struct Look {
    /// Seed and V1.
    pub states: [State; 2],
    /// Whether a closing row stands below the last echo.
    pub over: bool,
    /// Whether a spinner is there.
    turning: bool,
    pub capture: Capture,
}

impl Look {
    /// Whether a turn runs, for a person who looks.
    pub fn is_busy(&self) -> bool {
        self.turning && !self.over
    }
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}\n{}", self.states, self.capture.texts().join("\n"))
    }
}

/// Whether a closing row stands below the last echo.
fn is_over(rows: &[&str]) -> bool {
    let closed = |row: &&str| {
        [" • Done", " • Interrupted after ", " • Failed after "]
            .iter()
            .any(|at| row.starts_with(at))
    };
    let closing = rows.iter().rposition(closed);
    closing.is_some() && closing > rows.iter().rposition(|row| row.starts_with(" ╭─ you "))
}

/// What the readers of the stream made of the recorded turns: how often they looked, and when they
/// first read the end of the last turn.
#[derive(Debug, Default)]
pub struct Replay {
    /// Judged prefixes of the stream, each by V3 and V4.
    pub prefixes: usize,
    /// Judged ends of reads, each by V2, V3 and V4.
    pub reads: usize,
    /// For each turn, when the read came with which all three found the pane ready.
    pub completed: Vec<Instant>,
}

impl Replay {
    /// From the first whole spinner row of a turn to the frame that ends it no reader may find the
    /// pane ready: V3 and V4 at every `step`-th byte, torn frames and all, V2 besides them at the
    /// end of every read. At the end of each turn all of them have to.
    fn run(tapped: &Tapped, sends: &[usize], step: usize) -> Self {
        let mut replay = Self::default();
        let mut stream = Stream::new();
        let first = sends.first().copied().unwrap_or(tapped.bytes.len());
        stream.feed(&tapped.bytes[..first]);
        for (n, &begin) in sends.iter().enumerate() {
            let end = sends.get(n + 1).copied().unwrap_or(tapped.bytes.len());
            stream.sending();
            replay.turn(&mut stream, tapped, begin, end, step);
        }
        assert_eq!(stream.screen.faults(), [""; 0]);
        replay
    }

    fn turn(
        &mut self,
        stream: &mut Stream,
        tapped: &Tapped,
        begin: usize,
        end: usize,
        step: usize,
    ) {
        let bytes = &tapped.bytes[..end];
        let flip = begin + flip_start(&bytes[begin..]);
        let mut reads = tapped.reads.iter().skip_while(|(at, _)| *at <= begin).peekable();
        let mut begun = false;
        let mut completed = None;
        for at in begin..end {
            stream.feed(&bytes[at..=at]);
            let read = reads.next_if(|(read, _)| *read == at + 1);
            begun |= stream.long.has_evidence();
            if at >= flip {
                let Some((_, when)) = read else { continue };
                let done = stream.states().iter().all(|(_, state)| state.is_ready());
                completed = if done { completed.or(Some(*when)) } else { None };
            } else if begun && read.is_some() {
                self.reads += 1;
                busy(stream, &stream.states(), &bytes[begin..=at]);
            } else if begun && at % step == 0 {
                self.prefixes += 1;
                busy(stream, &stream.screen_states(), &bytes[begin..=at]);
            }
        }
        assert!(begun, "no spinner row in the turn\n{}", stream.shown());
        assert!(completed.is_some(), "{:?}\n{}", stream.states(), stream.shown());
        self.completed.extend(completed);
    }
}

fn busy(stream: &Stream, states: &[(Version, State)], bytes: &[u8]) {
    if states.iter().any(|(_, state)| *state != State::Busy) {
        let tail = bytes.len().saturating_sub(400);
        panic!(
            "{states:?} at byte {} of the turn\n{}\n{:?}",
            bytes.len(),
            stream.shown(),
            String::from_utf8_lossy(&bytes[tail..])
        );
    }
}

/// Where the frame begins that ends a turn: behind the last frame that ends before the sixteen
/// carriage returns.
fn flip_start(bytes: &[u8]) -> usize {
    let returns = bytes.windows(16).rposition(|run| run.iter().all(|byte| *byte == b'\r'));
    let returns = returns.unwrap_or(bytes.len());
    // A frame ends with a carriage return and a place for the cursor: a position, or the one it had.
    let before = &bytes[..returns];
    let kept = before.windows(3).rposition(|run| run == b"\r\x1b8").map(|at| at + 3);
    let put = before.windows(3).rposition(|run| run == b"\r\x1b[").map(|at| {
        let rest = &bytes[at + 3..];
        let end = rest.iter().position(|byte| byte.is_ascii_alphabetic()).unwrap_or(0);
        at + 3 + end + 1
    });
    kept.max(put).unwrap_or(0)
}
