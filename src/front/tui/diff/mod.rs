//! File changes as rows: a header for each file, numbered lines with `+` and `-`.
//!
//! The marks carry the meaning; colours only repeat it. Nothing has a background but changed words.

mod hunk;
mod words;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::highlight::Highlighter;
use super::theme::{Theme, Tone};
use crate::front::text::{
    defuse_line, trim_end, truncate_middle, visible, visible_line, width, wrap_line,
};
use crate::protocol::DisplayBlock;
use hunk::{Change, Entry, entries};

/// Hunks with more lines have no syntax colours.
const MAX_HIGHLIGHTED: usize = 1_000;

/// A comparison gives up precision after this long.
const PATIENCE: Duration = Duration::from_millis(50);

/// The hunks of one file.
struct FileChange<'a> {
    path: &'a str,
    hunks: Vec<Vec<Entry>>,
    /// What summaries say instead of hunks.
    notes: Vec<String>,
}

/// The diff blocks of `blocks` as rows of at most `columns`, paths relative to `work_dir`; other blocks
/// are passed over.
///
/// Blocks of one file stand under one header `path +added -removed`. With `max_rows`, lines without a
/// change are left out when there is no room for all, and what does not fit is counted in a last
/// row `… N more lines`, which is there even when `max_rows` is 0. Lines wrap.
pub fn render_hunks(
    work_dir: Option<&Path>,
    blocks: &[DisplayBlock],
    columns: usize,
    max_rows: Option<usize>,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let files = files(blocks);
    let lines: usize = files.iter().map(FileChange::lines).sum();
    let sheet =
        Sheet { columns, theme, work_dir, changes_only: max_rows.is_some_and(|max| lines > max) };
    // One row is kept for the count of what is left out.
    let limit = max_rows.unwrap_or(usize::MAX).max(1);
    let mut rows = Vec::new();
    let mut left = 0;
    for file in &files {
        sheet.file(file, limit, &mut rows, &mut left);
    }
    if rows.len() > limit || left > 0 {
        let keep = limit.saturating_sub(1);
        left += rows.len().saturating_sub(keep);
        rows.truncate(keep);
        let noun = if left == 1 { "line" } else { "lines" };
        let text = format!("… {left} more {noun}");
        rows.push(Line::from(Span::styled(text, theme.style(Tone::Dim))));
    }
    rows
}

/// Lines added and removed by the diff blocks of `blocks`.
pub fn count_changes(blocks: &[DisplayBlock]) -> (usize, usize) {
    files(blocks).iter().map(FileChange::counts).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

/// The diff blocks by file, in the order in which the files first appear.
fn files(blocks: &[DisplayBlock]) -> Vec<FileChange<'_>> {
    let mut files: Vec<FileChange<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for block in blocks {
        let DisplayBlock::Diff { path, old_text, new_text, old_start, new_start, is_summary } =
            block
        else {
            continue;
        };
        let at = *places.entry(path.as_str()).or_insert(files.len());
        if at == files.len() {
            files.push(FileChange { path, hunks: Vec::new(), notes: Vec::new() });
        }
        let Some(file) = files.get_mut(at) else { continue };
        if *is_summary {
            let parts = [visible_line(old_text), visible_line(new_text)];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            file.notes.push(parts.join(" → "));
        } else {
            file.hunks.push(entries(old_text, new_text, *old_start, *new_start));
        }
    }
    files
}

impl FileChange<'_> {
    fn counts(&self) -> (usize, usize) {
        let count = |change: Change| {
            self.hunks.iter().flatten().filter(|entry| entry.change == change).count()
        };
        (count(Change::Added), count(Change::Removed))
    }

    /// Rows that the file takes when no line wraps.
    fn lines(&self) -> usize {
        let between = self.hunks.len().saturating_sub(1);
        1 + self.notes.len() + between + self.hunks.iter().map(Vec::len).sum::<usize>()
    }
}

/// How the rows are made.
struct Sheet<'a> {
    columns: usize,
    theme: &'a Theme,
    work_dir: Option<&'a Path>,
    changes_only: bool,
}

