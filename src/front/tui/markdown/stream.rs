//! Cuts a text that is coming in into blocks, and hands out the rows that are final.

use ratatui::text::Line;
use unicode_segmentation::UnicodeSegmentation;

use super::line::{
    Fence, indent, interrupts, is_delimiter, is_heading, is_rule, is_underline, marker,
};
use super::{MarkdownStyle, block, source};
use crate::front::text::{cut_line, defuse_line, prose, trim_end, wrap_line};
use crate::front::tui::highlight::Highlighter;
use crate::front::tui::theme::Theme;

/// A longer line, in bytes, is cut at a blank.
const MAX_LINE: usize = 4 * 1024;

/// A longer paragraph is cut where a line or a piece of one ends.
const MAX_PARAGRAPH: usize = 3 * 1024;

/// A longer list item, quotation or block of indented code is cut between two lines.
const MAX_BLOCK: usize = 8 * 1024;

/// Rows of a table that are laid out together; the next one repeats the header.
const MAX_TABLE_ROWS: usize = 200;

/// Markdown that is still coming in.
///
/// [`push`](Self::push) text, take the rows that are final with [`commit`](Self::commit), show
/// [`tail`](Self::tail) below them, and end with [`finish`](Self::finish). Everything but the last
/// open block is final; of an open list all items but the last, of open code all whole lines.
/// The rows that `commit` and `finish` give do not depend on how the text was chunked.
#[derive(Clone)]
pub struct MarkdownStream {
    style: MarkdownStyle,
    /// Text without a newline yet, and what was pushed since the last commit.
    pending: String,
    /// The last piece had no newline: the next one goes on in the same line.
    joined: bool,
    open: Option<Block>,
    fence: Option<(Fence, Highlighter)>,
    /// A blank line came after the last block.
    blank: bool,
    /// Delimiter and number of the last item, while nothing but items came after it.
    list: Option<(char, u64)>,
    /// The kind of the last block that gave rows.
    last: Option<Kind>,
    rows: Vec<Line<'static>>,
    cache: Option<Tail>,
}

/// The tail as it was last drawn.
#[derive(Clone)]
struct Tail {
    columns: usize,
    max_rows: usize,
    theme: Theme,
    rows: Vec<Line<'static>>,
}

/// A block that is not final yet.
#[derive(Clone)]
struct Block {
    kind: Kind,
    text: String,
    /// Blank lines seen after the text.
    blanks: usize,
    /// The fence that is open inside it.
    fence: Option<Fence>,
    /// Goes on after a cut.
    continued: bool,
    lines: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Paragraph,
    Table,
    /// One item of a list: the column where its text begins, and its number in an ordered one.
    Item {
        offset: usize,
        number: Option<u64>,
    },
    Quote,
    Indented,
    Heading,
    Rule,
    Fence,
}

impl MarkdownStream {
    /// An empty stream.
    pub fn new(style: MarkdownStyle) -> Self {
        Self {
            style,
            pending: String::new(),
            joined: false,
            open: None,
            fence: None,
            blank: false,
            list: None,
            last: None,
            rows: Vec::new(),
            cache: None,
        }
    }

    /// Adds text as it came from the model.
    pub fn push(&mut self, text: &str) {
        if !text.is_empty() {
            self.pending.push_str(text);
            self.cache = None;
        }
    }

    /// The rows that became final since the last call.
    pub fn commit(&mut self, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_str();
        while let Some((piece, whole, after)) = next_piece(rest) {
            self.piece(piece, whole, columns, theme);
            rest = after;
        }
        if rest.len() != pending.len() {
            self.cache = None;
        }
        rest.clone_into(&mut self.pending);
        std::mem::take(&mut self.rows)
    }

