//! When calls ran that may have changed files: what changed in one of these times is their doing.

use crate::store::snapshots::By;

/// A file's time may lie this much before that of the clock, where another clock stamps it than ours: that of
/// another machine, or of a system that does not tell ([`Clock::file_time`](crate::platform::env::Clock::file_time)).
const SLACK_NS: i64 = 20_000_000;

/// When something ran that may have changed files; nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ran {
    pub from: i64,
    pub to: i64,
    /// The newest point at the time.
    pub point: u64,
}

/// One of the calls that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CallId(u64);

/// The calls that run, and those that ended since the last look.
#[derive(Debug, Default)]
pub(super) struct Calls {
    running: Vec<(CallId, Ran)>,
    ended: Vec<Ran>,
    begun: u64,
}

impl Calls {
    /// A call begins, after this point.
    pub fn begin(&mut self, from: i64, point: u64) -> CallId {
        self.begun += 1;
        let id = CallId(self.begun);
        self.running.push((id, Ran { from, to: from, point }));
        id
    }

    /// The call is over; what it did came not before `from`.
    pub fn end(&mut self, call: CallId, from: i64, to: i64) {
        let Some(at) = self.running.iter().position(|(id, _)| *id == call) else { return };
        let (_, ran) = self.running.swap_remove(at);
        self.ended.push(Ran { from: ran.from.max(from), to, ..ran });
    }

    /// All times in which a change is that of a call, as of `now`.
    pub fn times(&self, now: i64) -> Vec<Ran> {
        let running = self.running.iter().map(|(_, ran)| Ran { to: now, ..*ran });
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
        let first = calls.begin(10, 1);
        let second = calls.begin(20, 1);
        calls.end(first, 0, 15);
        calls.end(second, 0, 40);
        calls.seen(30);
        assert_eq!(calls.times(50), [Ran { from: 20, to: 40, point: 1 }]);
    }

    #[test]
    fn calls_at_the_same_time_have_ends_of_their_own() {
        let mut calls = Calls::default();
        let first = calls.begin(10, 1);
        let second = calls.begin(10, 1);
        calls.end(second, 30, 40);
        let ran = |from, to| Ran { from, to, point: 1 };
        assert_eq!(calls.times(50), [ran(30, 40), ran(10, 50)], "the other still runs");
        calls.end(first, 0, 60);
        assert_eq!(calls.times(90), [ran(30, 40), ran(10, 60)]);
    }
}
