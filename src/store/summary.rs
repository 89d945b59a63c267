//! What a list of sessions shows, from the head of each session's files.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use serde::Deserialize;

use super::lines::{LineReader, open_regular};
use super::wire_log::{self, WireRecord};
use super::{Session, StateFile, UNTITLED, derive_title};
use crate::protocol::Event;

/// Bytes of `wire.jsonl` that are read for the title.
const HEAD: u64 = 256 * 1024;

/// A session in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSummary {
    pub session: Session,
    /// Its name, else derived from the first thing the user said.
    pub title: String,
    /// Time of its last record.
    pub updated: SystemTime,
    pub archived: bool,
    /// Number of turns; `None` when the record is too long to count them in passing.
    pub turns: Option<usize>,
}

/// The summary of a session.
pub(super) fn summarize(session: Session, updated: SystemTime) -> SessionSummary {
    let state = StateFile::peek(&session.dir);
    let (first, turns) = head(&session.wire_path());
    let title = state
        .custom_title
        .filter(|title| !title.trim().is_empty())
        .or_else(|| first.map(|text| derive_title(&text)))
        .unwrap_or_else(|| UNTITLED.to_owned());
    SessionSummary { session, title, updated, archived: state.archived, turns }
}

/// The text of the first turn and the number of turns.
fn head(wire: &Path) -> (Option<String>, Option<usize>) {
    let Ok(Some(file)) = open_regular(wire) else { return (None, Some(0)) };
    let whole = file.metadata().is_ok_and(|meta| meta.len() <= HEAD);
    let mut lines = LineReader::new(file.take(HEAD));
    let (mut first, mut turns) = (None, 0);
    while let Ok(Some(line)) = lines.next_line() {
        if let Some((_, WireRecord::Event(Event::TurnBegin { user_input }))) =
            wire_log::parse(line.bytes)
        {
            first.get_or_insert_with(|| user_input.text());
            turns += 1;
            if !whole {
                break;
            }
        }
    }
    (first, whole.then_some(turns))
}

/// When the session's records last grew.
pub(super) fn last_change(dir: &Path) -> Option<SystemTime> {
    let time = |name: &str| fs::metadata(dir.join(name)).and_then(|meta| meta.modified()).ok();
    time("context.jsonl").max(time("wire.jsonl"))
}

/// Whether nobody named the session, nothing is recorded and nothing was said. What cannot be read
/// is not empty.
pub(super) fn is_empty(dir: &Path) -> bool {
    !has_words(&dir.join("context.jsonl"))
        && !has_records(&dir.join("wire.jsonl"))
        && StateFile::peek(dir).custom_title.is_none_or(|title| title.trim().is_empty())
}

/// Whether the session was put away.
pub(super) fn is_archived(dir: &Path) -> bool {
    StateFile::peek(dir).archived
}

fn has_records(wire: &Path) -> bool {
    any_line(wire, |line| {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "type")]
            kind: String,
        }
        !serde_json::from_slice::<Head>(line).is_ok_and(|head| head.kind == "metadata")
    })
}

/// A line whose role is not one of the internal ones that start with `_`.
fn has_words(context: &Path) -> bool {
    any_line(context, |line| {
        #[derive(Deserialize)]
        struct Head {
            role: String,
        }
        !serde_json::from_slice::<Head>(line).is_ok_and(|head| head.role.starts_with('_'))
    })
}

fn any_line(path: &Path, found: impl Fn(&[u8]) -> bool) -> bool {
    let file = match open_regular(path) {
        Ok(Some(file)) => file,
        Ok(None) => return false,
        Err(_) => return true,
    };
    let mut lines = LineReader::new(file);
    loop {
        match lines.next_line() {
            Ok(None) => return false,
            Ok(Some(line)) if line.oversized => return true,
            Ok(Some(line)) => {
                let bytes = line.bytes.trim_ascii();
                // A torn line is no record yet.
                if !bytes.is_empty() && line.terminated && found(bytes) {
                    return true;
                }
            }
            Err(_) => return true,
        }
    }
}
