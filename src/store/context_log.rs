//! `context.jsonl`: what the model sees, one record per line, append-only.

mod revert;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::lines::{LineReader, open_log};
use super::python_json::ascii_string;
use super::repair::Pairing;
use crate::llm::Message;

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum ContextRecord {
    /// The system prompt of the session: its first line, written once.
    SystemPrompt(String),
    /// A point one can return to: before each user message and before each step.
    Checkpoint(u64),
    /// Tokens in use: the input before an assistant message, the total after it.
    Usage(u64),
    /// What was said.
    Message(Message),
}

/// What a log held.
#[derive(Debug, Default)]
pub struct LoadedContext {
    pub system_prompt: Option<String>,
    /// The conversation, with every tool call answered.
    pub messages: Vec<Message>,
    /// The last recorded number of tokens in use.
    pub token_count: u64,
    /// An estimate (characters / 4) of the text that came after that number.
    pub pending_text_tokens: u64,
    /// The id the next checkpoint gets.
    pub next_checkpoint: u64,
    /// What had to be skipped or repaired.
    pub warnings: Vec<String>,
}

/// Bytes before a mark by which it is found again.
const MARK_TAIL: u64 = 4096;

/// A place in the log, found again also when the log was replaced since: by what is before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextMark {
    /// Bytes from the start.
    pub length: u64,
    /// SHA-256, in hex, of the last bytes before it.
    pub tail: String,
}

/// The log, open for appending.
#[derive(Debug)]
pub struct ContextLog {
    path: PathBuf,
    file: File,
    /// A failed write may have left half a line.
    torn: bool,
}

impl ContextLog {
    /// Opens the log, creating it when missing, and reads it.
    ///
    /// A torn last line is completed when it is a whole record and cut off when not. Lines that
    /// cannot be read are skipped. Calls that were running when the program died get a result that
    /// says so, which is appended, so that later requests begin with the same bytes as the next.
    pub fn open(path: &Path) -> Result<(Self, LoadedContext), StoreError> {
        Self::open_as(path, true)
    }

    /// Opens a log that another process may be writing to: what looks torn or open may be on its
    /// way, so nothing is mended on disk.
    pub fn open_shared(path: &Path) -> Result<(Self, LoadedContext), StoreError> {
        Self::open_as(path, false)
    }

    fn open_as(path: &Path, mend: bool) -> Result<(Self, LoadedContext), StoreError> {
        let file = open_log(path).map_err(StoreError::io("open", path))?;
        let (loaded, tail, torn) = load(&file).map_err(StoreError::io("read", path))?;
        let mut log = Self { path: path.to_path_buf(), file, torn: false };
        if !mend {
            return Ok((log, loaded));
        }
        match torn {
            Torn::No => {}
            Torn::Complete => {
                log.file.write_all(b"\n").map_err(StoreError::io("write", path))?;
            }
            Torn::CutAt(length) => {
                log.file.set_len(length).map_err(StoreError::io("repair", path))?;
            }
        }
        let tail: Vec<_> = tail.into_iter().map(ContextRecord::Message).collect();
        log.append(&tail)?;
        Ok((log, loaded))
    }

    /// Appends records with a single write.
    pub fn append(&mut self, records: &[ContextRecord]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        self.follow()?;
        let mut bytes = Vec::new();
        if self.torn {
            bytes.push(b'\n');
        }
        encode(&mut bytes, records).map_err(StoreError::io("write", &self.path))?;
        let written = self.file.write_all(&bytes);
        self.torn = written.is_err();
        written.map_err(StoreError::io("write", &self.path))
    }

