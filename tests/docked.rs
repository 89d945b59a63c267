//! The docked screen, judged by what a terminal makes of its bytes: a strict model of tmux that knows
//! no other sequences than the contract allows, a vt100 parser, and tmux itself.

use std::fs::File;
use std::io::Write;

use kimi_tui::front::tui::terminal::{Docked, Flip, Position, Return, Size};
use proptest::prelude::*;
use ratatui::text::Line;

use crate::support::tmux::{Tmux, available};
use crate::support::{pty, screen};

/// The main screen of tmux 3.3a as far as the docked screen may use it.
struct Model {
    columns: usize,
    history: Vec<String>,
    rows: Vec<String>,
    /// Rows that a higher window takes back.
    scrolled: usize,
    row: usize,
    column: usize,
    saved: (usize, usize),
    bottom: usize,
}

impl Model {
    fn new(columns: u16, rows: u16) -> Self {
        let rows = usize::from(rows);
        Self {
            columns: columns.into(),
            history: Vec::new(),
            rows: vec![String::new(); rows],
            scrolled: 0,
            row: 0,
            column: 0,
            saved: (0, 0),
            bottom: rows,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("frames are UTF-8");
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => self.line_feed(),
                '\x1b' => match chars.next().expect("a whole sequence") {
                    '7' => self.saved = (self.row, self.column),
                    '8' => (self.row, self.column) = self.saved,
                    '[' => {
                        let mut args = String::new();
                        let last = loop {
                            match chars.next().expect("a whole sequence") {
                                c @ '@'..='~' => break c,
                                c => args.push(c),
                            }
                        };
                        self.sequence(&args, last);
                    }
                    other => panic!("not in the contract: ESC {other:?}"),
                },
                c => {
                    assert!(!c.is_control(), "control character {c:?}");
                    assert!(self.column < self.columns, "a row wraps");
                    let row = &mut self.rows[self.row];
                    while row.chars().count() <= self.column {
                        row.push(' ');
                    }
                    *row = row
                        .chars()
                        .enumerate()
                        .map(|(at, old)| if at == self.column { c } else { old })
                        .collect();
                    self.column += 1;
                }
            }
        }
    }

    fn sequence(&mut self, args: &str, last: char) {
        let numbers: Vec<usize> =
            args.split(';').filter_map(|number| number.parse().ok()).collect();
        match (last, numbers.as_slice()) {
            ('H', []) => (self.row, self.column) = (0, 0),
            ('H', [row, column]) => {
                assert!(*row >= 1 && *row <= self.rows.len(), "row {row} of {}", self.rows.len());
                (self.row, self.column) = (row - 1, column - 1);
            }
            ('K', []) => {
                let kept = self.column;
                let row = &mut self.rows[self.row];
                *row = row.chars().take(kept).collect();
            }
            ('A', []) => self.row = self.row.saturating_sub(1),
            ('B', []) => self.row = (self.row + 1).min(self.rows.len() - 1),
            ('r', region) => {
                self.bottom = match region {
                    [] => self.rows.len(),
                    [1, bottom] => {
                        assert!(*bottom >= 2 && *bottom <= self.rows.len());
                        *bottom
                    }
                    other => panic!("region {other:?}"),
                };
                (self.row, self.column) = (0, 0);
            }
            ('J', [2]) => {
                let used = self.rows.iter().rposition(|row| !row.is_empty()).map_or(0, |at| at + 1);
                self.history.extend(self.rows.drain(..used));
                self.rows.resize(self.rows.len() + used, String::new());
                self.scrolled = 0;
            }
            ('m', _) => {}
            ('h' | 'l', _) if matches!(args, "?2026" | "?2004" | "?25") => {}
            _ => panic!("not in the contract: CSI {args}{last}"),
        }
    }

    fn line_feed(&mut self) {
        if self.row + 1 == self.bottom {
            self.history.push(self.rows.remove(0));
            self.rows.insert(self.bottom - 1, String::new());
            self.scrolled += 1;
        } else if self.row + 1 < self.rows.len() {
            self.row += 1;
        }
    }

    /// Another height, as tmux 3.3a does it.
    fn resize(&mut self, height: usize) {
        let old = self.rows.len();
        if height < old {
            let below = (old - 1 - self.row).min(old - height);
            self.rows.truncate(old - below);
            let pushed = self.rows.len() - height;
            self.history.extend(self.rows.drain(..pushed));
            self.scrolled += pushed;
            self.row -= pushed;
        } else {
            let pulled = self.scrolled.min(height - old);
            let back = self.history.split_off(self.history.len() - pulled);
            self.rows.splice(0..0, back);
            self.scrolled -= pulled;
            self.row += pulled;
            self.rows.resize(height, String::new());
        }
        self.bottom = height;
    }

    fn screen(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.trim_end().to_owned()).collect()
    }

    /// History and screen without blank rows.
    fn written(&self) -> Vec<String> {
        let all = self.history.iter().chain(&self.rows);
        all.map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
    }
}

