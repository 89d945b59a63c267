//! What a person typed before, per work directory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::lines::{is_torn, open_log, open_regular};

/// Entries that are kept in memory.
const MAX_ENTRIES: usize = 1000;
/// Bytes at the end of the file that are looked at.
const TAIL: u64 = 4 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Entry {
    content: String,
}

/// The input history file, `user-history/<hash>.jsonl`: one `{"content":"..."}` per line.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    last: Option<String>,
}

impl History {
    /// Opens a history and returns its last entries, oldest first (at most 1000). Lines that cannot
    /// be read are skipped; a file that cannot be read is an empty history.
    pub fn load(path: &Path) -> (Self, Vec<String>) {
        let entries = read_tail(path).unwrap_or_default();
        (Self { path: path.to_path_buf(), last: entries.last().cloned() }, entries)
    }

    /// Adds an entry to the file, unless it is blank or the same as the one before. Returns whether
    /// it was added.
    pub fn append(&mut self, text: &str) -> Result<bool, StoreError> {
        if text.trim().is_empty() || self.last.as_deref() == Some(text) {
            return Ok(false);
        }
        let write = || -> io::Result<()> {
            let mut file = open_log(&self.path)?;
            let mut line = Vec::with_capacity(text.len() + 16);
            if is_torn(&mut file)? {
                line.push(b'\n');
            }
            serde_json::to_writer(&mut line, &Entry { content: text.to_owned() })?;
            line.push(b'\n');
            file.write_all(&line)
        };
        write().map_err(StoreError::io("write", &self.path))?;
        self.last = Some(text.to_owned());
        Ok(true)
    }
}

fn read_tail(path: &Path) -> io::Result<Vec<String>> {
    let Some(mut file) = open_regular(path)? else { return Ok(Vec::new()) };
    let size = file.metadata()?.len();
    let start = size.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    File::take(file, TAIL).read_to_end(&mut bytes)?;
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    if start > 0 && !lines.is_empty() {
        // Most likely the rest of a line that began before.
        lines.remove(0);
    }
    let mut entries: Vec<String> = lines
        .iter()
        .rev()
        .filter_map(|line| serde_json::from_slice::<Entry>(line).ok())
        .map(|entry| entry.content)
        .filter(|text| !text.trim().is_empty())
        .take(MAX_ENTRIES)
        .collect();
    entries.reverse();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn entries_come_back_without_repeats() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("user-history/h.jsonl");
        let (mut history, entries) = History::load(&path);
        assert!(entries.is_empty());
        assert!(history.append("one\n\"two\"").unwrap());
        assert!(!history.append("one\n\"two\"").unwrap());
        assert!(!history.append("  ").unwrap());
        let (mut history, entries) = History::load(&path);
        assert_eq!(entries, ["one\n\"two\""]);
        assert!(!history.append("one\n\"two\"").unwrap());
        assert!(history.append("é").unwrap());
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"content\":\"one\\n\\\"two\\\"\"}\n{\"content\":\"é\"}\n"
        );
    }

    #[test]
    fn bad_and_torn_lines_are_stepped_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.jsonl");
        fs::write(&path, b"\xff\xfe\n{\"content\":\"a\"}\n[]\n{\"content\":\"b").unwrap();
        let (mut history, entries) = History::load(&path);
        assert_eq!(entries, ["a"]);
        history.append("c").unwrap();
        assert_eq!(History::load(&path).1, ["a", "c"]);
    }

    #[test]
    fn a_huge_history_is_read_from_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.jsonl");
        let mut text = String::new();
        for n in 0..3000 {
            text.push_str(&format!("{{\"content\":\"{n} {}\"}}\n", "x".repeat(2000)));
        }
        fs::write(&path, text).unwrap();
        let (_, entries) = History::load(&path);
        assert_eq!(entries.len(), 1000);
        assert!(entries[0].starts_with("2000 ") && entries[999].starts_with("2999 "));
    }

    #[test]
    fn a_directory_is_an_empty_history_that_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let (mut history, entries) = History::load(dir.path());
        assert!(entries.is_empty());
        assert!(history.append("x").is_err());
    }
}
