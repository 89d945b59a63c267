//! Limits on what a tool hands to the model: the beginning and the end are kept, the whole goes to
//! a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Ends a line that was cut.
const CUT_MARK: &str = "[...truncated]";
/// Stop writing a spill file here: a runaway command must not fill the disk.
const MAX_SPILL: u64 = 64 << 20;

/// A line is a few bytes; one system call for each would take longer than the command.
const SPILL_BUFFER: usize = 256 << 10;
/// Memory of a line that is worth using again.
const SPARE: usize = 256;

/// Limits of an output, in characters.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The whole output; half is kept from the beginning, half from the end.
    pub total: usize,
    /// One line.
    pub line: usize,
}

impl Default for Limits {
    /// kimi-cli's: 50 000 in all, 2 000 in a line.
    fn default() -> Self {
        Self { total: 50_000, line: 2_000 }
    }
}

/// Collects an output piece by piece in bounded memory.
pub struct Collector {
    limits: Limits,
    decoder: Utf8Decoder,
    /// The line that is being read, up to the limit.
    line: String,
    line_chars: usize,
    line_cut: bool,
    head: String,
    head_chars: usize,
    head_full: bool,
    tail: VecDeque<(String, usize)>,
    tail_chars: usize,
    omitted_lines: usize,
    any_cut: bool,
    spill: Spill,
}

/// A collected output.
#[derive(Debug)]
pub struct Collected {
    pub text: String,
    /// Whether anything is missing from `text`.
    pub cut: bool,
    /// Where the whole output is, when it was cut and could be written.
    pub file: Option<PathBuf>,
    /// The file had to end too.
    file_cut: bool,
}

impl Collected {
    /// The message with a sentence about the cut added, if there was one.
    pub fn message(&self, message: &str) -> String {
        let note = match (&self.file, self.cut) {
            (_, false) => return message.to_owned(),
            (Some(file), true) => format!(
                "Output is truncated to fit; {} is in `{}`, which ReadFile and Grep can read.",
                if self.file_cut { "the first 64 MiB of it" } else { "the whole output" },
                file.display()
            ),
            (None, true) => "Output is truncated to fit.".to_owned(),
        };
        if message.is_empty() { note } else { format!("{message} {note}") }
    }
}

impl Collector {
    /// A collector that writes the whole output to a file of this call in `spill_dir` once it has
    /// to cut.
    pub fn new(limits: Limits, spill_dir: &Path, call_id: &str) -> Self {
        let name: String = call_id
            .chars()
            .take(64)
            .map(|ch| if ch.is_ascii_alphanumeric() || ch == '-' { ch } else { '_' })
            .collect();
        Self {
            limits,
            decoder: Utf8Decoder::default(),
            line: String::new(),
            line_chars: 0,
            line_cut: false,
            head: String::new(),
            head_chars: 0,
            head_full: false,
            tail: VecDeque::new(),
            tail_chars: 0,
            omitted_lines: 0,
            any_cut: false,
            spill: Spill::Unused(spill_dir.join(format!("{name}.txt"))),
        }
    }

