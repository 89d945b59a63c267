//! `ReadFile`: a part of a text file, with line numbers.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::blocking::on_file;
use super::file_access::{self, Editor, FileAccess, cancelled};
use super::path_guard::GuardedPath;
use super::sniff::{self, Kind};
use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::llm::Capabilities;
use crate::protocol::ToolReturnValue;

/// Most lines of one call.
const MAX_LINES: usize = 1000;
/// Characters of a line, its end included.
const MAX_LINE: usize = 2000;
/// Bytes of one call, after lines are cut.
const MAX_BYTES: usize = 100 << 10;
/// Bytes that are read on only to count the lines that follow.
const MAX_COUNTED: u64 = 256 << 20;
/// Entries named when a directory is read.
const MAX_ENTRIES: usize = 50;

/// Reads a part of a text file.
pub struct ReadFile {
    files: Arc<FileAccess>,
}

#[derive(Deserialize, Clone, Copy)]
struct Range {
    line_offset: i64,
    n_lines: usize,
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    #[serde(flatten)]
    range: Range,
}

impl ReadFile {
    /// The tool; `files` is shared by the file tools of a session.
    pub fn new(files: Arc<FileAccess>) -> Self {
        Self { files }
    }
}

#[async_trait]
impl Tool for ReadFile {
    fn name(&self) -> &'static str {
        "ReadFile"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/read_file.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("path", schema::string("File to read. Absolute when outside the workspace.")),
                (
                    "line_offset",
                    json!({
                        "type": "integer",
                        "default": 1,
                        "minimum": -1000,
                        "description": "First line, counted from 1; a negative number counts from the end."
                    }),
                ),
                ("n_lines", schema::integer("How many lines.", MAX_LINES as i64, 1)),
            ],
            &["path"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        arguments::with(arguments, async |Arguments { path, range }| {
            if range.line_offset == 0 {
                let why = "`line_offset` must not be 0; lines count from 1";
                return Err(arguments::invalid(why));
            }
            let (cancel, files) = (cx.cancel.clone(), Arc::clone(&self.files));
            let model = cx.llm.as_ref().map(|llm| llm.capabilities).unwrap_or_default();
            let editor = cx.workspace.editor();
            on_file(cx, path, "read", move |target| {
                let value = read(editor.as_deref(), &target, range, model, &cancel);
                if !value.is_error {
                    files.note_seen(&target.real);
                }
                Ok(value.into())
            })
            .await
        })
        .await
    }
}

fn read(
    editor: Option<&dyn Editor>,
    target: &GuardedPath,
    range: Range,
    model: Capabilities,
    cancel: &CancellationToken,
) -> ToolReturnValue {
    let (path, real) = (target.path.as_path(), target.real.as_path());
    let shown = path.display();
    let failed = |error: io::Error| file_access::unread(path, &error);
    let metadata = match file_access::metadata(path, real) {
        Ok(metadata) => metadata,
        Err(why) => return why,
    };
    if metadata.is_dir() {
        return ToolReturnValue::error(
            format!("`{shown}` is a directory. Its entries follow; read one of its files."),
            "Invalid path",
        )
        .with_output(entries(real));
    }
    if !metadata.is_file() {
        return ToolReturnValue::error(format!("`{shown}` is not a regular file."), "Invalid path");
    }
    let mut file = match File::open(real) {
        Ok(file) => file,
        Err(error) => return failed(error),
    };
    let mut header = Vec::new();
    if let Err(error) = file.by_ref().take(sniff::HEADER as u64).read_to_end(&mut header) {
        return failed(error);
    }
    match sniff::sniff(path, &header) {
        Kind::Text => {}
        kind @ (Kind::Image | Kind::Video) => {
            let (kind, takes) = match kind {
                Kind::Image => ("an image", model.image_in),
                _ => ("a video", model.video_in),
            };
            let instead = if takes { " Look at it with ReadMediaFile." } else { "" };
            return ToolReturnValue::error(
                format!("`{shown}` is {kind}; ReadFile reads text files only.{instead}"),
                "Unsupported file type",
            );
        }
        Kind::Unknown => {
            return ToolReturnValue::error(
                format!(
                    "`{shown}` is not a text file. Use a Shell command that understands its format."
                ),
                "File not readable",
            );
        }
    }
    let text: Box<dyn Read> = match editor.and_then(|editor| editor.read(path)) {
        Some(text) => Box::new(io::Cursor::new(text)),
        None => Box::new(io::Cursor::new(header).chain(file)),
    };
    let mut lines = Lines::new(BufReader::with_capacity(64 << 10, text), cancel);
    let found = if range.line_offset > 0 {
        forward(&mut lines, range.line_offset.unsigned_abs() as usize, range.n_lines)
    } else {
        backward(&mut lines, range.line_offset.unsigned_abs() as usize, range.n_lines)
    };
    match found {
        Ok(found) => found.into_result(range.n_lines),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => cancelled(),
        Err(error) => failed(error),
    }
}

