//! The session's record as messages, read piece by piece: it may be much larger than memory should be.

use std::path::PathBuf;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::relay;
use crate::protocol::{ContentPart, Event};
use crate::store::{WireLog, WireRecord};

/// Bytes of lines that go together, about.
const PIECE: usize = 64 * 1024;
/// Pieces that are read ahead.
const AHEAD: usize = 2;
/// Bytes after which a text goes out and another part of it begins.
const LONGEST_PART: usize = 1024 * 1024;

/// Lines of a replay.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub lines: String,
    pub events: u64,
    pub requests: u64,
}

/// Starts to read a record; the stream ends after the last piece. Dropping it ends the reading.
pub(super) fn start(record: PathBuf) -> Receiver<Piece> {
    let (pieces, receiver) = channel(AHEAD);
    tokio::task::spawn_blocking(move || read(&record, &pieces));
    receiver
}

fn read(record: &std::path::Path, pieces: &Sender<Piece>) {
    let records = match WireLog::read(record) {
        Ok(records) => records,
        Err(error) => {
            tracing::warn!(%error, "the session cannot be replayed");
            return;
        }
    };
    let mut piece = Piece::default();
    for record in whole(records.map(|(_, record)| record)) {
        let line = match &record {
            WireRecord::Event(event) => relay::event(event),
            // Records of ours have no approvals.
            WireRecord::Request(request) => relay::request(request, false),
        };
        let Some(line) = line else { continue };
        piece.lines.push_str(&line);
        match record {
            WireRecord::Event(_) => piece.events += 1,
            WireRecord::Request(_) => piece.requests += 1,
        }
        if piece.lines.len() >= PIECE && pieces.blocking_send(std::mem::take(&mut piece)).is_err() {
            return;
        }
    }
    // Fails when nobody wants it any more.
    let _ = pieces.blocking_send(piece);
}

/// The same records, with one part for each text that was written in pieces while it streamed (wire.md
/// section 3).
fn whole(mut records: impl Iterator<Item = WireRecord>) -> impl Iterator<Item = WireRecord> {
    let mut next = records.next();
    std::iter::from_fn(move || {
        let mut record = next.take()?;
        for following in records.by_ref() {
            let joined = match (&mut record, &following) {
                (WireRecord::Event(text), WireRecord::Event(more)) => joined(text, more),
                _ => false,
            };
            if !joined {
                next = Some(following);
                break;
            }
        }
        Some(record)
    })
}

/// Appends what goes on with the same text; false when that does not.
fn joined(event: &mut Event, more: &Event) -> bool {
    match (event, more) {
        (
            Event::ContentPart(ContentPart::Text { text }),
            Event::ContentPart(ContentPart::Text { text: more }),
        ) if text.len() < LONGEST_PART => text.push_str(more),
        // A signature is over what it ends.
        (
            Event::ContentPart(ContentPart::Think { think, encrypted: encrypted @ None }),
            Event::ContentPart(ContentPart::Think { think: more, encrypted: signature }),
        ) if think.len() < LONGEST_PART => {
            think.push_str(more);
            encrypted.clone_from(signature);
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(part: ContentPart) -> WireRecord {
        WireRecord::Event(Event::ContentPart(part))
    }

    fn text(text: &str) -> WireRecord {
        part(ContentPart::text(text))
    }

    fn think(think: &str, signature: Option<&str>) -> WireRecord {
        let encrypted = signature.map(str::to_owned);
        part(ContentPart::Think { think: think.to_owned(), encrypted })
    }

    #[test]
    fn a_text_is_one_part_however_it_was_written() {
        let ended = || WireRecord::Event(Event::TurnEnd {});
        let written = vec![
            think("a", None),
            think("b", Some("s")),
            think("c", None),
            text("x"),
            text("y"),
            text("z"),
            ended(),
            text("x"),
            ended(),
        ];
        let told: Vec<WireRecord> = whole(written.into_iter()).collect();
        let one =
            [think("ab", Some("s")), think("c", None), text("xyz"), ended(), text("x"), ended()];
        assert_eq!(format!("{told:?}"), format!("{one:?}"));
        assert_eq!(whole(std::iter::empty()).count(), 0);
    }

    #[test]
    fn a_text_without_end_is_not_held() {
        let long = "x".repeat(LONGEST_PART);
        let written = std::iter::repeat_with(|| text(&long)).take(3);
        assert_eq!(whole(written).count(), 3);
    }
}
