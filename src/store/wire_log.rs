//! `wire.jsonl`: what was reported and asked, with time stamps, append-only. The record from which
//! a session is shown again and from which other programs list sessions.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::lines::{LineReader, is_torn, open_log, open_regular};
use super::python_json::write_spaced;
use crate::protocol::{Event, Request, WIRE_PROTOCOL_VERSION};

/// Bytes at the end of a log that are looked at for the last turns.
const TAIL_LIMIT: u64 = 16 * 1024 * 1024;

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub enum WireRecord {
    Event(Event),
    Request(Request),
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    timestamp: f64,
    message: T,
}

#[derive(Serialize)]
struct Metadata {
    #[serde(rename = "type")]
    kind: &'static str,
    protocol_version: &'static str,
}

/// The log, open for appending.
#[derive(Debug)]
pub struct WireLog {
    path: PathBuf,
    file: File,
    empty: bool,
    /// The next write has to end a torn line first.
    torn: bool,
}

impl WireLog {
    /// Opens the log, creating it when missing. A torn last line is ended by the next write, so
    /// that it costs nobody else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut file = open_log(path).map_err(StoreError::io("open", path))?;
        let empty = file.metadata().map_err(StoreError::io("open", path))?.len() == 0;
        let torn = is_torn(&mut file).map_err(StoreError::io("read", path))?;
        Ok(Self { path: path.to_path_buf(), file, empty, torn })
    }

    /// Appends an event at Unix time `timestamp`. Events that stay inside the process are not
    /// recorded.
    pub fn append_event(&mut self, timestamp: f64, event: &Event) -> Result<(), StoreError> {
        if event.is_wire() { self.append(&Line { timestamp, message: event }) } else { Ok(()) }
    }

    /// Appends a request at Unix time `timestamp`.
    pub fn append_request(&mut self, timestamp: f64, request: &Request) -> Result<(), StoreError> {
        self.append(&Line { timestamp, message: request })
    }

    fn append<T: Serialize>(&mut self, line: &Line<T>) -> Result<(), StoreError> {
        let written = (|| {
            let mut bytes = Vec::new();
            if self.torn {
                bytes.push(b'\n');
            }
            if self.empty {
                let metadata =
                    Metadata { kind: "metadata", protocol_version: WIRE_PROTOCOL_VERSION };
                write_spaced(&mut bytes, &metadata)?;
                bytes.push(b'\n');
            }
            write_spaced(&mut bytes, line)?;
            bytes.push(b'\n');
            self.file.write_all(&bytes)
        })();
        self.torn = written.is_err();
        self.empty &= written.is_err();
        written.map_err(StoreError::io("write", &self.path))
    }

    /// Waits until everything is on the disk itself.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(StoreError::io("sync", &self.path))
    }

    /// Reads a log from its start. A missing one has no records.
    pub fn read(path: &Path) -> Result<WireReader, StoreError> {
        let file = open_regular(path).map_err(StoreError::io("read", path))?;
        Ok(WireReader { lines: file.map(LineReader::new) })
    }

    /// The last `turns` turns of a log, read from its end without touching the rest.
    pub fn tail_turns(path: &Path, turns: usize) -> Result<TurnTail, StoreError> {
        read_tail(path, turns).map_err(StoreError::io("read", path))
    }
}

/// The records of a log in order, with their Unix times. Lines that are not understood are skipped;
/// reading ends early when the disk fails.
pub struct WireReader {
    lines: Option<LineReader<File>>,
}

impl Iterator for WireReader {
    type Item = (f64, WireRecord);

    fn next(&mut self) -> Option<Self::Item> {
        let lines = self.lines.as_mut()?;
        while let Ok(Some(line)) = lines.next_line() {
            if let Some(record) = parse(line.bytes) {
                return Some(record);
            }
        }
        self.lines = None;
        None
    }
}

/// The end of a log.
#[derive(Debug, Default, PartialEq)]
pub struct TurnTail {
    /// With Unix times, from the first `TurnBegin` of the wanted turns on.
    pub records: Vec<(f64, WireRecord)>,
    /// Whether there is something before them.
    pub more_before: bool,
}

pub(super) fn parse(bytes: &[u8]) -> Option<(f64, WireRecord)> {
    let bytes = bytes.trim_ascii();
    if !bytes.starts_with(b"{") {
        return None;
    }
    if let Ok(line) = serde_json::from_slice::<Line<Event>>(bytes) {
        return Some((line.timestamp, WireRecord::Event(line.message)));
    }
    let line = serde_json::from_slice::<Line<Request>>(bytes).ok()?;
    Some((line.timestamp, WireRecord::Request(line.message)))
}

fn read_tail(path: &Path, turns: usize) -> io::Result<TurnTail> {
    let Some(mut file) = open_regular(path)? else { return Ok(TurnTail::default()) };
    let size = file.metadata()?.len();
    if turns == 0 {
        return Ok(TurnTail { records: Vec::new(), more_before: size > 0 });
    }
    let mut window = 256 * 1024u64;
    loop {
        let start = size.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::with_capacity((size - start) as usize);
        (&file).take(size - start).read_to_end(&mut bytes)?;
        let whole = if start == 0 {
            &bytes[..]
        } else {
            // The first line most likely began before the window.
            let first =
                bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            bytes.get(first..).unwrap_or_default()
        };
        let lines: Vec<&[u8]> = whole.split(|byte| *byte == b'\n').collect();
        let begins: Vec<usize> = (0..lines.len())
            .rev()
            .filter(|at| lines.get(*at).is_some_and(|line| begins_turn(line)))
            .take(turns)
            .collect();
        let exhausted = start == 0 || window >= TAIL_LIMIT;
        if begins.len() == turns || exhausted {
            let from = match begins.last() {
                Some(from) if begins.len() == turns || start > 0 => *from,
                _ => 0,
            };
            let records = lines.iter().skip(from).filter_map(|line| parse(line)).collect();
            let before = lines.iter().take(from).any(|line| parse(line).is_some());
            return Ok(TurnTail { records, more_before: start > 0 || before });
        }
        window = window.saturating_mul(4);
    }
}

/// Whether a line is a `TurnBegin` record. The type is near the start in every known spelling.
fn begins_turn(line: &[u8]) -> bool {
    const NAME: &[u8] = b"\"TurnBegin\"";
    let head = line.get(..256).unwrap_or(line);
    head.windows(NAME.len()).any(|window| window == NAME)
        && matches!(parse(line), Some((_, WireRecord::Event(Event::TurnBegin { .. }))))
}

#[cfg(test)]
mod tests;
