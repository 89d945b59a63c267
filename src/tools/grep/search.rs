//! The search behind `Grep`, on ripgrep's own crates.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkError, SinkMatch,
};
use ignore::overrides::OverrideBuilder;
use ignore::types::TypesBuilder;
use ignore::{WalkBuilder, WalkState};

use crate::permission::Withheld;
use crate::tools::secrets::Secrets;
use crate::tools::walk::{self, Stop};

/// Bytes of matching lines that are kept.
const MAX_KEPT: usize = 20 << 20;
/// Bytes of one line or, in multiline mode, of one file that are held in memory.
const MAX_HEAP: usize = 64 << 20;
/// Bytes of a line that are kept; far more than is shown.
const MAX_LINE: usize = 16 << 10;

/// What to search.
pub struct Query {
    pub pattern: String,
    /// File or directory, links resolved.
    pub root: PathBuf,
    /// What stands for `root` in results.
    pub shown: PathBuf,
    /// The directory that globs are relative to, when the root is inside it.
    pub globs_from: PathBuf,
    pub glob: Option<String>,
    pub file_type: Option<String>,
    pub before: usize,
    pub after: usize,
    pub ignore_case: bool,
    pub multiline: bool,
    pub include_ignored: bool,
    /// Whether the lines are wanted, not just their number.
    pub keep_lines: bool,
    pub secrets: Secrets,
    pub withheld: Withheld,
}

/// A line to show.
pub struct Line {
    pub number: u64,
    pub text: String,
    /// False for context.
    pub is_match: bool,
}

/// The matches in one file.
pub struct FileMatches {
    pub path: String,
    pub modified: Option<SystemTime>,
    /// Matches, of which a line may have several.
    pub count: u64,
    pub lines: Vec<Line>,
}

/// What was found.
#[derive(Default)]
pub struct Found {
    pub files: Vec<FileMatches>,
    /// Files that were left out because they may hold secrets.
    pub sensitive: Vec<String>,
    /// How many files were not looked into because of a permission rule, whatever is in them.
    pub withheld: usize,
    pub timed_out: bool,
    /// Stopped because there was too much.
    pub full: bool,
}

impl Found {
    /// Puts what came in any order into that of the paths.
    pub fn sort(&mut self) {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.sensitive.sort();
    }
}

/// The kernel's file systems: reading some of their files waits for ever, or takes away what
/// another program waits for.
const KERNEL: [&str; 2] = ["/proc", "/sys"];

fn is_kernel_s(path: &Path) -> bool {
    KERNEL.iter().any(|place| path.starts_with(place))
}

/// Searches; what it finds is in `found` at once, so that it counts even if the search never comes
/// back. The error is a sentence for the model.
pub fn search(query: &Query, stop: &Stop, found: &Mutex<Found>) -> Result<(), String> {
    let matcher = compile(query)?;
    let is_file = match std::fs::metadata(&query.root) {
        Ok(metadata) => metadata.is_file(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(format!("`{}` does not exist.", query.root.display()));
        }
        Err(error) => return Err(format!("`{}`: {error}.", query.root.display())),
    };
    if !is_file && is_kernel_s(&query.root) {
        return Err(format!(
            "`{}` belongs to the kernel, and some of its files never end. Search one file of it, or use a Shell command with a timeout.",
            query.root.display()
        ));
    }
    let mut builder = walk::builder(&query.root, query.include_ignored);
    filter(&mut builder, query, is_file)?;
    let full = AtomicBool::new(false);
    let kept = AtomicUsize::new(0);
    builder.build_parallel().run(|| {
        let matcher = matcher.clone();
        let mut searcher = searcher(query);
        let (full, kept) = (&full, &kept);
        Box::new(move |entry| {
            if stop.now() || full.load(Ordering::Relaxed) {
                return WalkState::Quit;
            }
            let Ok(entry) = entry else { return WalkState::Continue };
            if !is_file && is_kernel_s(entry.path()) {
                return WalkState::Skip;
            }
            // A link is not followed, and a pipe would never end.
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                return WalkState::Continue;
            }
            let shown = shown(query, entry.path(), is_file);
            if query.secrets.hold(entry.path()) {
                if let Ok(mut found) = found.lock() {
                    found.sensitive.push(shown);
                }
                return WalkState::Continue;
            }
            if query.withheld.holds(entry.path()) {
                if let Ok(mut found) = found.lock() {
                    found.withheld += 1;
                }
                return WalkState::Continue;
            }
            let Ok(file) = File::open(entry.path()) else { return WalkState::Continue };
            let mut sink = Matches::new(&matcher, query.keep_lines, stop, kept, full);
            // What was found before a read error or the stop is kept.
            let _ = searcher.search_reader(&matcher, Stoppable { inner: file, stop }, &mut sink);
            if sink.count > 0
                && let Ok(mut found) = found.lock()
            {
                let modified = entry.metadata().ok().and_then(|metadata| metadata.modified().ok());
                found.files.push(FileMatches {
                    path: shown,
                    modified,
                    count: sink.count,
                    lines: sink.lines,
                });
            }
            WalkState::Continue
        })
    });
    let mut found = found.lock().map_err(|_| "The search broke down.".to_owned())?;
    found.timed_out = stop.timed_out();
    found.full = full.into_inner();
    Ok(())
}

