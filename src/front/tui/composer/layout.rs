//! Soft wrapping of the composer's text into rows, and the caret's cell in them.

use std::ops::Range;

use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::fragment::Fragment;
use crate::front::text;
use crate::front::tui::theme::{Theme, Tone};

/// Blanks before every row of text.
const INDENT: usize = 2;
/// What a tab is drawn as.
const TAB: &str = "    ";

/// The rows of a text at one width.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Byte range of each row, without the newline that ends it.
    rows: Vec<Range<usize>>,
}

/// Where a row could be broken: the byte offset and the columns before it.
type Break = (usize, usize);

impl Layout {
    /// Wraps for a screen of `columns`. One column at the right edge is kept free for the caret.
    pub fn of(content: &Fragment, columns: usize) -> Self {
        let width = columns.saturating_sub(INDENT + 1).max(1);
        let mut wrap = Wrap { width, rows: Vec::new(), start: 0, column: 0, last: None };
        let mut at = 0;
        for atom in &content.atoms {
            wrap.text(&content.text, at..atom.range.start);
            wrap.label(&content.text, atom.range.clone());
            at = atom.range.end;
        }
        wrap.text(&content.text, at..content.len());
        wrap.end_line(content.len());
        Self { rows: wrap.rows }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row that the caret is on when the cursor is at `at`.
    pub fn row_of(&self, at: usize) -> usize {
        self.rows.partition_point(|row| row.start <= at).saturating_sub(1)
    }

    /// The column of the cursor on its row, from the start of the text.
    pub fn column_of(&self, content: &Fragment, at: usize) -> usize {
        let start = self.rows.get(self.row_of(at)).map_or(0, |row| row.start.min(at));
        columns_of(&content.text[start..at])
    }

    /// The place on `row` nearest to `column` without passing it.
    pub fn place(&self, content: &Fragment, row: usize, column: usize) -> usize {
        let Some(range) = self.rows.get(row) else { return content.len() };
        // The end of a wrapped row belongs to the row below it.
        let wrapped = self.rows.get(row + 1).is_some_and(|next| next.start == range.end);
        let (mut at, mut used) = (range.start, 0);
        for cluster in content.text[range.clone()].graphemes(true) {
            used += cluster_width(cluster);
            if used > column || (wrapped && at + cluster.len() == range.end) {
                break;
            }
            at += cluster.len();
        }
        at
    }

    /// The caret's cell on the whole text: row, and column on the screen.
    pub fn caret(&self, content: &Fragment, at: usize, columns: usize) -> (usize, usize) {
        let column = INDENT + self.column_of(content, at);
        (self.row_of(at), column.min(columns.saturating_sub(1)))
    }

    /// Columns that a row takes on the screen.
    #[cfg(test)]
    pub fn drawn_width(&self, content: &Fragment, row: usize) -> usize {
        INDENT + columns_of(&content.text[self.rows[row].clone()])
    }

    /// The rows `shown`, ready to draw.
    pub fn lines(
        &self,
        content: &Fragment,
        shown: Range<usize>,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        let rows = self.rows.get(shown).unwrap_or_default();
        rows.iter().map(|row| line(content, row, theme)).collect()
    }
}

/// Text as it is drawn: cleaned cluster by cluster, as it is counted. A joiner at the end of a cluster
/// would join it to the next on the screen.
fn drawn(text: &str) -> String {
    let text = text.replace('\t', TAB);
    let clusters = text.graphemes(true).map(text::clean_line);
    clusters.map(|cluster| cluster.trim_end_matches('\u{200d}').to_owned()).collect()
}

fn line(content: &Fragment, row: &Range<usize>, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::raw(" ".repeat(INDENT))];
    let mut push = |range: Range<usize>, tone| {
        if !range.is_empty() {
            spans.push(Span::styled(drawn(&content.text[range]), theme.style(tone)));
        }
    };
    let mut at = row.start;
    let first = content.atoms.partition_point(|atom| atom.range.end <= row.start);
    for atom in content.atoms.iter().skip(first).take_while(|atom| atom.range.start < row.end) {
        push(at..atom.range.start.max(at), Tone::Text);
        at = atom.range.end.min(row.end);
        push(atom.range.start.max(row.start)..at, Tone::Accent);
    }
    push(at..row.end, Tone::Text);
    Line::from(spans)
}

/// Columns that a cluster takes once it is cleaned for the screen, which makes some invisible
/// characters visible.
fn cluster_width(cluster: &str) -> usize {
    match text::width(cluster) {
        _ if cluster == "\t" => TAB.len(),
        0 => text::width(&text::clean_line(cluster)),
        width => width,
    }
}

fn columns_of(text: &str) -> usize {
    text.graphemes(true).map(cluster_width).sum()
}

/// The state of wrapping.
struct Wrap {
    width: usize,
    rows: Vec<Range<usize>>,
    /// Where the current row begins.
    start: usize,
    /// Columns used on it.
    column: usize,
    /// The last place where it can be broken.
    last: Option<Break>,
}

impl Wrap {
    /// Takes a stretch of text, to be broken at blanks and beside wide characters.
    fn text(&mut self, text: &str, range: Range<usize>) {
        let base = range.start;
        for (offset, cluster) in text[range].grapheme_indices(true) {
            let (at, width) = (base + offset, cluster_width(cluster));
            let end = at + cluster.len();
            if cluster == "\n" {
                self.end_line(at);
                self.start = end;
                continue;
            }
            let blank = cluster == " " || cluster == "\t";
            // One blank may hang over the edge, so that the next word begins the next row.
            if blank && self.column <= self.width {
                self.column += width;
                self.last = Some((end, self.column));
                continue;
            }
            if width == 2 && self.column > 0 && self.column <= self.width {
                self.last = Some((at, self.column));
            }
            self.cluster(at, width);
            if width == 2 {
                self.last = Some((end, self.column));
            }
        }
    }

    /// Takes a label, to be broken only when it is wider than a row.
    fn label(&mut self, text: &str, range: Range<usize>) {
        let width = columns_of(&text[range.clone()]);
        if self.column > 0 && self.column + width > self.width {
            self.last = Some((range.start, self.column));
        }
        for (offset, cluster) in text[range.clone()].grapheme_indices(true) {
            self.cluster(range.start + offset, cluster_width(cluster));
        }
    }

    fn cluster(&mut self, at: usize, width: usize) {
        while self.column > 0 && self.column + width > self.width {
            let (break_at, used) =
                self.last.take().filter(|(at, _)| *at > self.start).unwrap_or((at, self.column));
            if break_at <= self.start {
                break;
            }
            self.rows.push(self.start..break_at);
            self.start = break_at;
            self.column -= used;
        }
        self.column += width;
    }

    fn end_line(&mut self, at: usize) {
        if self.column > self.width && at > self.start {
            // What hangs over the edge is a blank: the caret behind it stands on the next row.
            self.rows.push(self.start..at);
            self.start = at;
        }
        self.rows.push(self.start..at);
        self.column = 0;
        self.last = None;
    }
}