    /// Adds bytes; a character may be split between two calls. Returns the text they completed.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> String {
        let text = self.decoder.decode(bytes);
        self.push_str(&text);
        text
    }

    /// Adds text.
    pub fn push_str(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            self.push_piece(piece);
        }
    }

    /// A piece holds at most one line break, at its end.
    fn push_piece(&mut self, piece: &str) {
        let body = piece.strip_suffix('\n').unwrap_or(piece);
        if !self.line_cut {
            let room = self.limits.line.saturating_sub(self.line_chars);
            match body.char_indices().nth(room) {
                None => {
                    self.line_chars += body.chars().count();
                    self.line.push_str(body);
                }
                Some((end, _)) => {
                    self.open_spill();
                    self.line.push_str(body.get(..end).unwrap_or_default());
                    self.line_chars = self.limits.line;
                    self.line_cut = true;
                }
            }
        }
        self.spill.write(piece);
        if body.len() < piece.len() {
            self.end_line(true);
        }
    }

    fn end_line(&mut self, broken: bool) {
        let mut line = std::mem::take(&mut self.line);
        let mut chars = std::mem::take(&mut self.line_chars);
        if std::mem::take(&mut self.line_cut) {
            self.any_cut = true;
            let keep = self.limits.line.saturating_sub(CUT_MARK.len());
            if let Some((end, _)) = line.char_indices().nth(keep) {
                line.truncate(end);
            }
            line.push_str(CUT_MARK);
            chars = keep + CUT_MARK.len();
        }
        if broken {
            line.push('\n');
            chars += 1;
        }
        if !self.head_full && self.head_chars + chars <= self.limits.total / 2 {
            self.head_chars += chars;
            self.head.push_str(&line);
            return;
        }
        self.head_full = true;
        self.tail_chars += chars;
        self.tail.push_back((line, chars));
        let room = self.limits.total.saturating_sub(self.head_chars);
        while self.tail_chars > room && self.tail.len() > 1 {
            self.open_spill();
            if let Some((mut gone, chars)) = self.tail.pop_front() {
                self.tail_chars -= chars;
                self.omitted_lines += 1;
                if gone.capacity() <= SPARE {
                    gone.clear();
                    self.line = gone;
                }
            }
        }
    }

    /// Starts the file with everything collected so far, of which nothing is missing yet.
    fn open_spill(&mut self) {
        if let Spill::Unused(path) = &self.spill {
            self.spill = Spill::open(path.clone());
            self.spill.write(&self.head);
            for (line, _) in &self.tail {
                self.spill.write(line);
            }
            self.spill.write(&self.line);
        }
    }

    /// Everything so far, byte for byte where it is valid UTF-8, also what the model would not get;
    /// up to where the file had to end.
    pub fn so_far(&mut self) -> Vec<u8> {
        let mut bytes = match &mut self.spill {
            Spill::Open { path, file, .. } => {
                let flushed = file.flush();
                flushed.and_then(|()| std::fs::read(path)).unwrap_or_default()
            }
            Spill::Unused(_) | Spill::Failed => {
                let tail = self.tail.iter().map(|(line, _)| line.as_str());
                let parts = std::iter::once(self.head.as_str()).chain(tail);
                parts.chain([self.line.as_str()]).collect::<String>().into_bytes()
            }
        };
        bytes.extend_from_slice(&self.decoder.pending);
        bytes
    }

    /// What was collected.
    pub fn finish(mut self) -> Collected {
        let rest = self.decoder.finish();
        self.push_str(&rest);
        if !self.line.is_empty() || self.line_cut {
            self.end_line(false);
        }
        let mut text = self.head;
        if self.omitted_lines > 0 {
            text.push_str(&format!("[... {} lines left out ...]\n", self.omitted_lines));
        }
        text.extend(self.tail.iter().map(|(line, _)| line.as_str()));
        let (file, file_cut) = match self.spill {
            Spill::Open { path, mut file, left } => {
                (file.flush().is_ok().then_some(path), left == 0)
            }
            Spill::Unused(_) | Spill::Failed => (None, false),
        };
        Collected { text, cut: self.any_cut || self.omitted_lines > 0, file, file_cut }
    }
}

enum Spill {
    Unused(PathBuf),
    Open { path: PathBuf, file: BufWriter<File>, left: u64 },
    Failed,
}