fn compile(query: &Query) -> Result<RegexMatcher, String> {
    let mut builder = RegexMatcherBuilder::new();
    builder.case_insensitive(query.ignore_case).multi_line(true).unicode(true);
    if query.multiline {
        builder.dot_matches_new_line(true);
    } else {
        builder.line_terminator(Some(b'\n'));
    }
    builder.build(&query.pattern).map_err(|error| {
        let hint = if !query.multiline && query.pattern.contains("\\n") {
            " Set multiline to match across lines."
        } else {
            ""
        };
        format!("`{}` cannot be searched for: {error}.{hint}", query.pattern)
    })
}

fn filter(builder: &mut WalkBuilder, query: &Query, is_file: bool) -> Result<(), String> {
    // A file that is named is searched, whatever the rules say.
    if is_file {
        return Ok(());
    }
    if let Some(glob) = query.glob.as_deref().filter(|glob| !glob.is_empty()) {
        let from = std::fs::canonicalize(&query.globs_from)
            .ok()
            .filter(|from| query.root.starts_with(from))
            .unwrap_or_else(|| query.root.clone());
        let overrides = OverrideBuilder::new(from)
            .add(glob)
            .and_then(|builder| builder.build())
            .map_err(|error| format!("`{glob}` is not a usable glob: {error}."))?;
        builder.overrides(overrides);
    }
    if let Some(name) = query.file_type.as_deref().filter(|name| !name.is_empty()) {
        let types = TypesBuilder::new()
            .add_defaults()
            .select(name)
            .build()
            .map_err(|_| format!("`{name}` is not a known file type. Use glob instead."))?;
        builder.types(types);
    }
    Ok(())
}

fn searcher(query: &Query) -> Searcher {
    let (before, after) = if query.keep_lines { (query.before, query.after) } else { (0, 0) };
    SearcherBuilder::new()
        .line_number(query.keep_lines)
        .before_context(before)
        .after_context(after)
        .multi_line(query.multiline)
        .heap_limit(Some(MAX_HEAP))
        .binary_detection(BinaryDetection::quit(0))
        .build()
}

fn shown(query: &Query, path: &Path, is_file: bool) -> String {
    let shown = if is_file {
        match query.shown.as_os_str().is_empty() {
            true => PathBuf::from(path.file_name().unwrap_or(path.as_os_str())),
            false => query.shown.clone(),
        }
    } else {
        query.shown.join(path.strip_prefix(&query.root).unwrap_or(path))
    };
    shown.to_string_lossy().into_owned()
}

/// Fails to read on once the search has to stop, also in the middle of a huge file.
struct Stoppable<'a> {
    inner: File,
    stop: &'a Stop,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.now() {
            return Err(io::Error::other("stopped"));
        }
        self.inner.read(buffer)
    }
}

struct Matches<'a> {
    matcher: &'a RegexMatcher,
    keep_lines: bool,
    stop: &'a Stop,
    kept: &'a AtomicUsize,
    full: &'a AtomicBool,
    count: u64,
    lines: Vec<Line>,
}

impl<'a> Matches<'a> {
    fn new(
        matcher: &'a RegexMatcher,
        keep_lines: bool,
        stop: &'a Stop,
        kept: &'a AtomicUsize,
        full: &'a AtomicBool,
    ) -> Self {
        Self { matcher, keep_lines, stop, kept, full, count: 0, lines: Vec::new() }
    }

    /// Keeps a line; false when there is no more room.
    fn keep(&mut self, number: u64, line: &[u8], is_match: bool) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.get(..line.len().min(MAX_LINE)).unwrap_or_default();
        let text = String::from_utf8_lossy(line).into_owned();
        let size = text.len() + size_of::<Line>();
        self.lines.push(Line { number, text, is_match });
        if self.kept.fetch_add(size, Ordering::Relaxed) > MAX_KEPT {
            self.full.store(true, Ordering::Relaxed);
        }
        !self.full.load(Ordering::Relaxed)
    }
}

impl Sink for Matches<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        self.matcher
            .find_iter(found.bytes(), |_| {
                self.count += 1;
                true
            })
            .map_err(io::Error::error_message)?;
        if self.keep_lines {
            let first = found.line_number().unwrap_or(1);
            for (number, line) in (first..).zip(found.lines()) {
                if !self.keep(number, line, true) {
                    return Ok(false);
                }
            }
        }
        Ok(!self.stop.now())
    }

    fn context(&mut self, _: &Searcher, found: &SinkContext<'_>) -> Result<bool, io::Error> {
        Ok(self.keep(found.line_number().unwrap_or(1), found.bytes(), false) && !self.stop.now())
    }
}
