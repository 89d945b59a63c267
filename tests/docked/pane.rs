//! The docked screen in a real tmux pane that is resized.

use std::fs::File;
use std::io::Write;

use kimi_tui::front::tui::terminal::{Docked, Flip, Position, Size};
use ratatui::text::Line;

use crate::support::tmux::{Tmux, available};

/// A docked screen in front of a real tmux pane.
struct Pane {
    tmux: Tmux,
    docked: Docked<File>,
    marks: u32,
    committed: Vec<String>,
    size: (u16, u16),
    /// The rows of the live region but the last do not fill the width.
    short: bool,
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
            short: false,
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
        let width = if self.short { 60 } else { columns };
        let mut rows: Vec<Line<'static>> = (0..busy)
            .map(|n| {
                let room = width.saturating_sub(12);
                let text = if n % 2 == 0 { "x".repeat(room) } else { "想".repeat(room / 2) };
                Line::from(format!("live {n} {text}"))
            })
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
        self.check_rows(what, busy);
        let (_, row) = self.tmux.cursor();
        let rows = usize::from(self.size.1);
        assert_eq!(usize::from(row), rows - 2, "{what}: the cursor is on the prompt row");
    }

    /// A dialog as high as the window allows, at most `wanted` rows; returns its rows.
    fn dialog(&mut self, wanted: usize, caret: bool) -> usize {
        let busy = wanted.min(usize::from(self.docked.max_live()) - 2);
        let live = self.live(busy);
        let row = u16::try_from(busy - 1).expect("small");
        let cursor = caret.then_some(Position { row, column: 1 });
        self.docked.frame(&live, cursor, Flip::None).expect("frame");
        self.sync();
        busy
    }

    fn check_rows(&self, what: &str, busy: usize) {
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
    }
}

/// Sizes to pass through, from 80 by 24: lower, higher, narrower, wider, both.
const SIZES: [(u16, u16); 14] = [
    (80, 20),
    (80, 30),
    (80, 24),
    (60, 24),
    (80, 24),
    (39, 24),
    (81, 24),
    (70, 18),
    (100, 40),
    (51, 12),
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

/// What a lower window has pushed out of a dialog does not come back as a part of the transcript.
#[test]
fn nothing_of_a_tall_dialog_stays_after_a_lower_window() {
    if !available() {
        return;
    }
    for caret in [false, true] {
        for (first, wanted) in [(5, 45), (60, 45), (60, 12)] {
            for (columns, rows) in [(120, 24), (80, 24), (120, 10), (80, 12), (120, 6)] {
                let what = format!("{wanted} of {first} rows, {columns}x{rows}, caret {caret}");
                let mut pane = Pane::start(120, 50);
                pane.short = true;
                pane.frame(first, 2);
                let busy = pane.dialog(wanted, caret);
                pane.check_rows(&what, busy);
                pane.resize(columns, rows);
                pane.dialog(wanted, caret);
                pane.resize(120, 50);
                let busy = pane.dialog(wanted, caret);
                pane.check_rows(&what, busy);
                pane.frame(1, 0);
                pane.check(&what, 0);
            }
        }
    }
}
