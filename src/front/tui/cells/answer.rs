//! The model's answer, streamed row by row.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::front::text::defuse_line;
use crate::front::tui::markdown::{MarkdownStream, MarkdownStyle};
use crate::front::tui::theme::{Theme, Tone};

/// Columns that the bullet and the indent take.
const INDENT: usize = 2;

/// An answer while it streams and after.
///
/// Complete rows are handed out once by [`AnswerCell::commit`] and belong to the transcript; what
/// is not complete yet is drawn by [`AnswerCell::tail`]. After a change of width
/// [`AnswerCell::rows`] draws the whole again.
#[derive(Clone)]
pub struct AnswerCell {
    style: MarkdownStyle,
    stream: MarkdownStream,
    source: String,
    after_tools: bool,
    committed: usize,
}

impl AnswerCell {
    /// An empty answer. `after_tools` when rows of a tool stand before it: its bullet then has a
    /// colour of its own, by which readers find the end of the tool's rows.
    pub fn new(style: MarkdownStyle, after_tools: bool) -> Self {
        Self {
            style,
            stream: MarkdownStream::new(style),
            source: String::new(),
            after_tools,
            committed: 0,
        }
    }

    /// The next piece of the answer.
    pub fn push(&mut self, text: &str) {
        self.source.push_str(text);
        self.stream.push(text);
    }

    /// The rows that became final since the last call, for the transcript.
    pub fn commit(&mut self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let rows = self.stream.commit(inner(columns), theme);
        self.hand_out(rows, theme)
    }

    fn hand_out(&mut self, rows: Vec<Line<'static>>, theme: &Theme) -> Vec<Line<'static>> {
        let rows = self.indent(rows, self.committed == 0, theme);
        self.committed += rows.len();
        rows
    }

    /// The rows that are not final yet, at most the last `max_rows`, for the live region.
    pub fn tail(&mut self, columns: u16, theme: &Theme, max_rows: usize) -> Vec<Line<'static>> {
        let rows = self.stream.tail(inner(columns), theme, max_rows);
        let whole = rows.len() < max_rows;
        self.indent(rows, self.committed == 0 && whole, theme)
    }

    /// Ends the answer and returns its last rows.
    pub fn finish(&mut self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let rows = self.stream.finish(inner(columns), theme);
        self.hand_out(rows, theme)
    }

    /// The whole answer, from its source.
    pub fn rows(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let mut whole = Self::new(self.style, self.after_tools);
        whole.push(&self.source);
        whole.finish(columns, theme)
    }

    /// How many rows [`AnswerCell::commit`] has handed out.
    pub fn committed(&self) -> usize {
        self.committed
    }

    /// Whether nothing that shows has come yet.
    pub fn is_blank(&self) -> bool {
        self.source.trim().is_empty()
    }

    /// The answer as the model wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// [`AnswerCell::source`], to keep.
    pub fn plain(&self) -> String {
        self.source.clone()
    }

    fn indent(&self, rows: Vec<Line<'static>>, first: bool, theme: &Theme) -> Vec<Line<'static>> {
        let tone = if self.after_tools { Tone::AnswerAfterTools } else { Tone::Text };
        let mut bullet = first.then(|| Span::styled("•", theme.style(tone)));
        let mut out = Vec::with_capacity(rows.len());
        for line in rows {
            let blank = line.spans.iter().all(|span| span.content.trim().is_empty());
            if blank {
                // The bullet goes to the first row with text.
                if bullet.is_none() {
                    out.push(Line::default());
                }
                continue;
            }
            let style = line.style;
            let lead = match bullet.take() {
                Some(bullet) => vec![bullet, Span::raw(" ")],
                None => vec![Span::raw("  ")],
            };
            // Wrapping may have brought a mark of ours to the beginning of a row.
            let spans = defuse_line(line).spans.into_iter().map(|span| patched(span, style));
            out.push(lead.into_iter().chain(spans).collect::<Vec<_>>().into());
        }
        out
    }
}

fn inner(columns: u16) -> usize {
    usize::from(columns).saturating_sub(INDENT).max(1)
}

/// The style of a whole line moves into its spans, so that it does not reach the indent.
fn patched(span: Span<'static>, line: Style) -> Span<'static> {
    let style = line.patch(span.style);
    span.style(style)
}
