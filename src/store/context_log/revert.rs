//! Going back to a checkpoint of the log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::{
    ContextLog, ContextRecord, LineReader, LoadedContext, StoreError, load, open_log, parse,
};

/// Bytes that the record of a checkpoint has at most, however another program spells it.
const MAX_RECORD: usize = 256;

impl ContextLog {
    /// Begins a new log with what stood before the checkpoint, byte for byte, and reads it. The old
    /// log stays as the next free `context_<n>.jsonl` (agent-loop.md section 7). Of two checkpoints
    /// with that number, which programs that write to one session leave, the later one counts.
    pub fn revert(&mut self, checkpoint: u64) -> Result<LoadedContext, StoreError> {
        self.follow()?;
        let old = before(&self.file, checkpoint).map_err(StoreError::io("read", &self.path))?;
        self.keep_old()
            .and_then(|()| super::super::write_atomic(&self.path, &old, 0o600))
            .map_err(StoreError::io("rotate", &self.path))?;
        self.file = open_log(&self.path).map_err(StoreError::io("open", &self.path))?;
        self.torn = false;
        let (loaded, tail, _) = load(&self.file).map_err(StoreError::io("read", &self.path))?;
        let tail: Vec<_> = tail.into_iter().map(ContextRecord::Message).collect();
        self.append(&tail)?;
        Ok(loaded)
    }
}

/// The bytes before the record of the checkpoint.
fn before(mut file: &File, checkpoint: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut place = None;
    let mut lines = LineReader::new(file);
    while let Some(line) = lines.next_line()? {
        if line.bytes.len() <= MAX_RECORD
            && parse(line.bytes.trim_ascii()) == Ok(ContextRecord::Checkpoint(checkpoint))
        {
            place = Some(line.start);
        }
    }
    let Some(place) = place else {
        return Err(io::Error::other(format!("it has no checkpoint {checkpoint}")));
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(place).read_to_end(&mut bytes)?;
    Ok(bytes)
}