impl Spill {
    fn open(path: PathBuf) -> Self {
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        if made.is_err() {
            return Self::Failed;
        }
        // Some providers count calls from 0 in every answer: an earlier file must stay.
        let names = (1..1000).map(|n| match n {
            1 => path.clone(),
            _ => path.with_extension(format!("{n}.txt")),
        });
        for path in names {
            match create_private(&path) {
                Ok(file) => {
                    let file = BufWriter::with_capacity(SPILL_BUFFER, file);
                    return Self::Open { path, file, left: MAX_SPILL };
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => break,
            }
        }
        Self::Failed
    }

    fn write(&mut self, text: &str) {
        if let Self::Open { file, left, .. } = self {
            let room = usize::try_from(*left).unwrap_or(usize::MAX).min(text.len());
            let bytes = text.as_bytes().get(..room).unwrap_or_default();
            *left -= bytes.len() as u64;
            if !bytes.is_empty() && file.write_all(bytes).is_err() {
                *self = Self::Failed;
            }
        }
    }
}

/// Creates a file that only the user can read: an output may hold anything.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Decodes UTF-8 that comes in pieces; what is invalid becomes U+FFFD.
#[derive(Default)]
pub struct Utf8Decoder {
    pending: Vec<u8>,
}

impl Utf8Decoder {
    /// The text that the bytes complete.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        let joined;
        let bytes = if self.pending.is_empty() {
            bytes
        } else {
            let mut whole = std::mem::take(&mut self.pending);
            whole.extend_from_slice(bytes);
            joined = whole;
            &joined
        };
        let mut out = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            out.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let unfinished = chunks.peek().is_none()
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if unfinished {
                self.pending = invalid.to_vec();
            } else {
                out.push('\u{fffd}');
            }
        }
        out
    }

    /// What is left of an unfinished character.
    pub fn finish(&mut self) -> String {
        if std::mem::take(&mut self.pending).is_empty() {
            String::new()
        } else {
            '\u{fffd}'.to_string()
        }
    }
}

