//! The change from idle to busy and back, for a reader that sees any part of a frame.

use kimi_tui::front::tui::terminal::{Flip, Position, Size};
use proptest::prelude::*;
use ratatui::text::Line;

use super::{Stage, model::Model};

/// What passes a pseudo-terminal whole, in bytes.
const WHOLE: usize = 2048;
const PROMPT: &str = "── input ── u@d💫";

/// A live region of `extra` rows more than it takes: spinner and rows below it, or rows of a draft.
fn live(busy: bool, extra: usize) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    if busy {
        rows.push(" ⠙ Working… 1s".into());
        rows.extend((0..extra).map(|n| Line::from(format!("going on {n}"))));
        rows.push("── input ── (next message)".into());
    } else {
        rows.push(PROMPT.into());
        rows.extend((0..extra).map(|n| Line::from(format!("todo {n}"))));
    }
    rows.push(" 12:01 agent (k ●) context: 0.5%".into());
    rows
}

fn spins(model: &Model) -> bool {
    model.screen().iter().any(|row| row.contains('⠙'))
}

fn prompts(model: &Model) -> bool {
    model.screen().iter().any(|row| row.ends_with('💫'))
}

impl Stage {
    fn long_rows(&mut self, count: usize) {
        let from = self.committed.len();
        let rows: Vec<String> =
            (from..from + count).map(|n| format!("row {n} {}", "y".repeat(60))).collect();
        self.docked.commit(rows.iter().cloned().map(Line::from).collect());
        self.committed.extend(rows);
    }

    /// Draws, and returns the writes instead of playing them.
    fn writes(&mut self, live: &[Line<'static>], flip: Flip) -> Vec<Vec<u8>> {
        self.docked.frame(live, Some(Position { row: 0, column: 2 }), flip).expect("frame");
        self.live = live.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
        std::mem::take(&mut self.docked.sink().0)
    }

    /// Plays the bytes cut before each sequence; `each` is asked after each part.
    fn play_parts(&mut self, bytes: &[u8], mut each: impl FnMut(&Model, &[u8])) {
        for part in bytes.split(|byte| *byte == b'\x1b').skip(1) {
            self.model.feed(&[b"\x1b", part].concat());
            each(&self.model, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_turn_ends_within_one_short_write(
        filled in 0usize..40, answer in 0usize..120, below in 0usize..7, draft in 0usize..4,
        open in 0usize..3, resized in prop::option::of(12u16..30),
    ) {
        let mut stage = Stage::new(80, 20);
        stage.long_rows(filled);
        stage.docked.set_open((0..open).map(|n| Line::from(format!("open {n}"))).collect());
        let bytes = stage.writes(&live(true, below), Flip::TurnStart).concat();
        stage.model.feed(&bytes);
        if let Some(height) = resized {
            stage.resize(&[height]);
        }
        stage.docked.set_open(Vec::new());
        stage.long_rows(answer);
        let writes = stage.writes(&live(false, draft), Flip::TurnEnd);
        let (last, before) = writes.split_last().expect("a frame");
        prop_assert!(before.len() < 2 && last.len() <= WHOLE, "{} bytes", last.len());
        // After a resize nobody knows where the old spinner is: the new one comes soon.
        let mut seen = resized.is_none();
        for bytes in before {
            prop_assert!(seen || bytes.windows(3).take(WHOLE).any(|three| three == "⠙".as_bytes()));
            stage.play_parts(bytes, |model, part| {
                seen |= part.windows(3).any(|three| three == "⠙".as_bytes());
                assert!((spins(model) || !seen) && !prompts(model), "{:#?}", model.screen());
            });
        }
        stage.model.feed(last);
        prop_assert!(prompts(&stage.model) && !spins(&stage.model));
        if resized.is_none() {
            stage.check();
        }
    }

    #[test]
    fn a_turn_begins_within_one_short_write(filled in 0usize..40, echo in 0usize..120, below in 0usize..4) {
        let mut stage = Stage::new(80, 20);
        stage.long_rows(filled);
        let bytes = stage.writes(&live(false, 0), Flip::None).concat();
        stage.model.feed(&bytes);
        stage.long_rows(echo);
        let writes = stage.writes(&live(true, below), Flip::TurnStart);
        let (first, after) = writes.split_first().expect("a frame");
        prop_assert!(first.len() <= WHOLE, "{} bytes", first.len());
        stage.model.feed(first);
        prop_assert!(spins(&stage.model) && !prompts(&stage.model));
        for bytes in after {
            stage.play_parts(bytes, |model, _| assert!(spins(model) && !prompts(model)));
        }
        stage.check();
    }
}

#[test]
fn a_frame_after_a_resize_shows_the_spinner_before_anything_long() {
    let mut stage = Stage::new(80, 20);
    let bytes = stage.writes(&live(true, 3), Flip::TurnStart).concat();
    stage.model.feed(&bytes);
    stage.model.resize(30);
    stage.docked.resize(Size::new(80, 30));
    stage.long_rows(200);
    let bytes = stage.writes(&live(true, 3), Flip::None).concat();
    let text = String::from_utf8(bytes).expect("UTF-8");
    let at = |part: &str| text.find(part).expect(part);
    assert!(at("⠙") < at("row 0") && at("⠙") < WHOLE);
}
