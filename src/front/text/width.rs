//! Width and truncation by grapheme clusters.

use ratatui::text::Line;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes: the sum over its grapheme clusters. Control characters take none.
pub fn width(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    text.graphemes(true).map(cluster_width).sum()
}

/// Columns that a styled line takes.
pub fn line_width(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| width(&span.content)).sum()
}

/// Columns of one grapheme cluster.
pub(super) fn cluster_width(cluster: &str) -> usize {
    match cluster.as_bytes() {
        [byte] => usize::from((b' '..=b'~').contains(byte)),
        _ if cluster.contains(char::is_control) => 0,
        _ => cluster.width(),
    }
}

/// Whether every byte is a printable ASCII character, so that bytes are columns.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// The longest front of `text` that takes at most `columns`; never splits a cluster.
fn front(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += cluster_width(cluster);
        if used > columns {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// The longest end of `text` that takes at most `columns`.
fn back(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true).rev() {
        used += cluster_width(cluster);
        if used > columns {
            return text.get(at + cluster.len()..).unwrap_or_default();
        }
    }
    text
}

/// `text` cut to at most `columns`, with `…` in place of what was cut off.
///
/// Costs no more than the columns that are kept, however long the text.
pub fn truncate(text: &str, columns: usize) -> String {
    if front(text, columns).len() == text.len() {
        return text.to_owned();
    }
    match columns.checked_sub(1) {
        None => String::new(),
        Some(rest) => format!("{}…", front(text, rest)),
    }
}

/// `text` cut in the middle to at most `columns`: a path or a command tells most at both ends.
pub fn truncate_middle(text: &str, columns: usize) -> String {
    if front(text, columns).len() == text.len() {
        return text.to_owned();
    }
    let Some(rest) = columns.checked_sub(1) else { return String::new() };
    let head = front(text, rest / 2);
    let tail = back(text, rest - rest / 2);
    format!("{head}…{tail}")
}
