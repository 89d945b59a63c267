//! The docked screen, judged by what a terminal makes of its bytes: a strict model of tmux that knows
//! no other sequences than the contract allows, a vt100 parser, and tmux itself.

mod flip;
mod model;
mod open;
mod pane;

use std::io::Write;

use kimi_tui::front::tui::terminal::{Docked, Flip, Mark, Position, Return, Size};
use proptest::prelude::*;
use ratatui::text::Line;

use crate::support::{pty, screen};
use model::Model;

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
    open: Vec<String>,
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
            open: Vec::new(),
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

    /// A frame without a caret, of which only the first row differs from that of another `time`.
    fn busy(&mut self, height: usize, time: usize) {
        self.live = (0..height).map(|n| format!("live {n} of {height}")).collect();
        self.live[0] = format!("live spinner {time}");
        let rows: Vec<Line<'static>> = self.live.iter().cloned().map(Line::from).collect();
        self.docked.frame(&rows, None, Flip::None).expect("frame");
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
    assert_eq!(stage.frame(3, 0, Flip::None), 0);
    stage.docked.refresh();
    assert!(stage.frame(3, 0, Flip::None) > 3 * "live 0 of 3".len());
}

/// While busy the first live row is the spinner, and a reader may see a part of a frame.
#[test]
fn no_part_of_a_frame_lacks_the_first_live_row() {
    for (before, after) in [(6, 2), (9, 3), (6, 5), (2, 6), (3, 3)] {
        for (filled, commits) in [(0, 0), (0, 2), (3, 5), (3, 30), (40, 0), (40, 1)] {
            let mut stage = Stage::new(40, 12);
            stage.commit(filled);
            stage.frame(before, 0, Flip::None);
            stage.play();
            stage.commit(commits);
            stage.frame(after, 0, Flip::None);
            let bytes = std::mem::take(&mut stage.docked.sink().0).concat();
            // Cut before each sequence.
            for part in bytes.split(|byte| *byte == b'\x1b').skip(1) {
                stage.model.feed(&[b"\x1b", part].concat());
                let screen = stage.model.screen();
                assert!(screen.iter().any(|row| row.starts_with("live 0 of ")), "{screen:#?}");
            }
            stage.check();
        }
    }
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
        "^[?2026h^[1;1H• Answer^[0m^[K^[2;1H • Done in 1s^[0m^[K^[10;1H^[K\
         \r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r^[11;1H── input ── u@d💫^[0m^[K\r^[11;18H^[?2026l"
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
fn the_spinner_row_follows_the_rows_of_the_transcript_in_the_stream() {
    let mut stage = Stage::new(40, 10);
    stage.frame(3, 1, Flip::None);
    stage.docked.sink().0.clear();
    stage.commit(2);
    stage.frame(3, 1, Flip::None);
    let text = String::from_utf8(stage.docked.sink().0.concat()).expect("UTF-8");
    let text = text.replace('\x1b', "^");
    // Each row has a line boundary on both sides, the last one a carriage return.
    assert!(text.ends_with("row 1^[0m^[K^[8;1Hlive 0 of 3^[0m^[K\r^8^[?2026l"), "{text}");
}

/// Whoever reads half a frame finds the first live row, the spinner, in every half.
#[test]
fn the_spinner_never_leaves_the_screen_within_a_frame() {
    let mut docked = Docked::new(Writes::default(), Size::new(40, 12));
    docked.enter().expect("enter");
    let mut terminal = pty::parser(40, 12);
    let sizes = [(1, 3), (1, 8), (2, 3), (9, 3), (0, 9), (9, 4), (0, 3), (1, 10), (1, 2)];
    for (n, (commit, height)) in sizes.into_iter().enumerate() {
        docked.commit((0..commit).map(|_| Line::from("row")).collect());
        let live: Vec<Line<'static>> =
            (0..height).map(|n| if n == 0 { " ⠙ Working".into() } else { "x".into() }).collect();
        docked.frame(&live, None, Flip::None).expect("frame");
        for byte in docked.sink().0.split_off(0).concat() {
            terminal.process(&[byte]);
            let shown = terminal.screen().contents();
            assert!(n == 0 || shown.contains('⠙'), "{height}\n{shown}");
        }
    }
}

#[test]
fn the_spinner_row_follows_unfinished_rows_in_the_stream() {
    let mut stage = Stage::new(40, 10);
    stage.frame(3, 1, Flip::None);
    stage.docked.sink().0.clear();
    stage.docked.set_open(vec!["• unfinished".into()]);
    stage.frame(3, 1, Flip::None);
    let text = String::from_utf8(stage.docked.sink().0.concat()).expect("UTF-8");
    assert!(text.find("unfinished") < text.find("live 0 of 3"), "{text}");
    stage.docked.sink().0.clear();
    assert_eq!(stage.frame(3, 1, Flip::None), 0);
}

#[test]
fn a_short_transcript_stays_together_through_resizes() {
    let mut stage = Stage::new(40, 20);
    stage.commit(8);
    stage.frame(3, 1, Flip::None);
    stage.play();
    for height in [30, 24, 40, 36] {
        stage.resize(&[height]);
        stage.commit(1);
        stage.frame(3, 1, Flip::None);
        stage.play();
        stage.check();
        let all = [stage.model.history.clone(), stage.model.screen()].concat();
        assert_eq!(all[..stage.committed.len()], stage.committed, "no blank rows at {height}");
    }
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
fn a_resize_right_after_the_return_loses_nothing() {
    for how in [Return::Untouched, Return::Written] {
        for (first, heights) in [(4, [14, 9]), (4, [7, 12]), (30, [6, 20]), (30, [20, 8])] {
            let mut stage = Stage::new(40, 10);
            stage.commit(first);
            stage.frame(5, 1, Flip::None);
            stage.docked.suspend().expect("suspend");
            stage.play();
            stage.resize(&heights[..1]);
            stage.docked.resume(how).expect("resume");
            stage.play();
            stage.resize(&heights[1..]);
            stage.commit(1);
            stage.frame(4, 1, Flip::None);
            stage.play();
            stage.check();
        }
    }
}

#[test]
fn a_resize_before_the_first_frame_is_harmless() {
    let mut stage = Stage::new(40, 10);
    stage.resize(&[6, 12]);
    stage.commit(3);
    stage.frame(2, 1, Flip::None);
    stage.play();
    stage.check();
    assert_eq!(stage.model.screen()[..3], ["row 0", "row 1", "row 2"]);
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

/// The window gets higher while frames are on their way: one with a spinner that turned spoils
/// nothing, and one with more text only rows that it was painted over.
#[test]
fn what_a_frame_of_the_old_size_spoils() {
    for (before, after) in [(12, 40), (15, 16), (12, 12), (24, 200)] {
        for filled in [3, 30, 1_000] {
            for commits in [0, 1, 2, 7] {
                let mut stage = Stage::new(40, before);
                stage.commit(filled);
                stage.busy(3, 0);
                stage.play();
                stage.model.resize(usize::from(after));
                stage.commit(commits);
                stage.busy(3, 1);
                stage.play();
                stage.docked.resize(Size::new(40, after));
                stage.commit(1);
                stage.busy(4, 2);
                stage.play();
                let what = format!("{before} to {after}, {filled} rows, {commits} more");
                if commits == 0 {
                    stage.check();
                    continue;
                }
                let left = stage.model.written();
                let lost = stage.committed.iter().filter(|row| !left.contains(row)).count();
                assert!(lost <= 3, "{lost} rows of {what}");
                assert_eq!(stage.model.screen().last(), stage.live.last(), "{what}");
            }
        }
    }
}

#[test]
fn marks_stay_with_their_rows() {
    // A filled screen that scrolls, one that is filled by and by, and one too low for a transcript.
    for (rows, live) in [(12, 3), (40, 3), (4, 3)] {
        let mut stage = Stage::new(40, rows);
        for turn in 0..6 {
            let row = |text: &str| Line::from(format!("{text} {turn}"));
            let echo = vec![row("echo"), row("text"), row("output"), row("closing")];
            let marks =
                [(0, Mark::Prompt), (2, Mark::Output), (3, Mark::End { failed: turn == 1 })];
            stage.docked.commit_marked(echo, &marks);
            stage.docked.commit_marked(vec![row("withdrawn")], &[(0, Mark::Prompt)]);
            assert_eq!(stage.docked.retract(1), 0);
            stage.frame(live, 0, Flip::None);
            assert_eq!(stage.play(), 1, "a frame is one write");
        }
        let lines: Vec<_> = stage.model.history.iter().chain(&stage.model.rows).collect();
        let at = |line: &usize| lines[*line].trim_end().to_owned();
        let marked: Vec<_> =
            stage.model.marks.iter().map(|(line, mark)| (at(line), mark.as_str())).collect();
        for (turn, marks) in marked.chunks(4).enumerate() {
            let end = if turn == 1 { "D;1" } else { "D;0" };
            assert_eq!(
                marks,
                [
                    (format!("echo {turn}"), "A;redraw=0"),
                    (format!("output {turn}"), "B"),
                    (format!("output {turn}"), "C"),
                    (format!("closing {turn}"), end),
                ],
                "{rows} rows"
            );
        }
        assert_eq!(marked.len(), 24);
    }
}
