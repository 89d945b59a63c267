//! The session's record as messages, read piece by piece: it may be much larger than memory should be.

use std::path::PathBuf;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::relay;
use crate::store::{WireLog, WireRecord};

/// Bytes of lines that go together, about.
const PIECE: usize = 64 * 1024;
/// Pieces that are read ahead.
const AHEAD: usize = 2;

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
    for (_, record) in records {
        let line = match &record {
            WireRecord::Event(event) => relay::event(event),
            WireRecord::Request(request) => relay::request(request),
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