/// A sink that keeps each write apart.
#[derive(Default)]
struct Writes(Vec<Vec<u8>>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A docked screen in front of the model.
struct Stage {
    docked: Docked<Writes>,
    model: Model,
    committed: Vec<String>,
    live: Vec<String>,
}

impl Stage {
    fn new(columns: u16, rows: u16) -> Self {
        let mut docked = Docked::new(Writes::default(), Size::new(columns, rows));
        docked.enter().expect("enter");
        let mut stage = Self {
            docked,
            model: Model::new(columns, rows),
            committed: Vec::new(),
            live: Vec::new(),
        };
        stage.play();
        stage
    }

    /// Hands what was written to the model; returns the number of writes.
    fn play(&mut self) -> usize {
        let writes = std::mem::take(&mut self.docked.sink().0);
        for bytes in &writes {
            self.model.feed(bytes);
        }
        writes.len()
    }

    fn commit(&mut self, count: usize) {
        let from = self.committed.len();
        let rows: Vec<String> = (from..from + count).map(|n| format!("row {n}")).collect();
        self.docked.commit(rows.iter().cloned().map(Line::from).collect());
        self.committed.extend(rows);
    }

    /// A frame with a live region of `height` rows and the cursor `up` rows above the last.
    fn frame(&mut self, height: usize, up: usize, flip: Flip) -> usize {
        self.live = (0..height).map(|n| format!("live {n} of {height}")).collect();
        let rows: Vec<Line<'static>> = self.live.iter().cloned().map(Line::from).collect();
        let row = u16::try_from((height - 1).saturating_sub(up)).expect("small");
        self.docked.frame(&rows, Some(Position { row, column: 2 }), flip).expect("frame")
    }

    /// The terminal passes through all sizes; the program hears of the last one only.
    fn resize(&mut self, heights: &[u16]) {
        for height in heights {
            self.model.resize(usize::from(*height));
        }
        let last = *heights.last().expect("a height");
        let columns = u16::try_from(self.model.columns).expect("small");
        self.docked.resize(Size::new(columns, last));
    }

    /// Every committed row once, in order, then the live region, and that at the bottom.
    fn check(&self) {
        let mut expected = self.committed.clone();
        expected.extend(self.live.iter().cloned());
        assert_eq!(self.model.written(), expected, "screen: {:#?}", self.model.screen());
        let screen = self.model.screen();
        assert_eq!(screen[screen.len() - self.live.len()..], self.live);
    }
}

#[test]
fn rows_fill_from_the_top_and_then_scroll_into_the_history_once() {
    let mut stage = Stage::new(40, 10);
    stage.commit(3);
    stage.frame(2, 1, Flip::None);
    assert_eq!(stage.play(), 1, "a frame is one write");
    stage.check();
    assert_eq!(stage.model.screen()[..4], ["row 0", "row 1", "row 2", ""]);
    for _ in 0..20 {
        stage.commit(3);
        stage.frame(2, 1, Flip::None);
        assert_eq!(stage.play(), 1);
        stage.check();
    }
    assert_eq!(stage.model.history.len(), 63 - 8);
}

#[test]
fn nothing_is_written_when_nothing_has_changed() {
    let mut stage = Stage::new(40, 10);
    stage.commit(1);
    assert!(stage.frame(3, 1, Flip::None) > 0);
    stage.play();
    assert_eq!(stage.frame(3, 1, Flip::None), 0);
    assert_eq!(stage.play(), 0);
    // Only the cursor: a few bytes and no row.
    assert!(stage.frame(3, 0, Flip::None) < 30);
}

#[test]
fn a_batch_taller_than_the_screen_reaches_the_history_whole() {
    let mut stage = Stage::new(40, 10);
    stage.frame(2, 1, Flip::None);
    stage.play();
    stage.commit(1_000);
    stage.frame(4, 1, Flip::None);
    assert_eq!(stage.play(), 1);
    stage.check();
    stage.commit(20_000);
    stage.frame(2, 1, Flip::None);
    let writes = std::mem::take(&mut stage.docked.sink().0);
    assert!(writes.len() > 1 && writes.iter().all(|bytes| bytes.len() < 65_536));
    // No piece ends inside a sequence or a character: each is text on its own.
    assert!(
        writes.iter().all(|bytes| std::str::from_utf8(bytes).is_ok() && !bytes.ends_with(b"\x1b"))
    );
    let all = writes.concat();
    assert!(all.windows(9).any(|bytes| bytes == b"row 20999"));
}

#[test]
fn the_end_of_a_turn_is_one_write_in_the_order_of_the_contract() {
    let mut docked = Docked::new(Writes::default(), Size::new(60, 12));
    docked.enter().expect("enter");
    let cursor = Some(Position { row: 1, column: 3 });
    let status = Line::from(" 12:01 agent (k ●) context: 0.5%");
    let busy = [Line::from(" ⠙ Working… 1s"), "── input ── (next message)".into(), status.clone()];
    docked.frame(&busy, cursor, Flip::TurnStart).expect("frame");
    docked.sink().0.clear();
    docked.commit(vec!["• Answer".into(), " • Done in 1s".into()]);
    let idle = [Line::from("── input ── u@d💫"), status];
    docked.frame(&idle, Some(Position { row: 0, column: 17 }), Flip::TurnEnd).expect("frame");
    assert_eq!(docked.sink().0.len(), 1);
    let text = String::from_utf8(docked.sink().0.concat()).expect("UTF-8").replace('\x1b', "^");
    assert_eq!(
        text,
        "^[?2026h^[10;1H^[K^[1;1H• Answer^[0m^[K^[2;1H • Done in 1s^[0m^[K\
         \r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r^[11;1H── input ── u@d💫^[0m^[K^[11;18H^[?2026l"
    );
}

#[test]
fn the_prompt_leaves_the_screen_before_the_echo_is_written() {
    let mut docked = Docked::new(Writes::default(), Size::new(60, 12));
    docked.enter().expect("enter");
    docked.frame(&["── input ── u@d💫".into(), "status".into()], None, Flip::None).expect("frame");
    docked.sink().0.clear();
    docked.commit(vec![" ╭─ you ─╮".into()]);
    let busy = [Line::from(" ⠙ Working… 0s"), "── input ── (next message)".into(), "status".into()];
    docked.frame(&busy, None, Flip::TurnStart).expect("frame");
    assert_eq!(docked.sink().0.len(), 1);
    let text = String::from_utf8(docked.sink().0.concat()).expect("UTF-8");
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text:?}"));
    assert!(at("⠙") < at("(next") && at("(next") < at("╭─ you"));
}

