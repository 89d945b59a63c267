//! The echo of what the user said.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::row;
use crate::front::text::{clean_line, truncate, width, wrap_line};
use crate::front::tui::theme::{Theme, Tone};

/// Wider boxes are hard to read.
const MAX_COLUMNS: usize = 100;
/// Longer messages are folded on the screen, not for the model.
const MAX_ROWS: usize = 40;
/// Of them, those before the fold; the end of a message says what is wanted.
const HEAD_ROWS: usize = 25;
/// Fewer rows are not worth a fold.
const MIN_FOLDED: usize = 3;

/// A message of the user in a box.
///
/// The upper edge names the speaker and the lower one the time: an edge without text would end the
/// answer for programs that cut it out of the screen.
#[derive(Debug, Clone)]
pub struct UserCell {
    /// The prompt mark with what comes before it: `user@dir💫`.
    pub prompt: String,
    pub text: String,
    /// When it was said, `12:01`. Must not be empty.
    pub time: String,
}

impl UserCell {
    /// The rows for a width.
    pub fn rows(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let style = theme.style(Tone::User);
        let box_columns = usize::from(columns).min(MAX_COLUMNS).saturating_sub(1).max(8);
        let inner = box_columns - 4;
        let mut body = self.body(inner, style);
        let hidden = (body.len() + 1).saturating_sub(MAX_ROWS);
        if hidden >= MIN_FOLDED {
            let fold = Span::styled(truncate(&row::more_lines(hidden), inner), style);
            body.splice(HEAD_ROWS..HEAD_ROWS + hidden, [Line::from(fold)]);
        }

        let mut rows = vec![edge('╭', "you", '╮', box_columns, style)];
        for line in body {
            let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
            let fill = " ".repeat(inner.saturating_sub(width(&text)));
            rows.push(row::row([Span::styled(format!("│ {text}{fill} │"), style)]));
        }
        rows.push(edge('╰', &self.time, '╯', box_columns, style));
        rows
    }

    /// The message as it was typed.
    pub fn plain(&self) -> String {
        self.text.clone()
    }

    fn body(&self, inner: usize, style: Style) -> Vec<Line<'static>> {
        let text = row::shown(&self.text);
        let prompt = last_columns(&clean_line(&self.prompt), inner.saturating_sub(3));
        let mut rows = Vec::new();
        for (n, line) in text.trim_end_matches('\n').split('\n').enumerate() {
            let mut rest = line.to_owned();
            if n == 0 {
                // The prompt is ours and its mark stays whole, unlike marks in the text itself.
                // The mark and the first glyphs of the text share a row, whatever the wrapping
                // does with a long word: together they are what marks an echo.
                let room = inner.saturating_sub(width(&prompt) + 1).max(1);
                let line = line.trim_start();
                let word = line.split(char::is_whitespace).next().unwrap_or_default();
                if width_exceeds(word, room) {
                    let head = first_columns(word, room);
                    rows.push(Line::from(Span::styled(format!("{prompt} {head}"), style)));
                    rest = line.get(head.len()..).unwrap_or_default().to_owned();
                } else {
                    rest = format!("{prompt} {line}");
                }
            }
            rows.extend(wrap_line(&Line::from(Span::styled(rest, style)), inner, 0));
        }
        rows
    }
}

/// A box edge of so many columns with a word in it.
fn edge(left: char, word: &str, right: char, columns: usize, style: Style) -> Line<'static> {
    let word = truncate(&row::foreign_line(word), columns.saturating_sub(6));
    let fill = "─".repeat(columns.saturating_sub(width(&word) + 5));
    row::row([Span::styled(format!("{left}─ {word} {fill}{right}"), style)])
}

fn first_columns(text: &str, columns: usize) -> &str {
    let mut end = 0;
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        used += width(cluster);
        if used > columns {
            break;
        }
        end = at + cluster.len();
    }
    text.get(..end).unwrap_or_default()
}

/// The end of a prompt, where its mark is.
fn last_columns(text: &str, columns: usize) -> String {
    let mut rest = text;
    while width(rest) > columns {
        let Some(first) = rest.graphemes(true).next() else { break };
        rest = rest.get(first.len()..).unwrap_or_default();
    }
    rest.to_owned()
}

fn width_exceeds(text: &str, columns: usize) -> bool {
    first_columns(text, columns).len() < text.len() || width(text) > columns
}