    /// The last `max_rows` rows of what is not committed, as it looks now. Call it after
    /// [`commit`](Self::commit). An unchanged tail is not laid out again.
    pub fn tail(&mut self, columns: usize, theme: &Theme, max_rows: usize) -> Vec<Line<'static>> {
        if let Some(tail) = &self.cache
            && (tail.columns, tail.max_rows) == (columns, max_rows)
            && tail.theme == *theme
        {
            return tail.rows.clone();
        }
        self.cache = None;
        let mut rows = self.clone().finish(columns, theme);
        rows.drain(..rows.len().saturating_sub(max_rows));
        let theme = theme.clone();
        self.cache = Some(Tail { columns, max_rows, theme, rows: rows.clone() });
        rows
    }

    /// The rest of the rows. The stream is empty afterwards.
    pub fn finish(&mut self, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
        let mut rows = self.commit(columns, theme);
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.piece(&rest, true, columns, theme);
        }
        self.close(columns, theme);
        rows.append(&mut self.rows);
        *self = Self::new(self.style);
        rows
    }

    /// One line, or a piece of one that is too long.
    fn piece(&mut self, piece: &str, whole: bool, columns: usize, theme: &Theme) {
        let piece = piece.strip_suffix('\r').unwrap_or(piece);
        let joined = std::mem::replace(&mut self.joined, !whole);
        let cleaned = prose(piece);
        for (index, text) in cleaned.split('\n').enumerate() {
            let joined = joined && index == 0;
            match self.style {
                MarkdownStyle::Rendered => self.line(text, joined, columns, theme),
                MarkdownStyle::Source => self.source_line(text, joined, columns, theme),
            }
        }
    }

    fn source_line(&mut self, text: &str, joined: bool, columns: usize, theme: &Theme) {
        let spans = match &mut self.fence {
            Some((fence, code)) if joined || !fence.is_closed_by(text) => {
                let line = Line::from(code.line(text));
                self.rows.extend(cut_line(&line, columns).into_iter().map(defuse_line));
                return;
            }
            Some(_) => {
                self.fence = None;
                source::fence_mark(text, theme)
            }
            None => match Fence::open(text).filter(|_| !joined) {
                Some(fence) => {
                    let code = Highlighter::new(&fence.info, theme);
                    self.fence = Some((fence, code));
                    source::fence_mark(text, theme)
                }
                None => source::spans(text, theme),
            },
        };
        self.wrapped(&Line::from(spans), columns);
    }

    fn wrapped(&mut self, line: &Line<'_>, columns: usize) {
        self.rows.extend(wrap_line(line, columns, 0).into_iter().map(defuse_line));
    }

    fn line(&mut self, text: &str, joined: bool, columns: usize, theme: &Theme) {
        if let Some((fence, _)) = &self.fence {
            if !joined && fence.is_closed_by(text) {
                self.fence = None;
            } else {
                self.code_line(text, columns, theme);
            }
            return;
        }
        if joined {
            self.go_on(text, columns, theme);
            return;
        }
        if text.trim().is_empty() {
            match &mut self.open {
                Some(Block { kind: Kind::Item { .. } | Kind::Indented, blanks, .. }) => {
                    *blanks += 1
                }
                _ => {
                    self.close(columns, theme);
                    self.blank = true;
                }
            }
            return;
        }
        if self.open.as_mut().is_some_and(|open| open.takes(text)) {
            if self.open.as_ref().is_some_and(|open| open.kind == Kind::Heading) {
                self.close(columns, theme);
            } else {
                self.cut_large(columns, theme);
            }
            return;
        }
        self.close(columns, theme);
        self.begin(text, columns, theme);
    }

    /// The rest of a line that was cut.
    fn go_on(&mut self, text: &str, columns: usize, theme: &Theme) {
        match &mut self.open {
            Some(open) => open.text.push_str(text),
            None => self.open = Some(Block::new(Kind::Paragraph, text, true)),
        }
        self.cut_large(columns, theme);
    }

    /// A line that belongs to no open block.
    fn begin(&mut self, text: &str, columns: usize, theme: &Theme) {
        let indent = indent(text);
        let content = text.trim_start_matches(' ');
        if indent >= 4 || is_rule(content) || marker(content).is_none() {
            self.list = None;
        }
        if indent >= 4 {
            self.open = Some(Block::new(Kind::Indented, text, false));
        } else if let Some(fence) = Fence::open(text) {
            let code = Highlighter::new(&fence.info, theme);
            self.blank |= self.last.is_some();
            self.fence = Some((fence, code));
        } else if is_heading(content) {
            self.open = Some(Block::new(Kind::Heading, text, false));
            self.close(columns, theme);
        } else if is_rule(content) {
            self.open = Some(Block::new(Kind::Rule, text, false));
            self.close(columns, theme);
        } else if content.starts_with('>') {
            self.open = Some(Block::new(Kind::Quote, text, false));
        } else if let Some(offset) = marker(content) {
            let number = self.number(content);
            let kind = Kind::Item { offset: indent + offset, number };
            let mut item = Block::new(kind, text, false);
            item.fence = content.get(offset..).and_then(Fence::open);
            self.open = Some(item);
        } else {
            self.open = Some(Block::new(Kind::Paragraph, text, false));
        }
        self.cut_large(columns, theme);
    }

    /// The number of an item that begins: in a list only the first number counts, the others go on
    /// from it, whatever they say.
    fn number(&mut self, content: &str) -> Option<u64> {
        let rest = content.trim_start_matches(|c: char| c.is_ascii_digit());
        let own = content.get(..content.len() - rest.len())?.parse::<u64>().ok();
        let delimiter = rest.chars().next()?;
        let number = match self.list.take() {
            Some((of, last)) if of == delimiter => own.map(|_| last.saturating_add(1)),
            _ => own,
        };
        self.list = number.map(|number| (delimiter, number));
        number
    }

    fn code_line(&mut self, text: &str, columns: usize, theme: &Theme) {
        self.gap(Kind::Fence, false);
        let Some((fence, code)) = &mut self.fence else { return };
        let text = text.get(fence.indent.min(indent(text))..).unwrap_or_default();
        let spans = code.line(text);
        let label = block::label(&std::mem::take(&mut fence.info), theme);
        if let Some(label) = label {
            self.wrapped(&label, columns);
        }
        let rows = block::code_rows(spans, columns).into_iter();
        self.rows.extend(rows.map(|row| defuse_line(trim_end(row))));
    }

    /// Makes the front of an open block final when it has grown too large.
    fn cut_large(&mut self, columns: usize, theme: &Theme) {
        let Some(open) = &self.open else { return };
        let large = match open.kind {
            Kind::Paragraph => open.text.len() >= MAX_PARAGRAPH,
            Kind::Table => open.lines >= MAX_TABLE_ROWS + 2 || open.text.len() >= 8 * MAX_BLOCK,
            _ => open.text.len() >= MAX_BLOCK,
        };
        if !large {
            return;
        }
        let next = open.after_cut();
        self.close(columns, theme);
        self.open = next;
    }

    /// Makes the open block final.
    fn close(&mut self, columns: usize, theme: &Theme) {
        self.fence = None;
        let Some(open) = self.open.take() else { return };
        if !open.text.trim().is_empty() {
            let rows = block::render(&open.text, open.kind, open.continued, columns, theme);
            if !rows.is_empty() {
                self.gap(open.kind, open.continued);
                self.rows.extend(rows);
            }
        }
        self.blank |= open.blanks > 0;
    }

    /// The blank row between two blocks: where the text has one, and around what needs air.
    fn gap(&mut self, kind: Kind, continued: bool) {
        let airy = |kind| matches!(kind, Kind::Heading | Kind::Table | Kind::Rule);
        let wanted = self.last.is_some_and(|last| {
            let after_code = last == Kind::Fence && kind != Kind::Fence;
            self.blank || airy(last) || airy(kind) || after_code
        });
        if wanted && !continued {
            self.rows.push(Line::default());
        }
        self.blank = false;
        self.last = Some(kind);
    }
}