    /// Begins a new log with these records; the old one stays as the next free `context_<n>.jsonl`.
    ///
    /// At every moment `context.jsonl` is either the old log or the whole new one.
    pub fn replace(&mut self, records: &[ContextRecord]) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        encode(&mut bytes, records)
            .and_then(|()| self.keep_old())
            .and_then(|()| super::write_atomic(&self.path, &bytes, 0o600))
            .map_err(StoreError::io("rotate", &self.path))?;
        self.file = open_log(&self.path).map_err(StoreError::io("open", &self.path))?;
        self.torn = false;
        Ok(())
    }

    /// The place where the log ends now.
    pub fn mark(&mut self) -> Result<ContextMark, StoreError> {
        self.follow()?;
        let length = self.file.metadata().map_err(StoreError::io("read", &self.path))?.len();
        mark_at(&self.file, length).map_err(StoreError::io("read", &self.path))
    }

    /// Whether the mark can be returned to.
    pub fn has(&self, mark: &ContextMark) -> Result<bool, StoreError> {
        let found = find_mark(&self.path, mark).map_err(StoreError::io("read", &self.path))?;
        Ok(found.is_some())
    }

    /// Makes the log end at a mark again, byte for byte, and reads it; the log as it was stays as the
    /// next free `context_<n>.jsonl`. The mark may be in a log that was replaced since. `None` when
    /// it is in none of them: nothing is changed then.
    pub fn return_to(&mut self, mark: &ContextMark) -> Result<Option<LoadedContext>, StoreError> {
        let io = |error| StoreError::io("rotate", &self.path)(error);
        let Some(bytes) = find_mark(&self.path, mark).map_err(io)? else { return Ok(None) };
        self.keep_old()
            .and_then(|()| super::write_atomic(&self.path, &bytes, 0o600))
            .map_err(StoreError::io("rotate", &self.path))?;
        let (log, loaded) = Self::open(&self.path)?;
        *self = log;
        Ok(Some(loaded))
    }

    /// Another process may have put a new log in this one's place; records go there then.
    fn follow(&mut self) -> Result<(), StoreError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let here = self.file.metadata().map_err(StoreError::io("read", &self.path))?.ino();
            let there = fs::metadata(&self.path).map(|metadata| metadata.ino()).ok();
            if there != Some(here) {
                self.file = open_log(&self.path).map_err(StoreError::io("open", &self.path))?;
                self.torn = false;
            }
        }
        Ok(())
    }

    /// Begins a new, empty log; see [`ContextLog::replace`].
    pub fn rotate(&mut self) -> Result<(), StoreError> {
        self.replace(&[])
    }

    /// Waits until everything is on the disk itself.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(StoreError::io("sync", &self.path))
    }

    /// Gives the log a second name. Linking fails when the name is taken, also by another process
    /// at the same moment; file systems without links get a copy.
    fn keep_old(&self) -> io::Result<()> {
        let mut n = 1u32;
        loop {
            let kept = self.path.with_file_name(format!("context_{n}.jsonl"));
            match fs::hard_link(&self.path, &kept) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) if !kept.exists() => return fs::copy(&self.path, &kept).map(|_| ()),
                Err(_) => {}
            }
            n = n.checked_add(1).ok_or(io::ErrorKind::AlreadyExists)?;
        }
    }
}

fn mark_at(mut file: &File, length: u64) -> io::Result<ContextMark> {
    let start = length.saturating_sub(MARK_TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(length - start).read_to_end(&mut tail)?;
    Ok(ContextMark { length, tail: format!("{:x}", Sha256::digest(&tail)) })
}

/// What is before a mark, looked for in the log and then in the replaced ones beside it, the newest
/// first.
fn find_mark(path: &Path, mark: &ContextMark) -> io::Result<Option<Vec<u8>>> {
    let mut kept: Vec<u32> = fs::read_dir(path.parent().unwrap_or(Path::new(".")))?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix("context_")?.strip_suffix(".jsonl")?.parse().ok()
        })
        .collect();
    kept.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
    let kept = kept.into_iter().map(|n| path.with_file_name(format!("context_{n}.jsonl")));
    for candidate in std::iter::once(path.to_path_buf()).chain(kept) {
        let Some(file) = super::lines::open_regular(&candidate)? else { continue };
        if file.metadata()?.len() < mark.length || mark_at(&file, mark.length)? != *mark {
            continue;
        }
        let mut bytes = Vec::new();
        (&file).seek(SeekFrom::Start(0))?;
        file.take(mark.length).read_to_end(&mut bytes)?;
        return Ok(Some(bytes));
    }
    Ok(None)
}