impl Sheet<'_> {
    /// The rows of a file; lines after more than `limit` rows are only counted in `left`.
    fn file(
        &self,
        file: &FileChange<'_>,
        limit: usize,
        rows: &mut Vec<Line<'static>>,
        left: &mut usize,
    ) {
        if rows.len() > limit {
            *left += file.lines();
            return;
        }
        rows.push(self.header(file));
        for note in &file.notes {
            let line = Line::from(Span::styled(note.clone(), self.theme.style(Tone::Dim)));
            rows.extend(wrap_line(&line, self.columns, 2).into_iter().map(defuse_line));
        }
        if !file.hunks.is_empty() && file.notes.is_empty() && file.counts() == (0, 0) {
            let text = truncate_middle("no change to the content", self.columns);
            rows.push(Line::from(Span::styled(text, self.theme.style(Tone::Dim))));
            return;
        }
        let largest = file.hunks.iter().flatten().map(|entry| entry.number).max().unwrap_or(1);
        let gutter = largest.to_string().len();
        for (index, hunk) in file.hunks.iter().enumerate() {
            if index > 0 && !self.changes_only {
                rows.push(self.gap(gutter));
            }
            let language =
                if hunk.len() > MAX_HIGHLIGHTED || self.changes_only { "" } else { file.path };
            let mut code = Highlighter::for_path(language, self.theme);
            for entry in hunk {
                let plain = matches!(entry.change, Change::Same | Change::Gap);
                if self.changes_only && plain {
                    continue;
                }
                if rows.len() > limit {
                    *left += 1;
                } else {
                    self.entry(entry, gutter, &mut code, rows);
                }
            }
        }
    }

    fn header(&self, file: &FileChange<'_>) -> Line<'static> {
        let path = Path::new(file.path);
        let path = self.work_dir.and_then(|dir| path.strip_prefix(dir).ok()).unwrap_or(path);
        let path = visible(&path.to_string_lossy()).replace('\n', "^J");
        let (added, removed) = file.counts();
        let mut spans = Vec::new();
        if !file.hunks.is_empty() {
            spans.push(Span::styled(format!(" +{added}"), self.theme.style(Tone::DiffAdded)));
            spans.push(Span::styled(format!(" -{removed}"), self.theme.style(Tone::DiffRemoved)));
        }
        let counts: usize = spans.iter().map(|span| width(&span.content)).sum();
        if counts >= self.columns {
            spans.clear();
        }
        let room = if spans.is_empty() { self.columns } else { self.columns - counts };
        spans.insert(0, Span::styled(truncate_middle(&path, room), self.theme.style(Tone::Strong)));
        defuse_line(Line::from(spans))
    }

    fn gap(&self, gutter: usize) -> Line<'static> {
        let text = truncate_middle(&format!("{:>gutter$}", "⋮"), self.columns);
        Line::from(Span::styled(text, self.theme.style(Tone::LineNumber)))
    }

    /// The rows of one line: number, mark, text; a wrapped line keeps its text in one column.
    fn entry(
        &self,
        entry: &Entry,
        gutter: usize,
        code: &mut Highlighter,
        rows: &mut Vec<Line<'static>>,
    ) {
        let (mark, tone, word) = match entry.change {
            Change::Gap => {
                rows.push(self.gap(gutter));
                return;
            }
            Change::Same => (' ', Tone::CodeBlock, Tone::CodeBlock),
            Change::Added => ('+', Tone::DiffAdded, Tone::DiffAddedWord),
            Change::Removed => ('-', Tone::DiffRemoved, Tone::DiffRemovedWord),
        };
        let style = self.theme.style(tone);
        let spans = match entry.change {
            Change::Same => code.line(&entry.text),
            change => {
                if change == Change::Added {
                    // The colours of the lines below depend on this one.
                    code.line(&entry.text);
                }
                marked(entry, style, self.theme.style(word))
            }
        };
        let front = gutter + 3;
        // Where the numbers would leave no room, the mark alone stays.
        let number = front + 8 <= self.columns;
        let front = if number { front } else { 2 };
        let line = Line::from(spans);
        let wrapped = wrap_line(&line, self.columns.saturating_sub(front).max(1), 0);
        for (index, row) in wrapped.into_iter().enumerate() {
            let mut spans = Vec::new();
            if number {
                let text = match index {
                    0 => format!("{:>gutter$} ", entry.number),
                    _ => " ".repeat(gutter + 1),
                };
                spans.push(Span::styled(text, self.theme.style(Tone::LineNumber)));
            }
            if row.spans.is_empty() {
                spans.push(Span::styled(mark.to_string(), style));
            } else {
                let text = if index == 0 { format!("{mark} ") } else { "  ".to_owned() };
                spans.push(Span::styled(text, style));
                spans.extend(row.spans);
            }
            rows.push(defuse_line(trim_end(Line::from(spans))));
        }
    }
}

/// The text of a changed line, its changed words in a style of their own.
fn marked(entry: &Entry, style: Style, word: Style) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut from = 0;
    for range in &entry.words {
        let before = entry.text.get(from..range.start).unwrap_or_default();
        let changed = entry.text.get(range.clone()).unwrap_or_default();
        for (text, style) in [(before, style), (changed, word)] {
            if !text.is_empty() {
                spans.push(Span::styled(text.to_owned(), style));
            }
        }
        from = range.end;
    }
    let rest = entry.text.get(from..).unwrap_or_default();
    if !rest.is_empty() {
        spans.push(Span::styled(rest.to_owned(), style));
    }
    spans
}
