//! The record of a session as updates, read piece by piece: it may be much larger than memory should be.

use std::path::PathBuf;

use serde_json::Value;
use tokio::sync::mpsc::{Sender, channel};

use super::peer::Peer;
use super::updates::Updates;
use crate::platform::Env;
use crate::store::{WireLog, WireRecord};

/// Updates that go together, about.
const PIECE: usize = 64;
/// Pieces that are read ahead.
const AHEAD: usize = 2;
/// Bytes that may wait for the client while more is read.
const WAITING: usize = 256 * 1024;

/// Tells the client everything that was said in a session.
pub(super) async fn replay(peer: &Peer, id: &str, record: PathBuf, work_dir: PathBuf, env: Env) {
    let (pieces, mut read) = channel(AHEAD);
    tokio::task::spawn_blocking(move || tell(&record, work_dir, &env, &pieces));
    while let Some(piece) = read.recv().await
        && peer.room(WAITING).await
    {
        piece.iter().for_each(|update| peer.update(id, update));
    }
}

fn tell(record: &std::path::Path, work_dir: PathBuf, env: &Env, pieces: &Sender<Vec<Value>>) {
    let records = match WireLog::read(record) {
        Ok(records) => records,
        Err(error) => {
            tracing::warn!(%error, "the session cannot be replayed");
            return;
        }
    };
    let mut updates = Updates::of_record(work_dir);
    let now = env.clock.instant();
    let mut piece = Vec::new();
    for (_, record) in records {
        let WireRecord::Event(event) = record else { continue };
        piece.extend(updates.event(&event, || env.ids.uuid(), now));
        if piece.len() >= PIECE && pieces.blocking_send(std::mem::take(&mut piece)).is_err() {
            return;
        }
    }
    piece.extend(updates.abandon());
    // Fails when nobody wants it any more.
    let _ = pieces.blocking_send(piece);
}
