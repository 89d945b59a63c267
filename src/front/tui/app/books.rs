//! The messages and turns of this process, counted: receipts for what was taken in, and how the last
//! turn ended.

use crate::agent::KeptAnswer;
use crate::front::control::hex_sha256;
use crate::front::text::{clean_line, truncate};
use crate::protocol::Outcome;
use crate::protocol::control::{Finish, LastTurn, Receipt};

/// Longest reason of a failure that is told, in columns.
const REASON: usize = 300;

/// What was taken in and what became of it.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Turns begun.
    turn: u64,
    /// Of the newest message.
    input: Option<Receipt>,
    last: Option<LastTurn>,
    /// The newest turn of the open session ended with an error.
    failed: bool,
}

impl Books {
    /// Turns begun.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// The receipt of the newest message.
    pub fn input(&self) -> Option<&Receipt> {
        self.input.as_ref()
    }

    /// How the newest ended turn ended.
    pub fn last(&self) -> Option<&LastTurn> {
        self.last.as_ref()
    }

    /// Whether the newest turn of the open session ended with an error.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Another session is in the place of the one that was open.
    pub fn turn_the_page(&mut self) {
        self.failed = false;
    }

    /// A message is taken in; returns its number. `text` is what the model gets.
    pub fn take(&mut self, text: &str) -> u64 {
        let n = self.input.as_ref().map_or(0, |newest| newest.n) + 1;
        let sha256 = hex_sha256(text.as_bytes());
        self.input = Some(Receipt { n, sha256, bytes: text.len(), turn: None });
        n
    }

    /// Message `n` begins a turn.
    pub fn begin_turn(&mut self, n: u64) {
        self.turn += 1;
        self.place(n);
    }

    /// Message `n` goes into the running turn.
    pub fn place(&mut self, n: u64) {
        if let Some(newest) = self.input.as_mut().filter(|newest| newest.n == n) {
            newest.turn = Some(self.turn);
        }
    }

    /// The running turn has ended. `answer` is the one it has brought, if any.
    pub fn end_turn(&mut self, outcome: &Outcome, answer: Option<KeptAnswer>) {
        let (finish, error) = match outcome {
            Outcome::Finished { .. } => match outcome.given_up() {
                Some(why) => (Finish::Error, Some(format!("{why}."))),
                None => (Finish::Done, None),
            },
            Outcome::Cancelled => (Finish::Cancelled, None),
            Outcome::MaxStepsReached { steps } => {
                (Finish::Error, Some(format!("the limit of {steps} steps was reached")))
            }
            Outcome::BudgetSpent(spent) => (Finish::Error, Some(format!("{spent}."))),
            Outcome::Failed(failure) => {
                (Finish::Error, Some(truncate(&clean_line(&failure.message), REASON)))
            }
        };
        let (path, sha256, bytes) = match answer {
            Some(KeptAnswer { path, sha256, bytes }) => (path, Some(sha256), bytes),
            None => (None, None, 0),
        };
        let path = path.map(|path| path.display().to_string());
        self.failed = finish == Finish::Error;
        self.last = Some(LastTurn { turn: self.turn, finish, error, path, sha256, bytes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Failure, FailureKind, StopReason};

    #[test]
    fn a_message_has_a_turn_once_it_is_in_one() {
        let mut books = Books::default();
        let first = books.take("one");
        assert_eq!(books.input().map(|input| input.turn), Some(None));
        books.begin_turn(first);
        let input = books.input().expect("a receipt").clone();
        assert_eq!((input.n, input.turn, input.bytes), (1, Some(1), 3));
        assert_eq!(input.sha256, hex_sha256(b"one"));
        let (second, third) = (books.take("two"), books.take("three"));
        books.begin_turn(second);
        let input = books.input().expect("a receipt");
        assert_eq!((input.n, input.turn), (3, None), "the newest one waits");
        books.place(third);
        assert_eq!(books.input().expect("a receipt").turn, Some(2));
    }

    #[test]
    fn the_last_turn_is_told_as_it_ended() {
        let mut books = Books::default();
        let n = books.take("x");
        books.begin_turn(n);
        let answer = KeptAnswer { path: Some("/s/a.md".into()), sha256: "00".into(), bytes: 7 };
        books.end_turn(&Outcome::Finished { stop: StopReason::NoToolCalls }, Some(answer));
        let last = books.last().expect("a turn").clone();
        assert_eq!((last.turn, last.finish, last.error), (1, Finish::Done, None));
        assert_eq!((last.path.as_deref(), last.bytes), (Some("/s/a.md"), 7));
        let failure = Failure {
            kind: FailureKind::Internal,
            message: "it\n\u{1b}[2Jbroke".to_owned(),
            hint: None,
        };
        books.end_turn(&Outcome::Failed(failure), None);
        let last = books.last().expect("a turn").clone();
        assert_eq!((last.finish, last.path, last.sha256), (Finish::Error, None, None));
        let error = last.error.expect("a reason");
        assert!(error.contains("broke") && !error.contains(['\n', '\u{1b}']), "{error}");
        books.end_turn(&Outcome::MaxStepsReached { steps: 3 }, None);
        assert_eq!(books.last().expect("a turn").finish, Finish::Error);
        assert!(books.failed());
        books.turn_the_page();
        assert!(!books.failed(), "the title is that of the open session");
        let stop = StopReason::ToolCallRepeat;
        books.end_turn(&Outcome::Finished { stop }, None);
        let last = books.last().expect("a turn").clone();
        assert!(last.finish == Finish::Error && last.error.is_some(), "{last:?}");
        books.end_turn(&Outcome::Cancelled, None);
        assert_eq!(books.last().expect("a turn").finish, Finish::Cancelled);
    }
}
