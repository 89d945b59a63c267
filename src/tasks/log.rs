//! The log of what a task writes: bounded, with the beginning and the end kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::platform::process;

/// How much of a log is kept, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// A log that grows beyond this is cut.
    pub most: u64,
    /// What stays of its beginning.
    pub head: u64,
    /// What stays of its end.
    pub tail: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { most: 16 << 20, head: 1 << 20, tail: 8 << 20 }
    }
}

/// What says in a log that its middle is gone.
const CUT: &str = " bytes left out: of a long output the log keeps the beginning and the end ...]";

/// How that line begins.
const CUT_BEGINS: &str = "[... ";
/// The most by which the kept beginning is shorter than it may be so that its last line is whole: who
/// looks for the line that follows it need not look elsewhere.
const WHOLE_LINE: u64 = 4 << 10;
/// No such line is longer.
const LONGEST_CUT: u64 = 256;

/// Whether the middle of a log was left out. Only one that is longer than what is kept of an end was
/// ever cut: shorter ones are not looked at.
pub(super) fn is_cut(path: &Path) -> bool {
    let look = || -> io::Result<bool> {
        let mut log = File::open(path)?;
        Ok(log.metadata()?.len() >= Bounds::default().tail && tells_of_a_cut(&mut log)?)
    };
    look().unwrap_or(false)
}

/// Whether the line that says so is where the kept beginning ends.
fn tells_of_a_cut(log: &mut (impl Read + Seek)) -> io::Result<bool> {
    log.seek(SeekFrom::Start(Bounds::default().head - WHOLE_LINE))?;
    let mut around = Vec::new();
    log.take(WHOLE_LINE + LONGEST_CUT).read_to_end(&mut around)?;
    let says_so =
        |line: &[u8]| line.starts_with(CUT_BEGINS.as_bytes()) && line.ends_with(CUT.as_bytes());
    Ok(around.split(|byte| *byte == b'\n').any(says_so))
}

/// A log that one runner writes. When the disk takes no more, what comes is thrown away: the task
/// goes on.
pub(super) struct Log {
    path: PathBuf,
    bounds: Bounds,
    file: Option<File>,
    size: u64,
    /// Where the kept beginning ends, once something was left out.
    head: Option<u64>,
    /// All that was ever written.
    written: u64,
}

impl Log {
    /// Opens the log, made if it is not there.
    pub fn open(path: &Path, bounds: Bounds) -> io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_path_buf(),
            bounds,
            file: Some(file),
            size,
            head: None,
            written: size,
        })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        // A piece never fills the room that a cut makes.
        let most = usize::try_from(self.bounds.tail / 2).unwrap_or(usize::MAX).max(1);
        bytes.chunks(most).for_each(|piece| self.write_piece(piece));
    }

    fn write_piece(&mut self, bytes: &[u8]) {
        if self.size + bytes.len() as u64 > self.bounds.most
            && let Err(error) = self.cut()
        {
            tracing::warn!(%error, "the log of a task cannot be shortened");
            self.file = None;
        }
        let Some(file) = &mut self.file else { return };
        match file.write_all(bytes) {
            Ok(()) => {
                self.size += bytes.len() as u64;
                self.written += bytes.len() as u64;
            }
            Err(error) => {
                tracing::warn!(%error, "the log of a task cannot be written");
                self.file = None;
            }
        }
    }

    /// Leaves the middle out. Readers see the old or the new log.
    fn cut(&mut self) -> io::Result<()> {
        self.file = None;
        let mut old = File::open(&self.path)?;
        let mut head = Vec::new();
        let kept = self.head.unwrap_or(self.bounds.head);
        (&mut old).take(kept).read_to_end(&mut head)?;
        if self.head.is_none() {
            // A line is kept whole unless it is too long for that.
            let from = head.len().saturating_sub(WHOLE_LINE as usize);
            let end = head.iter().skip(from).rposition(|byte| *byte == b'\n');
            head.truncate(end.map_or(head.len(), |at| from + at + 1));
        }
        let from = self.size.saturating_sub(self.bounds.tail).max(head.len() as u64);
        old.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        (&mut old).take(self.bounds.tail).read_to_end(&mut tail)?;
        // As of the beginning.
        let mut whole = tail.iter().take(WHOLE_LINE as usize);
        let line = whole.position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let tail = tail.get(line..).unwrap_or_default();
        let left_out = self.written.saturating_sub((head.len() + tail.len()) as u64);
        let ends = if head.last().is_none_or(|byte| *byte == b'\n') { "" } else { "\n" };
        let mark = format!("{ends}{CUT_BEGINS}{left_out}{CUT}\n");
        self.head = Some(head.len() as u64);
        let beside = self.path.with_extension("log.tmp");
        let _ = fs::remove_file(&beside);
        let mut file = open(&beside)?;
        for part in [head.as_slice(), mark.as_bytes(), tail] {
            file.write_all(part)?;
        }
        fs::rename(&beside, &self.path)?;
        self.size = (head.len() + mark.len() + tail.len()) as u64;
        self.file = Some(file);
        Ok(())
    }
}