#[test]
fn the_live_region_grows_and_shrinks_without_touching_the_transcript() {
    let mut stage = Stage::new(40, 12);
    for height in [2, 7, 3, 10, 1, 30, 2] {
        stage.commit(5);
        stage.frame(height, 1, Flip::None);
        stage.play();
        // A region that is too high shows its lowest rows.
        stage.live.drain(..height.saturating_sub(10));
        stage.check();
    }
}

#[test]
fn leaving_puts_the_cursor_on_a_fresh_line_and_loses_nothing() {
    for count in [0, 3, 8, 9, 10, 40] {
        let mut stage = Stage::new(40, 10);
        stage.frame(3, 1, Flip::None);
        stage.commit(count);
        stage.docked.leave().expect("leave");
        stage.docked.leave().expect("leave");
        stage.play();
        stage.live.clear();
        stage.check();
        assert_eq!(stage.model.column, 0);
        assert!(stage.model.rows[stage.model.row..].iter().all(|row| row.trim().is_empty()));
        assert_eq!(stage.model.row, count.min(9));
        assert_eq!(stage.frame(2, 1, Flip::None), 0, "nothing is written any more");
    }
}

#[test]
fn another_program_may_write_in_between() {
    let mut stage = Stage::new(40, 10);
    stage.commit(5);
    stage.frame(3, 1, Flip::None);
    stage.docked.suspend().expect("suspend");
    stage.play();
    stage.commit(2);
    assert_eq!(stage.frame(3, 1, Flip::None), 0);
    stage.docked.resume(Return::Untouched).expect("resume");
    stage.frame(3, 1, Flip::None);
    stage.play();
    stage.check();
    assert_eq!(
        stage.model.screen()[..8],
        ["row 0", "row 1", "row 2", "row 3", "row 4", "row 5", "row 6", "live 0 of 3"]
    );

    stage.docked.suspend().expect("suspend");
    stage.play();
    stage.model.feed(b"$ fg\r\n");
    stage.committed.push("$ fg".to_owned());
    stage.docked.resume(Return::Written).expect("resume");
    stage.docked.commit(vec!["row 8".into()]);
    stage.committed.push("row 8".to_owned());
    stage.frame(3, 1, Flip::None);
    stage.play();
    stage.check();
}