impl Block {
    fn new(kind: Kind, text: &str, continued: bool) -> Self {
        Self { kind, text: text.to_owned(), blanks: 0, fence: None, continued, lines: 1 }
    }

    /// Adds a line that is not blank if it belongs to this block.
    fn takes(&mut self, line: &str) -> bool {
        let content = line.trim_start_matches(' ');
        let indent = indent(line);
        let lazy =
            self.blanks == 0 && self.fence.is_none() && (indent >= 4 || !interrupts(content));
        match self.kind {
            Kind::Paragraph if self.text.is_empty() => {}
            Kind::Paragraph if self.lines == 1 && self.text.contains('|') && is_delimiter(line) => {
                self.kind = Kind::Table;
            }
            Kind::Paragraph if is_underline(content) && indent < 4 && !self.continued => {
                self.kind = Kind::Heading;
            }
            Kind::Item { offset, .. } if indent >= offset => match &self.fence {
                Some(fence) if fence.is_closed_by(line) => self.fence = None,
                Some(_) => {}
                None => self.fence = Fence::open(line),
            },
            Kind::Quote if content.starts_with('>') && indent < 4 => {}
            Kind::Indented if indent >= 4 => {}
            Kind::Paragraph | Kind::Table | Kind::Item { .. } | Kind::Quote if lazy => {}
            _ => return false,
        }
        for _ in 0..std::mem::take(&mut self.blanks) {
            self.text.push('\n');
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.lines += 1;
        true
    }

    /// The empty block that goes on where this one is cut.
    fn after_cut(&self) -> Option<Self> {
        let mut next = Self::new(self.kind, "", true);
        match self.kind {
            Kind::Table => {
                let mut head = self.text.splitn(3, '\n');
                next.text = [head.next()?, head.next()?].join("\n");
                next.lines = 2;
            }
            Kind::Item { .. } => {
                next.fence.clone_from(&self.fence);
                if let Some(fence) = &self.fence {
                    next.text = fence.opener();
                }
            }
            Kind::Heading | Kind::Rule | Kind::Fence => next.kind = Kind::Paragraph,
            Kind::Paragraph | Kind::Quote | Kind::Indented => {}
        }
        Some(next)
    }
}

/// The first line of `text` (without newline) or the front of one that is too long; whether the line
/// ends there; and what comes after it. `None` until that is decided, which depends on the text from
/// the line's start alone and never on how it came in.
fn next_piece(text: &str) -> Option<(&str, bool, &str)> {
    let mut end = MAX_LINE.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let front = text.get(..end)?;
    if let Some((line, _)) = front.split_once('\n') {
        return Some((line, true, text.get(line.len() + 1..)?));
    }
    if text.len() <= MAX_LINE {
        return None;
    }
    let cut = match front.rfind(' ') {
        Some(at) => at + 1,
        // The last cluster may go on behind the cut.
        None => front.grapheme_indices(true).next_back().map_or(end, |(at, _)| at),
    };
    let cut = if cut == 0 { end } else { cut };
    Some((text.get(..cut)?, false, text.get(cut..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_tail_comes_from_the_cache() {
        let theme = Theme::dark();
        let mut stream = MarkdownStream::new(MarkdownStyle::Rendered);
        stream.push("one two");
        assert_eq!(stream.tail(5, &theme, 9).len(), 2);
        stream.pending.push_str(" three");
        assert_eq!(stream.tail(5, &theme, 9).len(), 2);
        assert_eq!(stream.tail(40, &theme, 9)[0].to_string(), "one two three");
    }
}
