//! Seed and V1: the state from the rendered capture alone.

use super::words::{ends_in_full_prompt, ends_in_mark, is_echo, is_error};
use super::{State, Version};

/// How many rows from the bottom are looked at.
const WINDOW: usize = 50;

/// What a reader of rendered captures remembers: that something was asked once. Nothing forgets it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latch {
    asked: bool,
}

impl Latch {
    /// As if something had been asked before, or not.
    pub fn new(asked: bool) -> Self {
        Self { asked }
    }

    /// The state by one more capture; only seed and V1 read like that.
    pub fn read(&mut self, version: Version, rows: &[&str]) -> State {
        let end = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |at| at + 1);
        let rows = &rows[end.saturating_sub(WINDOW)..end];
        self.judge(version, rows.iter().copied())
    }

    /// The same for any rows.
    pub fn judge<'a>(
        &mut self,
        version: Version,
        rows: impl Iterator<Item = &'a str> + Clone,
    ) -> State {
        let ends = if version == Version::Seed { ends_in_full_prompt } else { ends_in_mark };
        let ready = rows.clone().any(ends);
        let edges = rows.clone().filter(|row| row.contains("╰─")).count();
        self.asked |= rows.clone().any(is_echo)
            || edges >= 2
            || !ready && rows.clone().any(|row| row.contains("╭─"));
        if ready {
            if self.asked { State::Completed } else { State::Idle }
        } else if rows.clone().any(is_error) {
            State::Error
        } else {
            State::Busy
        }
    }
}
