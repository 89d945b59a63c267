//! What can be answered without the front end: the state, now or later, and the last answer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::portrait::Portrait;
use crate::protocol::control::{Answer, Instance, LastTurn, RefusalCode, State};
use crate::store::read_regular;

/// The longest answer that is handed over, in bytes. A longer one can be read from its file.
const MAX_ANSWER: u64 = 64 << 20;

/// How long a file that is not that of the last turn may be the one of a turn that ends just now.
const NEXT_TURN: Duration = Duration::from_millis(250);

/// What a `wait` waits for.
#[derive(Debug, Clone, Default)]
pub(super) struct Until {
    pub states: Vec<State>,
    pub turn: Option<u64>,
    pub after_seq: Option<u64>,
}

impl Until {
    fn holds(&self, now: &Instance) -> bool {
        let state = if !self.states.is_empty() {
            self.states.contains(&now.state)
        } else {
            self.turn.is_some() || now.state != State::Busy
        };
        let turn = self.turn.is_none_or(|turn| {
            now.last.as_ref().is_some_and(|last| last.turn >= turn)
                || (now.turn >= turn && now.state == State::Ask)
                || matches!(now.state, State::Error | State::Exited)
        });
        state && turn && self.after_seq.is_none_or(|seq| now.seq > seq)
    }
}

/// The instance as it sees itself, now and later.
#[derive(Debug, Clone)]
pub(super) struct States(pub watch::Receiver<Portrait>);

impl States {
    /// The state now. Right after the start it is waited for; `None` when there will never be one.
    pub async fn now(&mut self) -> Option<Arc<Instance>> {
        let portrait = self.0.wait_for(|portrait| portrait.instance.is_some() || portrait.leaving);
        portrait.await.ok()?.instance.clone()
    }

    /// Returns when the process ends.
    pub async fn leaving(&mut self) {
        // A sender that is gone has left.
        let _ = self.0.wait_for(|portrait| portrait.leaving).await;
    }

    /// The answer to `wait`.
    pub async fn wait(&mut self, until: &Until, timeout: Option<Duration>) -> Answer {
        let holds =
            |portrait: &Portrait| portrait.instance.as_ref().is_some_and(|i| until.holds(i));
        let arrived = self.0.wait_for(|portrait| portrait.leaving || holds(portrait));
        let arrived = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, arrived).await,
            None => Ok(arrived.await),
        };
        match arrived {
            Ok(Ok(portrait)) if holds(&portrait) => Answer::ok(),
            Ok(_) => leaving(),
            Err(_) => Answer::refused(RefusalCode::Timeout, "It has not come to that in time."),
        }
    }

    /// The answer to `last`: the text, if the file still is that of the last turn.
    pub async fn last(&mut self) -> Answer {
        let Some(now) = self.now().await else { return leaving() };
        let none = |why: String| Answer::refused(RefusalCode::NoAnswer, why);
        let Some(last) = now.last.clone() else { return none("No turn has ended yet.".to_owned()) };
        let text = match read(&last).await {
            // A turn that ends now has its file before it is heard of.
            Err(Unread::Changed) => match self.newer_than(&last).await {
                Some(newer) => read(&newer).await,
                None => Err(Unread::Changed),
            },
            read => read,
        };
        match text {
            Ok(text) => Answer { text: Some(text), ..Answer::ok() },
            Err(Unread::None) => none(format!("Turn {} had no answer.", last.turn)),
            Err(Unread::Changed) => none(format!(
                "{} is not the answer of turn {} any more: another process has replaced it.",
                last.path.unwrap_or_default(),
                last.turn
            )),
            Err(Unread::Failed(why)) => none(why),
        }
    }

    async fn newer_than(&mut self, last: &LastTurn) -> Option<LastTurn> {
        let last_of = |portrait: &Portrait| portrait.instance.as_ref()?.last.clone();
        let newer = |portrait: &Portrait| last_of(portrait).is_some_and(|it| it.turn > last.turn);
        let newer = tokio::time::timeout(NEXT_TURN, self.0.wait_for(newer)).await;
        last_of(&*newer.ok()?.ok()?)
    }
}

/// The process ends before what was asked for could be.
pub(super) fn leaving() -> Answer {
    Answer::refused(RefusalCode::Leaving, "The instance is leaving.")
}

enum Unread {
    /// There was none.
    None,
    /// The file has another text.
    Changed,
    Failed(String),
}

/// Reads an answer and makes sure that it is the one.
async fn read(last: &LastTurn) -> Result<String, Unread> {
    let (Some(path), Some(sha256)) = (last.path.clone(), last.sha256.clone()) else {
        return Err(Unread::None);
    };
    let read = tokio::task::spawn_blocking(move || {
        let text = read_regular(Path::new(&path), MAX_ANSWER)
            .map_err(|error| Unread::Failed(format!("{path} cannot be read: {error}.")))?
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(Unread::Changed)?;
        // The file ends in a line feed, whether the answer does or not.
        let bare = text.strip_suffix('\n').unwrap_or(&text);
        [bare, &text]
            .into_iter()
            .find(|text| hex_sha256(text.as_bytes()) == sha256)
            .map(str::to_owned)
            .ok_or(Unread::Changed)
    });
    read.await.unwrap_or_else(|error| Err(Unread::Failed(error.to_string())))
}

/// The SHA-256 of these bytes in hex, as receipts and answers carry it.
pub fn hex_sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