fn entries(dir: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .take(10_000)
        .map(|entry| {
            let slash = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort();
    let more = names.len().saturating_sub(MAX_ENTRIES);
    names.truncate(MAX_ENTRIES);
    if more > 0 {
        names.push(format!("... and {more} more"));
    }
    names.join("\n")
}

/// One line as it is shown.
struct Line {
    number: usize,
    /// With its line end, as `\n`.
    text: String,
    cut: bool,
}

struct Found {
    lines: Vec<Line>,
    first: usize,
    total: Total,
    max_lines: bool,
    max_bytes: bool,
}

enum Total {
    Exact(usize),
    AtLeast(usize),
}

impl Found {
    fn into_result(self, n_lines: usize) -> ToolReturnValue {
        let mut message = match self.lines.len() {
            0 => "No lines read from file.".to_owned(),
            count => format!("{count} lines read from file starting from line {}.", self.first),
        };
        match self.total {
            Total::Exact(total) => message.push_str(&format!(" Total lines in file: {total}.")),
            Total::AtLeast(total) => {
                message.push_str(&format!(" Total lines in file: more than {total}."));
            }
        }
        if self.max_lines {
            message.push_str(&format!(" Max {MAX_LINES} lines reached."));
        } else if self.max_bytes {
            message.push_str(&format!(" Max {MAX_BYTES} bytes reached."));
        } else if self.lines.len() < n_lines {
            message.push_str(" End of file reached.");
        }
        let cut: Vec<String> =
            self.lines.iter().filter(|line| line.cut).map(|line| line.number.to_string()).collect();
        if !cut.is_empty() {
            message.push_str(&format!(" Lines [{}] were truncated.", cut.join(", ")));
        }
        let mut output = String::new();
        for line in &self.lines {
            output.push_str(&format!("{:>6}\t{}", line.number, line.text));
        }
        ToolReturnValue::ok(output, message)
    }
}

fn forward<R: BufRead>(lines: &mut Lines<R>, first: usize, n_lines: usize) -> io::Result<Found> {
    let (mut kept, mut bytes) = (Vec::new(), 0);
    let (mut max_lines, mut max_bytes) = (false, false);
    let mut at_end = true;
    while let Some(line) = lines.next(lines.number + 1 >= first)? {
        if line.number < first {
            continue;
        }
        bytes += line.text.len();
        kept.push(line);
        max_lines = kept.len() >= MAX_LINES && n_lines > MAX_LINES;
        max_bytes = bytes >= MAX_BYTES;
        if max_lines || max_bytes || kept.len() >= n_lines.min(MAX_LINES) {
            at_end = false;
            break;
        }
    }
    let total = if at_end { Total::Exact(lines.number) } else { lines.count_rest()? };
    // A limit that fell on the last line cut nothing off.
    if matches!(total, Total::Exact(total) if total == lines.number) && kept.len() < n_lines {
        max_bytes = false;
        max_lines = false;
    }
    Ok(Found { lines: kept, first, total, max_lines, max_bytes })
}

fn backward<R: BufRead>(lines: &mut Lines<R>, last: usize, n_lines: usize) -> io::Result<Found> {
    let mut ring: VecDeque<Line> = VecDeque::with_capacity(last.min(MAX_LINES));
    while let Some(line) = lines.next(true)? {
        if ring.len() == last.min(MAX_LINES) {
            ring.pop_front();
        }
        ring.push_back(line);
    }
    let mut kept: Vec<Line> = ring.into_iter().take(n_lines.min(MAX_LINES)).collect();
    let mut bytes = 0;
    // The newest are the ones that were asked for.
    let fits = kept
        .iter()
        .rev()
        .take_while(|line| {
            bytes += line.text.len();
            bytes <= MAX_BYTES
        })
        .count();
    let max_bytes = fits < kept.len();
    kept.drain(..kept.len() - fits);
    let first = kept.first().map_or(1, |line| line.number);
    Ok(Found { lines: kept, first, total: Total::Exact(lines.number), max_lines: false, max_bytes })
}

/// Splits bytes into lines at `\n`, `\r\n` and `\r`, keeping only so much of a line as is shown.
struct Lines<'a, R> {
    reader: R,
    cancel: &'a CancellationToken,
    /// Lines handed out so far.
    number: usize,
    /// The last byte was a `\r`, so that a `\n` belongs to it.
    after_return: bool,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(reader: R, cancel: &'a CancellationToken) -> Self {
        Self { reader, cancel, number: 0, after_return: false }
    }

    fn fill(&mut self) -> io::Result<&[u8]> {
        if self.cancel.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if std::mem::take(&mut self.after_return) && self.reader.fill_buf()?.first() == Some(&b'\n')
        {
            self.reader.consume(1);
        }
        self.reader.fill_buf()
    }

    /// The next line; without `wanted` its text is left out.
    fn next(&mut self, wanted: bool) -> io::Result<Option<Line>> {
        // Four bytes a character at most, and one more to see that there is more.
        let room = if wanted { 4 * (MAX_LINE + 1) } else { 0 };
        let mut bytes = Vec::new();
        let (mut any, mut ended) = (false, false);
        while !ended {
            let buffer = self.fill()?;
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|&byte| byte == b'\n' || byte == b'\r');
            let body = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let take = body.len().min(room - bytes.len());
            bytes.extend_from_slice(body.get(..take).unwrap_or_default());
            let mut used = body.len();
            if let Some(end) = end {
                self.after_return = buffer.get(end) == Some(&b'\r');
                used += 1;
                ended = true;
            }
            self.reader.consume(used);
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        let room = MAX_LINE - usize::from(ended);
        let cut = text.char_indices().nth(room).is_some();
        if cut && let Some((end, _)) = text.char_indices().nth(room - 3) {
            text.truncate(end);
            text.push_str("...");
        }
        if ended {
            text.push('\n');
        }
        Ok(Some(Line { number: self.number, text, cut }))
    }

    /// Counts on to the end, or until that takes too long.
    fn count_rest(&mut self) -> io::Result<Total> {
        let (mut count, mut seen, mut open) = (self.number, 0, false);
        let mut previous = 0;
        loop {
            let buffer = self.fill()?;
            if buffer.is_empty() {
                return Ok(Total::Exact(count + usize::from(open)));
            }
            for &byte in buffer {
                if byte == b'\r' || (byte == b'\n' && previous != b'\r') {
                    count += 1;
                }
                previous = byte;
            }
            open = !matches!(previous, b'\n' | b'\r');
            let length = buffer.len();
            seen += length as u64;
            self.reader.consume(length);
            if seen > MAX_COUNTED {
                return Ok(Total::AtLeast(count));
            }
        }
    }
}

#[cfg(test)]
mod tests;
