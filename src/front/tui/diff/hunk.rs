//! What changed between two texts, line by line.

use std::ops::Range;

use similar::DiffOp;

use super::PATIENCE;
use super::words::changed_words;
use crate::front::text::visible_line;
use crate::tools::changes;

/// Lines without a change that are kept beside a change.
const CONTEXT: usize = 3;

/// Larger texts, in lines of both sides, are not compared: all of the old goes, all of the new comes.
const MAX_COMPARED: usize = 4_000;

/// Pairs of lines in one hunk that are compared word by word.
const MAX_PAIRS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Same,
    Added,
    Removed,
    /// Lines without a change that are left out.
    Gap,
}

/// A line of a hunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub change: Change,
    /// Its number in the new text, of a removed line in the old one.
    pub number: u64,
    /// Cleaned, without newline.
    pub text: String,
    /// The bytes of `text` that changed, when most of the line did not.
    pub words: Vec<Range<usize>>,
}

/// The lines of the change from `old` to `new`, whose first lines have those numbers.
pub(super) fn entries(old: &str, new: &str, old_start: u64, new_start: u64) -> Vec<Entry> {
    let (old, new) = (lines(old), lines(new));
    let ops = if old.len() + new.len() > MAX_COMPARED {
        vec![DiffOp::Replace { old_index: 0, old_len: old.len(), new_index: 0, new_len: new.len() }]
    } else {
        changes(&old, &new, PATIENCE)
    };
    let mut hunk = Hunk { old, new, old_start, new_start, pairs: 0, entries: Vec::new() };
    let last = ops.len().saturating_sub(1);
    for (index, op) in ops.iter().enumerate() {
        match *op {
            DiffOp::Equal { new_index, len, .. } => {
                hunk.same(new_index, len, index == 0, index == last);
            }
            DiffOp::Delete { old_index, old_len, new_index } => {
                hunk.replace(old_index..old_index + old_len, new_index..new_index);
            }
            DiffOp::Insert { old_index, new_index, new_len } => {
                hunk.replace(old_index..old_index, new_index..new_index + new_len);
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                hunk.replace(old_index..old_index + old_len, new_index..new_index + new_len);
            }
        }
    }
    hunk.entries
}

fn lines(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

struct Hunk<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    old_start: u64,
    new_start: u64,
    /// Pairs of lines compared so far.
    pairs: usize,
    entries: Vec<Entry>,
}

impl Hunk<'_> {
    fn push(&mut self, change: Change, at: usize) {
        let (lines, start) = match change {
            Change::Removed => (&self.old, self.old_start),
            _ => (&self.new, self.new_start),
        };
        let text = visible_line(lines.get(at).copied().unwrap_or_default());
        let number = start.saturating_add(at as u64);
        self.entries.push(Entry { change, number, text, words: Vec::new() });
    }

    /// Lines without a change; of a long run only those beside a change.
    fn same(&mut self, start: usize, len: usize, first: bool, last: bool) {
        let head = if first { 0 } else { CONTEXT };
        let tail = if last { 0 } else { CONTEXT };
        if len <= head + tail + 1 {
            (start..start + len).for_each(|at| self.push(Change::Same, at));
            return;
        }
        (start..start + head).for_each(|at| self.push(Change::Same, at));
        if !first && !last {
            let number = self.new_start;
            let (text, words) = (String::new(), Vec::new());
            self.entries.push(Entry { change: Change::Gap, number, text, words });
        }
        (start + len - tail..start + len).for_each(|at| self.push(Change::Same, at));
    }

    fn replace(&mut self, old: Range<usize>, new: Range<usize>) {
        let removed = self.entries.len();
        let added = removed + old.len();
        let pairs = old.len().min(new.len());
        old.for_each(|at| self.push(Change::Removed, at));
        new.for_each(|at| self.push(Change::Added, at));
        let (before, after) = self.entries.split_at_mut(added);
        for (old, new) in before.iter_mut().skip(removed).zip(after).take(pairs) {
            if self.pairs >= MAX_PAIRS {
                break;
            }
            self.pairs += 1;
            if let Some((in_old, in_new)) = changed_words(&old.text, &new.text) {
                old.words = in_old;
                new.words = in_new;
            }
        }
    }
}