#[test]
fn an_overlay_leaves_the_docked_screen_as_it_is() {
    let mut stage = Stage::new(40, 10);
    stage.commit(12);
    stage.frame(3, 1, Flip::None);
    stage.play();
    stage.docked.cover();
    stage.commit(2);
    assert_eq!(stage.frame(4, 1, Flip::None), 0);
    stage.resize(&[20, 7]);
    stage.docked.uncover();
    stage.frame(4, 1, Flip::None);
    stage.play();
    stage.check();
}

#[test]
fn rows_that_are_too_wide_are_cut() {
    let mut stage = Stage::new(10, 6);
    stage.docked.commit(vec![Line::from("0123456789abcdef")]);
    stage.docked.frame(&["0123456789".into()], None, Flip::None).expect("frame");
    stage.play();
    assert_eq!(stage.model.written(), ["0123456789", "0123456789"]);
}

#[test]
fn a_vt100_terminal_shows_the_same() {
    let mut docked = Docked::new(Vec::new(), Size::new(30, 8));
    docked.enter().expect("enter");
    let expected: Vec<String> = (0..50).map(|n| format!("你好 {n}")).collect();
    for row in &expected {
        docked.commit(vec![Line::from(row.clone())]);
        docked
            .frame(&["── input ── u@d💫".into(), "agent (k ●)".into()], None, Flip::None)
            .expect("frame");
    }
    let mut parser = pty::parser(30, 8);
    parser.process(docked.sink());
    let rows = pty::history_of(&mut parser);
    assert_eq!(rows[..50], expected);
    assert_eq!(rows[50..], ["── input ── u@d💫", "agent (k ●)"]);
    assert!(screen::is_idle(&rows) && !screen::is_busy(&rows));
}

#[derive(Debug, Clone)]
enum Act {
    Commit(usize),
    Frame(usize, usize),
    Resize(Vec<u16>),
}

fn acts(heights: std::ops::Range<u16>) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0usize..15).prop_map(Act::Commit),
        (1usize..7, 0usize..3).prop_map(|(height, up)| Act::Frame(height, up)),
        prop::collection::vec(heights, 1..4).prop_map(Act::Resize),
    ];
    prop::collection::vec(act, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_leaves_every_row_once_and_in_order(acts in acts(9..30)) {
        let mut stage = Stage::new(40, 15);
        stage.frame(2, 1, Flip::None);
        stage.play();
        for act in acts {
            match act {
                Act::Commit(count) => stage.commit(count),
                Act::Resize(heights) => stage.resize(&heights),
                Act::Frame(height, up) => {
                    stage.frame(height, up, Flip::None);
                    stage.play();
                    stage.check();
                }
            }
        }
        stage.frame(2, 1, Flip::None);
        stage.play();
        stage.check();
    }

    #[test]
    fn no_row_is_lost_in_a_tiny_window(acts in acts(1..9)) {
        let mut stage = Stage::new(40, 8);
        stage.frame(2, 1, Flip::None);
        stage.play();
        for act in acts {
            match act {
                Act::Commit(count) => stage.commit(count),
                Act::Resize(heights) => stage.resize(&heights),
                Act::Frame(height, up) => {
                    stage.frame(height, up, Flip::None);
                    stage.play();
                }
            }
        }
        stage.docked.leave().expect("leave");
        stage.play();
        // A window lower than the live region pushes rows of it into the history; nobody can help that.
        let rows: Vec<_> =
            stage.model.written().into_iter().filter(|row| !row.starts_with("live")).collect();
        prop_assert_eq!(rows, stage.committed);
    }
}

/// A docked screen in front of a real tmux pane.
struct Pane {
    tmux: Tmux,
    docked: Docked<File>,
    marks: u32,
    committed: Vec<String>,
    size: (u16, u16),
    _directory: tempfile::TempDir,
}

impl Pane {
    fn start(columns: u16, rows: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let fifo = directory.path().join("bytes");
        let command = format!(
            "i=0; while [ $i -lt 30 ]; do echo shell $i; i=$((i+1)); done; mkfifo '{0}'; stty raw -echo; exec cat '{0}'",
            fifo.display()
        );
        let tmux = Tmux::start(&command, columns, rows);
        tmux.wait_for("the shell", |screen| screen.iter().any(|row| row == "shell 29"));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !fifo.exists() {
            assert!(std::time::Instant::now() < deadline, "no fifo");
            std::thread::yield_now();
        }
        let sink = File::options().write(true).open(&fifo).expect("the pane reads");
        let mut docked = Docked::new(sink, Size::new(columns, rows));
        docked.enter().expect("enter");
        Self {
            tmux,
            docked,
            marks: 0,
            committed: Vec::new(),
            size: (columns, rows),
            _directory: directory,
        }
    }