impl process::Output for Log {
    fn bytes(&mut self, bytes: &[u8]) {
        self.write(bytes);
    }

    fn pause(&mut self) {}
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The last bytes of a log, from the start of a line if there is one, and the size of the log.
pub(super) fn tail(path: &Path, most: u64) -> io::Result<(String, u64, bool)> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(error),
    };
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let size = meta.len();
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok((clipped(&bytes, size > most), size, size > most))
}

/// Bytes from the middle of a text: from the start of a line if there is one, of a character if not.
fn clipped(bytes: &[u8], from_the_middle: bool) -> String {
    let start = if from_the_middle {
        let line = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        line.filter(|at| *at < bytes.len())
            .or_else(|| bytes.iter().position(|byte| byte & 0xC0 != 0x80))
            .unwrap_or_default()
    } else {
        0
    };
    String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_keeps_its_beginning_and_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let bounds = Bounds { most: 2_000, head: 200, tail: 800 };
        let mut log = Log::open(&path, bounds).unwrap();
        let mut written = 0u64;
        for n in 0..10_000 {
            let line = format!("line {n}\n");
            written += line.len() as u64;
            log.write(line.as_bytes());
            assert!(fs::metadata(&path).unwrap().len() <= 2_000);
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("line 9999\n"), "{text}");
        let marks: Vec<&str> = text.lines().filter(|line| line.starts_with("[...")).collect();
        assert_eq!(marks.len(), 1, "{text}");
        let said: u64 = marks[0].split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(said, written - (text.len() - marks[0].len() - 1) as u64);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_flood_in_one_line_is_bounded_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut log = Log::open(&path, Bounds { most: 2_000, head: 200, tail: 800 }).unwrap();
        for _ in 0..100 {
            log.write(&[b'x'; 700]);
            log.write(&[b'y'; 5_000]);
            assert!(fs::metadata(&path).unwrap().len() <= 2_100);
        }
    }

    #[test]
    fn the_end_is_read_from_the_start_of_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        assert_eq!(tail(&path, 10).unwrap(), (String::new(), 0, false));
        fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&path, 100).unwrap(), ("one\ntwo\nthree\n".to_owned(), 14, false));
        assert_eq!(tail(&path, 9).unwrap(), ("three\n".to_owned(), 14, true));
        fs::write(&path, "äöü").unwrap();
        assert_eq!(tail(&path, 3).unwrap(), ("ü".to_owned(), 6, true));
        assert!(tail(dir.path(), 3).is_err());
    }

    #[test]
    fn a_log_tells_whether_its_middle_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut log = Log::open(&path, Bounds::default()).unwrap();
        let piece = b"0123456789abcde\n".repeat(64 << 10);
        for n in 1..=20 {
            log.write(&piece);
            assert_eq!(is_cut(&path), n > 16, "{n} MiB");
        }
        assert!(!is_cut(&dir.path().join("none")));
    }

    #[test]
    fn a_cut_in_lines_of_any_length_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for length in [100usize, 4_000, 5_000, 300_000, 5 << 20, 40 << 20] {
            let path = dir.path().join(length.to_string());
            let mut log = Log::open(&path, Bounds::default()).unwrap();
            let line = [vec![b'x'; length], vec![b'\n']].concat();
            for _ in 0..(20 << 20) / length + 1 {
                log.write(&line);
            }
            assert!(is_cut(&path), "{length}");
        }
    }

    #[test]
    fn an_end_without_lines_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut log = Log::open(&path, Bounds::default()).unwrap();
        let progress = b"0123456789abcde\r".repeat(64 << 10);
        (0..15).for_each(|_| log.write(&progress));
        log.write(b"\nDone\n");
        (0..2).for_each(|_| log.write(&progress));
        let left = fs::metadata(&path).unwrap().len();
        assert!(left >= Bounds::default().tail, "{left}");
        assert!(is_cut(&path));
    }

    /// Counts what is read of it.
    struct Counted(io::Cursor<Vec<u8>>, usize);

    impl Read for Counted {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.0.read(into)?;
            self.1 += n;
            Ok(n)
        }
    }

    impl Seek for Counted {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn a_look_reads_a_few_kilobytes() {
        let quoted = format!("somebody wrote:{CUT}\n");
        let long = quoted.repeat((9 << 20) / quoted.len()).into_bytes();
        let mut log = Counted(io::Cursor::new(long), 0);
        assert!(!tells_of_a_cut(&mut log).unwrap(), "words in a line are not that line");
        assert!(log.1 > 0 && log.1 < 8 << 10, "{}", log.1);
    }
}
