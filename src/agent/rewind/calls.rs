//! When calls ran that may have changed files: what changed in one of these times is their doing.

use crate::store::snapshots::By;

/// A file's time may lie this much before that of the clock.
const SLACK_NS: i64 = 20_000_000;

/// When something ran that may have changed files; nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ran {
    pub from: i64,
    pub to: i64,
    /// The newest point at the time.
    pub point: u64,
}

/// The calls that run, and those that ended since the last look.
#[derive(Debug, Default)]
pub(super) struct Calls {
    running: Vec<(i64, u64)>,
    ended: Vec<Ran>,
}

impl Calls {
    pub fn begin(&mut self, from: i64, point: u64) {
        self.running.push((from, point));
    }

    /// The call that began at `began` is over; what it did came not before `from`.
    pub fn end(&mut self, began: i64, from: i64, to: i64) {
        let Some(at) = self.running.iter().position(|call| call.0 == began) else { return };
        let (_, point) = self.running.swap_remove(at);
        self.ended.push(Ran { from, to, point });
    }

    /// A turn begins: no call of another one runs any more.
    pub fn reset(&mut self) {
        self.running.clear();
    }

    /// All times in which a change is that of a call, as of `now`.
    pub fn times(&self, now: i64) -> Vec<Ran> {
        let running = self.running.iter().map(|&(from, point)| Ran { from, to: now, point });
        self.ended.iter().copied().chain(running).collect()
    }

    /// Forgets what a look that began at `began` has seen whole.
    pub fn seen(&mut self, began: i64) {
        self.ended.retain(|ran| ran.to >= began);
    }
}

/// To whom, and to which point, a change belongs that a look has found.
pub(super) struct When<'a> {
    /// The point that holds since the last look.
    pub point: u64,
    /// The newest point, and when its turn began: the look may have come late.
    pub newest: u64,
    pub begun: i64,
    pub ran: &'a [Ran],
    /// When the look began; all in nanoseconds since 1970.
    pub now: i64,
}

impl When<'_> {
    /// The call during which something changed.
    pub fn call(&self, changed: i64) -> Option<&Ran> {
        self.ran.iter().find(|ran| changed >= ran.from - SLACK_NS && changed <= ran.to)
    }

    /// Who made a change of this time, and the point it comes after.
    pub fn place(&self, changed: i64) -> (By, u64) {
        match self.call(changed) {
            Some(ran) => (By::Command, self.point.max(ran.point)),
            None if changed >= self.begun => (By::User, self.point.max(self.newest)),
            None => (By::User, self.point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_look_gives_each_change_to_the_turn_it_was_made_in() {
        let mut calls = Calls::default();
        calls.begin(1_000_000_000, 2);
        let ran = calls.times(3_000_000_000);
        let when = When { point: 1, newest: 2, begun: 500_000_000, ran: &ran, now: 0 };
        assert_eq!(when.place(400_000_000), (By::User, 1));
        assert_eq!(when.place(600_000_000), (By::User, 2));
        assert_eq!(when.place(1_500_000_000), (By::Command, 2));
    }

    #[test]
    fn a_call_that_a_look_may_have_missed_is_kept_for_the_next() {
        let mut calls = Calls::default();
        calls.begin(10, 1);
        calls.begin(20, 1);
        calls.end(10, 10, 15);
        calls.end(20, 20, 40);
        calls.seen(30);
        assert_eq!(calls.times(50), [Ran { from: 20, to: 40, point: 1 }]);
        calls.begin(80, 1);
        calls.reset();
        assert_eq!(calls.times(90).len(), 1, "not those of another turn");
    }
}
