//! What the tests of this folder share.

use super::Status;
use crate::protocol::control::{AskKind, Finish, LastTurn, OpenAsk, State};

/// The status of an instance in this turn; the turns before it have ended.
pub fn status(state: State, turn: u64) -> Status {
    let ended = if state == State::Idle { turn } else { turn.saturating_sub(1) };
    Status {
        state,
        turn,
        phase: None,
        session: "s".to_owned(),
        session_dir: "/nowhere/s".to_owned(),
        cwd: "/".to_owned(),
        model: None,
        context: 0.25,
        queued: 0,
        input: None,
        ask: None,
        last: (ended > 0).then_some(LastTurn {
            turn: ended,
            finish: Finish::Done,
            error: None,
            path: None,
            sha256: None,
            bytes: 0,
        }),
    }
}

/// An approval that is open.
pub fn approval(id: &str) -> OpenAsk {
    OpenAsk {
        id: id.to_owned(),
        kind: AskKind::Approval,
        text: "Run command `ls`".to_owned(),
        options: Vec::new(),
        questions: Vec::new(),
        behind: 0,
    }
}
