//! The turn that a message begins, followed from line to line of a watch.

use crate::protocol::control::{Instance, LastTurn, Receipt, State};

/// A message on its way.
#[derive(Debug)]
pub struct Awaited {
    /// Which message.
    pub n: u64,
    /// Its turn, once that is known.
    pub turn: Option<u64>,
}

/// What a state says about it.
#[derive(Debug, PartialEq)]
pub enum Seen {
    /// It goes on.
    Nothing,
    /// Its turn has ended so.
    Ended(LastTurn),
    /// Its turn has ended, and another one since.
    Overtaken(u64),
    /// A question is open: it goes no further without an answer.
    Asks,
    /// The instance takes no more messages.
    Broken,
    /// The instance has ended.
    Exited,
    /// Another message came in before this one's turn began.
    LostSight,
    /// It is not in the queue and has begun no turn. A state may say so for a moment before the turn.
    Gone,
}

impl Awaited {
    /// After this receipt.
    pub fn new(receipt: &Receipt) -> Self {
        Self { n: receipt.n, turn: receipt.turn }
    }

    /// Reads one state.
    pub fn look(&mut self, instance: &Instance) -> Seen {
        let input = instance.input.as_ref();
        if self.turn.is_none() {
            self.turn = input.filter(|input| input.n == self.n).and_then(|input| input.turn);
        }
        let last = instance.last.as_ref();
        match (self.turn, last) {
            (Some(turn), Some(last)) if last.turn == turn => return Seen::Ended(last.clone()),
            (Some(turn), Some(last)) if last.turn > turn => return Seen::Overtaken(turn),
            _ => {}
        }
        match instance.state {
            State::Exited => Seen::Exited,
            State::Error => Seen::Broken,
            State::Ask => Seen::Asks,
            State::Idle | State::Busy if self.turn.is_some() => Seen::Nothing,
            _ if input.is_some_and(|input| input.n > self.n) => Seen::LostSight,
            State::Idle if instance.queued == 0 => Seen::Gone,
            State::Idle | State::Busy => Seen::Nothing,
        }
    }
}
