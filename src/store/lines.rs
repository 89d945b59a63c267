//! Reading files that others may have torn, blown up or replaced by something else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tracing::warn;

/// Bytes after which a line is given up on. A message with a large image stays below it.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// Opens a file for reading; `None` when there is none. Anything that is not a regular file is an
/// error: opening a named pipe would wait for ever.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => File::open(path).map(Some),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The whole of a regular file of at most `max` bytes; `None` when there is none.
pub(crate) fn read_regular(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "it is too large");
    if file.metadata()?.len() > max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow.
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(too_large());
    }
    Ok(Some(bytes))
}

/// The whole of a regular file of at most `max` bytes, for which there is a substitute when there is none
/// or it cannot be read; the log has why.
pub(crate) fn read_if_any(path: &Path, max: u64) -> Option<Vec<u8>> {
    read_regular(path, max).unwrap_or_else(|error| {
        warn!("{}: {error}", path.display());
        None
    })
}

/// Opens a log for reading and appending, private to the user, with missing parent directories.
pub(super) fn open_log(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Whether the file is not empty and its last line has no end.
pub(super) fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0u8];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Moves a damaged file to the next free `<name>.corrupt-N` beside it.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut n = 1u32;
    loop {
        let aside = path.with_file_name(format!("{name}.corrupt-{n}"));
        if fs::symlink_metadata(&aside).is_err() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
        n = n.checked_add(1).ok_or(io::ErrorKind::AlreadyExists)?;
    }
}

/// One line of a file.
pub(super) struct Line<'a> {
    /// Without its end. Empty when `oversized`.
    pub bytes: &'a [u8],
    /// Where in the file it starts.
    pub start: u64,
    /// Whether a newline ends it; only the last line of a torn file has none.
    pub terminated: bool,
    /// Too long to be held.
    pub oversized: bool,
}

/// Reads lines into one reused buffer.
pub(super) struct LineReader<R> {
    reader: BufReader<R>,
    buffer: Vec<u8>,
    offset: u64,
}

impl<R: Read> LineReader<R> {
    /// Reads from the start of `source`.
    pub fn new(source: R) -> Self {
        Self { reader: BufReader::with_capacity(256 * 1024, source), buffer: Vec::new(), offset: 0 }
    }

    /// The next line; `None` at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let start = self.offset;
        let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.offset += read as u64;
        let mut terminated = self.buffer.last() == Some(&b'\n');
        let oversized = !terminated && read as u64 == MAX_LINE;
        if oversized {
            self.buffer.clear();
            // The rest is skipped piece by piece, which also tells whether it ends at all.
            loop {
                let piece = self.reader.fill_buf()?;
                if piece.is_empty() {
                    break;
                }
                let (used, ended) = match piece.iter().position(|byte| *byte == b'\n') {
                    Some(at) => (at + 1, true),
                    None => (piece.len(), false),
                };
                self.reader.consume(used);
                self.offset += used as u64;
                if ended {
                    terminated = true;
                    break;
                }
            }
        } else if terminated {
            self.buffer.pop();
        }
        Ok(Some(Line { bytes: &self.buffer, start, terminated, oversized }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_lines_their_places_and_the_torn_one() {
        let mut reader = LineReader::new(&b"ab\n\ncd"[..]);
        let mut seen = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            seen.push((line.bytes.to_vec(), line.start, line.terminated));
        }
        assert_eq!(
            seen,
            [(b"ab".to_vec(), 0, true), (b"".to_vec(), 3, true), (b"cd".to_vec(), 4, false)]
        );
    }

    #[test]
    fn an_endless_line_is_skipped_not_held() {
        let source = io::repeat(b'x').take(MAX_LINE + 10).chain(&b"\nnext\n"[..]);
        let mut reader = LineReader::new(source);
        let first = reader.next_line().unwrap().unwrap();
        assert!(first.oversized && first.terminated && first.bytes.is_empty());
        let second = reader.next_line().unwrap().unwrap();
        assert_eq!((second.bytes, second.start), (&b"next"[..], MAX_LINE + 11));
        assert!(reader.next_line().unwrap().is_none());
    }

    #[test]
    fn only_regular_files_of_a_sane_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_regular(dir.path(), 10).is_err());
        assert!(read_regular(&dir.path().join("none"), 10).unwrap().is_none());
        let path = dir.path().join("f");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_regular(&path, 5).unwrap().unwrap(), b"12345");
        assert!(read_regular(&path, 4).is_err());
    }
}
