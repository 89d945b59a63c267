//! Which words of two similar lines differ.

use std::ops::Range;

use similar::DiffOp;
use unicode_segmentation::UnicodeSegmentation;

use super::PATIENCE;
use crate::tools::changes;

/// Longer lines, in bytes, are not compared word by word.
const MAX_LINE: usize = 1_000;

/// Byte ranges of a line, ascending.
type Ranges = Vec<Range<usize>>;

/// The byte ranges that differ in `old` and in `new`, when at least half of the two is alike.
pub(super) fn changed_words(old: &str, new: &str) -> Option<(Ranges, Ranges)> {
    if old.len() > MAX_LINE || new.len() > MAX_LINE {
        return None;
    }
    let old_words: Vec<&str> = old.split_word_bounds().collect();
    let new_words: Vec<&str> = new.split_word_bounds().collect();
    let (old_at, new_at) = (offsets(&old_words), offsets(&new_words));
    let bytes = |at: &[usize], from: usize, len: usize| -> Range<usize> {
        let end = at.get(from + len).copied().unwrap_or_default();
        at.get(from).copied().unwrap_or_default().min(end)..end
    };
    let (mut in_old, mut in_new) = (Vec::new(), Vec::new());
    let mut alike = 0;
    for op in changes(&old_words, &new_words, PATIENCE) {
        if let DiffOp::Equal { old_index, len, .. } = op {
            let text = old.get(bytes(&old_at, old_index, len)).unwrap_or_default();
            alike += visible(text);
            continue;
        }
        let (old_range, new_range) = (op.old_range(), op.new_range());
        join(&mut in_old, bytes(&old_at, old_range.start, old_range.len()), old);
        join(&mut in_new, bytes(&new_at, new_range.start, new_range.len()), new);
    }
    let total = visible(old) + visible(new);
    (alike > 0 && 4 * alike >= total).then_some((in_old, in_new))
}

/// Where each word begins, and where the last one ends.
fn offsets(words: &[&str]) -> Vec<usize> {
    let mut at = 0;
    let mut offsets = vec![0];
    offsets.extend(words.iter().map(|word| {
        at += word.len();
        at
    }));
    offsets
}

/// Characters that are not blank.
fn visible(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// Adds a range; one that only blanks part from the last one joins it.
fn join(ranges: &mut Ranges, range: Range<usize>, text: &str) {
    if range.is_empty() {
        return;
    }
    if let Some(last) = ranges.last_mut()
        && text.get(last.end..range.start).is_some_and(|between| between.trim().is_empty())
    {
        last.end = range.end;
        return;
    }
    ranges.push(range);
}