fn encode(out: &mut Vec<u8>, records: &[ContextRecord]) -> io::Result<()> {
    for record in records {
        match record {
            ContextRecord::SystemPrompt(text) => {
                write!(out, r#"{{"role": "_system_prompt", "content": {}}}"#, ascii_string(text))?;
            }
            ContextRecord::Checkpoint(id) => {
                write!(out, r#"{{"role": "_checkpoint", "id": {id}}}"#)?;
            }
            ContextRecord::Usage(count) => {
                write!(out, r#"{{"role": "_usage", "token_count": {count}}}"#)?;
            }
            ContextRecord::Message(message) => serde_json::to_writer(&mut *out, message)?,
        }
        out.push(b'\n');
    }
    Ok(())
}

/// The state of the last line.
enum Torn {
    No,
    /// A whole record without a newline.
    Complete,
    /// Half a record; the file ends well at this length.
    CutAt(u64),
}

/// Reads everything. Also returns the results that open calls at the end have to get.
fn load(file: &File) -> io::Result<(LoadedContext, Vec<Message>, Torn)> {
    let mut loaded = LoadedContext::default();
    let mut pairing = Pairing::default();
    let mut torn = Torn::No;
    let mut skipped = Skipped::default();
    let mut pending_chars = 0u64;
    let mut number = 0u64;
    let mut reader = LineReader::new(file);
    while let Some(line) = reader.next_line()? {
        number += 1;
        let bytes = line.bytes.trim_ascii();
        if bytes.is_empty() && !line.oversized {
            if !line.terminated {
                torn = Torn::CutAt(line.start);
            }
            continue;
        }
        let record = if line.oversized { Err(false) } else { parse(bytes) };
        if !line.terminated {
            let is_json = !matches!(record, Err(false));
            torn = if is_json { Torn::Complete } else { Torn::CutAt(line.start) };
            if !is_json {
                loaded
                    .warnings
                    .push(format!("line {number} was cut off in writing and is dropped"));
                break;
            }
        }
        match record {
            Err(_) => skipped.add(number),
            Ok(ContextRecord::SystemPrompt(text)) => {
                loaded.system_prompt.get_or_insert(text);
            }
            Ok(ContextRecord::Checkpoint(id)) => loaded.next_checkpoint = id.saturating_add(1),
            Ok(ContextRecord::Usage(count)) => {
                loaded.token_count = count;
                pending_chars = 0;
            }
            Ok(ContextRecord::Message(message)) => {
                pending_chars += text_chars(&message);
                pairing.push(message);
            }
        }
    }
    skipped.report(&mut loaded.warnings);
    for (count, what) in [
        (pairing.orphans, "tool results without a call were left out"),
        (pairing.filled, "interrupted tool calls were given a result"),
    ] {
        if count > 0 {
            loaded.warnings.push(format!("{count} {what}"));
        }
    }
    let (messages, tail) = pairing.finish();
    pending_chars += tail.iter().map(text_chars).sum::<u64>();
    loaded.messages = messages;
    loaded.pending_text_tokens = pending_chars / 4;
    Ok((loaded, tail, torn))
}

fn text_chars(message: &Message) -> u64 {
    message
        .content
        .iter()
        .filter_map(crate::protocol::ContentPart::as_text)
        .map(|text| text.chars().count() as u64)
        .sum()
}

/// Reads one line. The error tells whether it is JSON at all.
fn parse(bytes: &[u8]) -> Result<ContextRecord, bool> {
    // Nearly all of a large log are messages in this spelling; they are read in one pass.
    if bytes.starts_with(br#"{"role":""#)
        && !bytes.starts_with(br#"{"role":"_"#)
        && let Ok(message) = serde_json::from_slice(bytes)
    {
        return Ok(ContextRecord::Message(message));
    }
    let value: Value = serde_json::from_slice(bytes)
        .or_else(|_| serde_json::from_str(&String::from_utf8_lossy(bytes)))
        .map_err(|_| false)?;
    let number = |key: &str| value.get(key).and_then(Value::as_u64).ok_or(true);
    match value.get("role").and_then(Value::as_str).ok_or(true)? {
        "_system_prompt" => {
            let text = value.get("content").and_then(Value::as_str).ok_or(true)?;
            Ok(ContextRecord::SystemPrompt(text.to_owned()))
        }
        "_checkpoint" => number("id").map(ContextRecord::Checkpoint),
        "_usage" => number("token_count").map(ContextRecord::Usage),
        _ => Message::deserialize(&value).map(ContextRecord::Message).map_err(|_| true),
    }
}

/// Lines that could not be read: the first one by number, the rest counted.
#[derive(Default)]
struct Skipped {
    first: u64,
    count: u64,
}

impl Skipped {
    fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }

    fn report(&self, warnings: &mut Vec<String>) {
        match self.count {
            0 => {}
            1 => warnings.push(format!("line {} cannot be read and is skipped", self.first)),
            n => warnings.push(format!(
                "{n} lines, from line {} on, cannot be read and are skipped",
                self.first
            )),
        }
    }
}

#[cfg(test)]
mod tests;