    /// Waits until tmux has read everything.
    fn sync(&mut self) {
        self.marks += 1;
        let mark = format!("mark{}", self.marks);
        write!(self.docked.sink(), "\x1b]2;{mark}\x1b\\").expect("the pane reads");
        self.tmux.wait_for("the pane", |_| self.tmux.format("#{pane_title}") == mark);
    }

    fn live(&self, busy: usize) -> Vec<Line<'static>> {
        let columns = usize::from(self.size.0);
        let mut rows: Vec<Line<'static>> = (0..busy)
            .map(|n| Line::from(format!("live {n} {}", "x".repeat(columns.saturating_sub(12)))))
            .collect();
        rows.push("── input ── u@d💫".into());
        rows.push(Line::from(format!(" agent (k ●){:>1$}", "context: 0.5%", columns - 14)));
        rows
    }

    fn frame(&mut self, commit: usize, busy: usize) {
        let from = self.committed.len();
        let rows: Vec<String> =
            (from..from + commit).map(|n| format!("row {n} {}", "y".repeat(n % 50))).collect();
        self.docked.commit(rows.iter().cloned().map(Line::from).collect());
        self.committed.extend(rows.into_iter().map(|row| row.trim_end().to_owned()));
        let live = self.live(busy);
        let cursor = Position { row: u16::try_from(busy).expect("small"), column: 19 };
        self.docked.frame(&live, Some(cursor), Flip::None).expect("frame");
        self.sync();
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.tmux.resize(columns, rows);
        self.size = (columns, rows);
        self.docked.resize(Size::new(columns, rows));
    }

    fn check(&self, what: &str, busy: usize) {
        let joined = self.tmux.run(&["capture-pane", "-p", "-J", "-S", "-", "-t", "t"]);
        let all: Vec<String> = joined.lines().map(|row| row.trim_end().to_owned()).collect();
        let ours = all.iter().filter(|row| !row.is_empty() && !row.starts_with("shell"));
        let mut expected = self.committed.clone();
        let live = self.live(busy);
        let live: Vec<String> =
            live.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
        expected.extend(live.iter().cloned());
        assert_eq!(ours.cloned().collect::<Vec<_>>(), expected, "{what}");
        let screen = self.tmux.screen();
        assert_eq!(screen[screen.len() - live.len()..], live, "{what}");
        let (_, row) = self.tmux.cursor();
        assert_eq!(usize::from(row), screen.len() - 2, "{what}: the cursor is on the prompt row");
    }
}

/// Sizes to pass through, from 80 by 24: lower, higher, narrower, wider, both.
const SIZES: [(u16, u16); 12] = [
    (80, 20),
    (80, 30),
    (80, 24),
    (60, 24),
    (80, 24),
    (70, 18),
    (100, 40),
    (60, 12),
    (62, 13),
    (120, 50),
    (58, 24),
    (80, 24),
];

#[test]
fn tmux_keeps_every_row_through_resizes() {
    if !available() {
        return;
    }
    for (first, step, busy) in [(5, 0, 0), (60, 0, 0), (5, 3, 2), (60, 3, 2)] {
        let mut pane = Pane::start(80, 24);
        pane.frame(first, busy);
        pane.check("start", busy);
        for (columns, rows) in SIZES {
            pane.resize(columns, rows);
            pane.frame(step, busy);
            pane.check(&format!("{first} rows, +{step}, at {columns}x{rows}"), busy);
        }
        pane.docked.leave().expect("leave");
        pane.sync();
        assert!(!pane.tmux.screen().iter().any(|row| row.contains("input")));
    }
}

#[test]
fn a_resize_storm_leaves_one_prompt_row() {
    if !available() {
        return;
    }
    let mut pane = Pane::start(80, 24);
    pane.frame(40, 3);
    for round in 0..6u16 {
        // The program hears of the last size only.
        for (columns, rows) in SIZES {
            pane.tmux.resize(columns, rows + round);
        }
        pane.resize(80 - round, 24 + round % 3);
        pane.frame(2, usize::from(round) % 4);
        pane.check(&format!("round {round}"), usize::from(round) % 4);
    }
}