/// The last lines of a text, each cut to a width, for a person.
pub fn last_lines(text: &str, lines: usize, width: usize) -> String {
    let mut last: Vec<String> = text
        .trim_end()
        .rsplit('\n')
        .take(lines)
        .map(|line| line.chars().take(width).collect())
        .collect();
    last.reverse();
    last.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(pieces: &[&[u8]]) -> (Collected, Option<String>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let mut collector =
            Collector::new(Limits::default(), &dir.path().join("spill"), "Shell:0/../x");
        for piece in pieces {
            collector.push_bytes(piece);
        }
        let collected = collector.finish();
        let whole = collected.file.as_ref().map(|file| std::fs::read_to_string(file).unwrap());
        (collected, whole, dir)
    }

    #[test]
    fn what_fits_is_untouched_and_nothing_is_written() {
        let (collected, whole, dir) = collect(&[b"a\nb", b"\nc"]);
        assert_eq!(collected.text, "a\nb\nc");
        assert!(!collected.cut && whole.is_none());
        assert_eq!(collected.message("Done."), "Done.");
        assert!(!dir.path().join("spill").exists());
    }

    #[test]
    fn head_and_tail_are_kept_and_the_whole_is_in_the_file() {
        let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
        let (collected, whole, dir) = collect(&[text.as_bytes()]);
        assert!(collected.text.starts_with("line 0\n"));
        assert!(collected.text.ends_with("line 19999\n"));
        assert!(collected.text.contains(" lines left out ...]\n"));
        assert!(collected.text.chars().count() <= 50_100);
        assert_eq!(whole.unwrap(), text);
        let file = collected.file.clone().unwrap();
        assert_eq!(file.parent().unwrap(), dir.path().join("spill"), "the id cannot lead outside");
        assert!(collected.message("Done.").contains(&file.display().to_string()));
    }

    #[test]
    fn text_after_a_cap_reached_on_a_line_end_is_noticed() {
        let text = "x".repeat(99) + "\n";
        let (collected, whole, _dir) = collect(&[text.repeat(500).as_bytes(), b"more\n"]);
        assert!(collected.cut);
        assert!(collected.text.ends_with("more\n"));
        assert_eq!(whole.unwrap().len(), 50_005);
    }

    #[test]
    fn a_giant_line_is_cut_and_spilled_whole() {
        let giant = "é".repeat(200_000);
        let pieces: Vec<&[u8]> = giant.as_bytes().chunks(4097).collect();
        let (collected, whole, _dir) = collect(&[&[b"first\n".as_slice()], &pieces[..]].concat());
        let line = collected.text.strip_prefix("first\n").unwrap();
        assert!(line.ends_with("é[...truncated]"));
        assert_eq!(line.chars().count(), 2000);
        assert_eq!(whole.unwrap(), format!("first\n{giant}"));
    }

    #[test]
    fn lines_reach_the_file_in_large_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = Collector::new(Limits { total: 4, line: 2 }, dir.path(), "c");
        let on_disk = || std::fs::metadata(dir.path().join("c.txt")).unwrap().len();
        let mut sizes = Vec::new();
        collector.push_str("long line\n");
        for _ in 0..1000 {
            collector.push_str("y\n");
            sizes.push(on_disk());
        }
        sizes.dedup();
        assert!(sizes.len() <= 2, "a write for each line: {sizes:?}");
        collector.finish();
        assert_eq!(on_disk(), 10 + 2000);
    }

    #[test]
    fn a_second_call_of_the_same_id_gets_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = (0..3)
            .map(|n| {
                let mut collector = Collector::new(Limits { total: 4, line: 2 }, dir.path(), "c");
                collector.push_str(&format!("{n} long line"));
                collector.finish().file.unwrap()
            })
            .collect();
        for (n, file) in files.iter().enumerate() {
            assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{n} long line"));
        }
    }

    #[test]
    fn a_spill_directory_that_cannot_be_made_is_survived() {
        let mut collector =
            Collector::new(Limits { total: 4, line: 2 }, Path::new("/dev/null/x"), "c");
        collector.push_str("long line\n");
        let collected = collector.finish();
        assert_eq!((collected.cut, &collected.file), (true, &None));
        assert_eq!(collected.message("Done."), "Done. Output is truncated to fit.");
    }

    #[test]
    fn bytes_are_decoded_across_pieces() {
        let (collected, _, _dir) = collect(&[b"\xe2\x82", b"\xac \xff \xe2", b"\x82"]);
        assert_eq!(collected.text, "€ \u{fffd} \u{fffd}");
    }

    #[test]
    fn last_lines_are_cut() {
        assert_eq!(last_lines("a\nbbb\nccc\n\n", 2, 2), "bb\ncc");
    }

    #[test]
    fn a_cut_line_keeps_its_head_and_its_line_break() {
        let at_limit = "x".repeat(2000);
        let text = format!("first\n{at_limit}\n{at_limit}y\nlast\n");
        let (collected, whole, _dir) = collect(&[text.as_bytes()]);
        let lines: Vec<&str> = collected.text.split('\n').collect();
        assert_eq!((lines[0], lines[1]), ("first", at_limit.as_str()), "what fits is whole");
        assert_eq!(lines[2], format!("{}[...truncated]", "x".repeat(1986)));
        assert_eq!(lines[3..], ["last", ""]);
        assert!(collected.cut && whole.unwrap() == text);
    }

    #[test]
    fn what_reaches_the_cap_to_the_character_is_whole() {
        let fits = format!("{}\n", "é".repeat(99)).repeat(500);
        assert_eq!(fits.chars().count(), 50_000);
        let (collected, whole, _dir) = collect(&[fits.as_bytes()]);
        assert!(!collected.cut && whole.is_none());
        assert_eq!(collected.text, fits);
    }

    #[test]
    fn what_was_cut_is_said_behind_whatever_else_there_is_to_say() {
        let dir = tempfile::tempdir().unwrap();
        let mut collector = Collector::new(Limits { total: 4, line: 2 }, dir.path(), "c");
        collector.push_str("long line\n");
        let collected = collector.finish();
        let note = format!(
            "Output is truncated to fit; the whole output is in `{}`, which ReadFile and Grep can read.",
            dir.path().join("c.txt").display()
        );
        assert_eq!(collected.message(""), note);
        assert_eq!(collected.message("Done."), format!("Done. {note}"));
    }
}
