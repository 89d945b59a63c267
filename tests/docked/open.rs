//! Rows that are not final: the unfinished end of an answer, and what a failed attempt takes back.

use kimi_tui::front::tui::terminal::Flip;
use proptest::prelude::*;
use ratatui::text::Line;

use super::Stage;

impl Stage {
    fn open(&mut self, count: usize) {
        self.open = (0..count).map(|n| format!("open {n} of {count}")).collect();
        self.docked.set_open(self.open.iter().cloned().map(Line::from).collect());
    }

    /// Takes rows back; those that had left the screen stay what was said.
    fn retract(&mut self, count: usize) {
        let count = count.min(self.committed.len());
        let gone = self.docked.retract(count);
        self.committed.truncate(self.committed.len() - (count - gone));
    }

    /// Every committed row once and in order, then as many open rows as fit, then the live region.
    fn check_open(&self) {
        self.check_committed();
        let written = self.model.written();
        let screen = self.model.screen();
        let shown = self.open.len().min(screen.len() - self.live.len());
        let mut expected = self.committed.clone();
        expected.extend(self.open[self.open.len() - shown..].iter().cloned());
        expected.extend(self.live.iter().cloned());
        assert_eq!(written, expected, "{screen:#?}");
    }

    /// Every committed row once and in order, and the live region at the bottom.
    ///
    /// That is all there is after a resize: a window that gets lower pushes open rows into the history
    /// before the program hears of it, and one that gets higher brings them back; nobody can help that.
    fn check_committed(&self) {
        let screen = self.model.screen();
        assert_eq!(screen[screen.len() - self.live.len()..], self.live, "{screen:#?}");
        let mut written = self.model.written();
        written.truncate(written.len() - self.live.len());
        written.retain(|row| !row.starts_with("open"));
        assert_eq!(written, self.committed, "{screen:#?}");
    }
}

#[test]
fn open_rows_stand_below_the_transcript_and_never_reach_the_history() {
    let mut stage = Stage::new(40, 10);
    stage.commit(3);
    stage.open(2);
    stage.frame(2, 1, Flip::None);
    stage.play();
    assert_eq!(stage.model.screen()[3..6], ["open 0 of 2", "open 1 of 2", ""]);
    stage.commit(20);
    stage.open(3);
    stage.frame(4, 1, Flip::None);
    stage.play();
    stage.check_open();
    assert!(stage.model.history.iter().all(|row| !row.starts_with("open")));
    stage.open(0);
    stage.frame(2, 1, Flip::None);
    stage.play();
    stage.check_open();
}

#[test]
fn what_is_still_on_the_screen_can_be_taken_back() {
    let mut stage = Stage::new(40, 10);
    stage.commit(5);
    stage.frame(2, 1, Flip::None);
    stage.play();
    assert_eq!(stage.docked.retract(2), 0);
    stage.committed.truncate(3);
    stage.frame(2, 1, Flip::None);
    stage.play();
    stage.check_open();
    stage.commit(30);
    stage.frame(2, 1, Flip::None);
    stage.play();
    assert_eq!(stage.docked.retract(30), 22, "eight rows are on the screen");
    stage.committed.truncate(25);
    stage.frame(2, 1, Flip::None);
    stage.play();
    stage.check_open();
}

#[test]
fn unchanged_open_rows_cost_nothing() {
    let mut stage = Stage::new(40, 10);
    stage.open(2);
    stage.frame(2, 1, Flip::None);
    stage.play();
    stage.open(2);
    assert_eq!(stage.frame(2, 1, Flip::None), 0);
}

#[derive(Debug, Clone)]
enum Act {
    Commit(usize),
    Open(usize),
    Retract(usize),
    Frame(usize, usize),
    Resize(Vec<u16>),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0usize..15).prop_map(Act::Commit),
        (0usize..12).prop_map(Act::Open),
        (0usize..12).prop_map(Act::Retract),
        (1usize..7, 0usize..3).prop_map(|(height, up)| Act::Frame(height, up)),
        prop::collection::vec(10_u16..30, 1..3).prop_map(Act::Resize),
    ];
    prop::collection::vec(act, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_keeps_committed_rows_and_shows_the_open_ones(acts in acts()) {
        let mut stage = Stage::new(40, 15);
        stage.frame(2, 1, Flip::None);
        stage.play();
        let mut moved = false;
        for act in acts {
            match act {
                Act::Commit(count) => stage.commit(count),
                Act::Open(count) => stage.open(count),
                // A window that gets lower before the next frame takes them into the history.
                Act::Retract(count) => {
                    stage.retract(count);
                    stage.frame(2, 1, Flip::None);
                    stage.play();
                    if moved { stage.check_committed() } else { stage.check_open() }
                }
                Act::Resize(heights) => {
                    moved = true;
                    stage.resize(&heights);
                }
                Act::Frame(height, up) => {
                    stage.frame(height, up, Flip::None);
                    stage.play();
                    if moved { stage.check_committed() } else { stage.check_open() }
                }
            }
        }
        stage.open(0);
        stage.frame(2, 1, Flip::None);
        stage.play();
        if moved { stage.check_committed() } else { stage.check_open() }
    }
}
