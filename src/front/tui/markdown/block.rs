//! Lays out one block of Markdown as rows.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::line::{Fence, marker};
use super::stream::Kind;
use super::table;
use crate::front::text::{cut_line, defuse_line, prose, prose_line, trim_end, width, wrap_line};
use crate::front::tui::highlight::Highlighter;
use crate::front::tui::theme::{Theme, Tone};

/// Makes a paragraph of what might be another block: no mark can stand behind it.
const JOINER: char = '\u{2060}';

/// How a rule is drawn: programs that read the screen take a row of `─` for chrome.
const RULE: &str = "* * *";

/// The rows of one block of that kind. `continued` when it goes on after a cut.
pub(super) fn render(
    text: &str,
    kind: Kind,
    continued: bool,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let mut writer = Writer::new(columns, theme);
    match kind {
        Kind::Indented => {
            let mut code = Highlighter::new("", theme);
            for line in text.trim_end_matches('\n').split('\n') {
                let start = 4.min(super::line::indent(line));
                writer.code_row(code.line(line.get(start..).unwrap_or_default()));
            }
        }
        Kind::Rule => writer.rule(),
        Kind::Table => writer.table(text),
        Kind::Item { offset, .. } if continued => {
            writer.prefix(None, Span::raw(" ".repeat(offset)));
            let dedented: Vec<&str> = text
                .split('\n')
                .map(|line| line.get(offset.min(super::line::indent(line))..).unwrap_or_default())
                .collect();
            writer.parse(&dedented.join("\n"));
        }
        Kind::Item { number, .. } => {
            writer.number = number;
            writer.parse(text);
        }
        Kind::Paragraph if continued => writer.parse(&format!("{JOINER}{text}")),
        _ => writer.parse(text),
    }
    writer.rows
}

/// The spans of text that has inline marks only, such as a cell of a table.
pub(super) fn inline(text: &str, theme: &Theme) -> Vec<Span<'static>> {
    let mut writer = Writer::new(usize::MAX / 2, theme);
    writer.parse(&format!("{JOINER}{text}"));
    let mut spans: Vec<Span<'static>> = Vec::new();
    for row in writer.rows {
        if !spans.is_empty() {
            spans.push(Span::raw(" "));
        }
        spans.extend(row.spans);
    }
    if let Some(first) = spans.first_mut()
        && let Some(rest) = first.content.strip_prefix(JOINER)
    {
        first.content = rest.to_owned().into();
    }
    spans
}

/// What stands in front of the rows of a container: once `first`, then `rest`.
struct Prefix {
    first: Option<Span<'static>>,
    rest: Span<'static>,
    columns: usize,
}

/// A container and how many blocks it has had.
struct Frame {
    children: usize,
    /// The number of the next item in an ordered list.
    number: Option<u64>,
}

struct Writer<'a> {
    theme: &'a Theme,
    columns: usize,
    rows: Vec<Line<'static>>,
    spans: Vec<Span<'static>>,
    prefixes: Vec<Prefix>,
    /// Columns of all prefixes.
    indent: usize,
    frames: Vec<Frame>,
    styles: Vec<Style>,
    /// Target and title of the open links and images, and where their text begins in `spans`.
    links: Vec<(String, String, usize)>,
    /// The open block of code: its info string and its text.
    code: Option<(Highlighter, String, String)>,
    /// The number of the first item, where its list began earlier.
    number: Option<u64>,
    /// The end of a table that was laid out from its source.
    skip_to: usize,
}

impl<'a> Writer<'a> {
    fn new(columns: usize, theme: &'a Theme) -> Self {
        Self {
            theme,
            columns,
            rows: Vec::new(),
            spans: Vec::new(),
            prefixes: Vec::new(),
            indent: 0,
            frames: vec![Frame { children: 0, number: None }],
            styles: Vec::new(),
            links: Vec::new(),
            code: None,
            number: None,
            skip_to: 0,
        }
    }

    fn parse(&mut self, text: &str) {
        let text = guard_definitions(text);
        let options =
            Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_TABLES;
        for (event, range) in Parser::new_ext(&text, options).into_offset_iter() {
            if range.start >= self.skip_to {
                self.event(event, &text, range);
            }
        }
        self.flush();
    }

    fn style(&self) -> Style {
        self.styles.last().copied().unwrap_or_default()
    }

    fn push_style(&mut self, tone: Tone) {
        self.styles.push(self.style().patch(self.theme.style(tone)));
    }

    fn event(&mut self, event: Event<'_>, source: &str, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, source, range),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((.., code)) => code.push_str(&text),
                None => self.text(&text, self.style()),
            },
            Event::Code(text) => {
                self.text(&text, self.style().patch(self.theme.style(Tone::InlineCode)));
            }
            Event::Html(text) | Event::InlineHtml(text) => {
                let style = self.style();
                for (index, line) in text.split('\n').enumerate() {
                    if index > 0 {
                        self.flush();
                    }
                    self.text(line, style);
                }
            }
            // Models break lines where they want them broken.
            Event::SoftBreak | Event::HardBreak => {
                self.flush();
                for (.., start) in &mut self.links {
                    *start = 0;
                }
            }
            Event::Rule => {
                self.flush();
                self.rule();
            }
            Event::TaskListMarker(done) => {
                let mark = if done { "[x] " } else { "[ ] " };
                self.spans.push(Span::styled(mark, self.theme.style(Tone::ListMarker)));
            }
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text(&text, self.style());
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, source: &str, range: Range<usize>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.block(source, range.start),
            Tag::Heading { level, .. } => {
                self.block(source, range.start);
                self.push_style(Tone::Heading);
                if level == HeadingLevel::H1
                    && let Some(style) = self.styles.last_mut()
                {
                    *style = style.add_modifier(Modifier::UNDERLINED);
                }
            }
            Tag::BlockQuote(_) => {
                self.block(source, range.start);
                self.push_style(Tone::Quote);
                self.prefix(None, Span::styled("│ ", self.theme.style(Tone::Quote)));
                self.frames.push(Frame { children: 0, number: None });
            }
            Tag::CodeBlock(kind) => {
                self.block(source, range.start);
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((Highlighter::new(&info, self.theme), info, String::new()));
            }
            Tag::List(number) => {
                self.block(source, range.start);
                let number = number.map(|own| self.number.take().unwrap_or(own));
                self.frames.push(Frame { children: 0, number });
            }
            Tag::Item => {
                self.block(source, range.start);
                self.item();
            }
            Tag::Table(_) => {
                self.block(source, range.start);
                let text = source.get(range.clone()).unwrap_or_default();
                let lines: Vec<&str> =
                    text.lines().map(|line| line.trim_start_matches([' ', '>'])).collect();
                self.table(&lines.join("\n"));
                self.skip_to = range.end;
            }
            Tag::Emphasis => self.push_style(Tone::Emphasis),
            Tag::Strong => self.push_style(Tone::Strong),
            Tag::Strikethrough => {
                self.styles.push(self.style().add_modifier(Modifier::CROSSED_OUT));
            }
            Tag::Link { dest_url, title, .. } => {
                self.links.push((dest_url.to_string(), title.to_string(), self.spans.len()));
                self.push_style(Tone::Link);
            }
            Tag::Image { dest_url, title, .. } => {
                self.links.push((dest_url.to_string(), title.to_string(), self.spans.len()));
                self.push_style(Tone::Emphasis);
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.flush(),
            TagEnd::Heading(_) => {
                self.flush();
                self.styles.pop();
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.styles.pop();
                self.pop_prefix();
                self.frames.pop();
            }
            TagEnd::CodeBlock => {
                if let Some((mut highlighter, info, code)) = self.code.take() {
                    if let Some(label) = label(&info, self.theme) {
                        self.row(label);
                    }
                    for line in prose(&code).trim_end_matches('\n').split('\n') {
                        self.code_row(highlighter.line(line));
                    }
                }
            }
            TagEnd::List(_) => {
                self.flush();
                self.frames.pop();
            }
            TagEnd::Item => {
                self.flush();
                if self.prefixes.last().is_some_and(|prefix| prefix.first.is_some()) {
                    self.row(Line::default());
                }
                self.pop_prefix();
                self.frames.pop();
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.styles.pop();
                self.target();
            }
            _ => {}
        }
    }

    /// The address after the text of a link, when it says more than the text.
    fn target(&mut self) {
        let Some((url, title, start)) = self.links.pop() else { return };
        let shown: String = self
            .spans
            .get(start..)
            .unwrap_or_default()
            .iter()
            .map(|span| span.content.as_ref())
            .collect();
        let (url, title) = (prose_line(&url), prose_line(&title));
        let shown = shown.trim();
        let same = shown == url || url.strip_prefix("mailto:") == Some(shown);
        let mut note = if same { String::new() } else { url };
        if !title.is_empty() {
            if !note.is_empty() {
                note.push(' ');
            }
            note.push_str(&format!("\"{title}\""));
        }
        if !note.is_empty() {
            let note = if shown.is_empty() { note } else { format!(" ({note})") };
            self.spans.push(Span::styled(note, self.theme.style(Tone::Dim)));
        }
    }

    /// Begins a block or an item: with a blank row before it, where the source has a blank line.
    fn block(&mut self, source: &str, start: usize) {
        self.flush();
        let Some(frame) = self.frames.last_mut() else { return };
        frame.children += 1;
        if frame.children > 1 && blank_before(source.get(..start).unwrap_or_default()) {
            let spans = self.prefixes.iter().map(|prefix| prefix.rest.clone()).collect::<Vec<_>>();
            self.rows.push(trim_end(Line::from(spans)));
        }
    }

    fn item(&mut self) {
        let marker = match self.frames.last_mut().and_then(|frame| frame.number.as_mut()) {
            Some(number) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            None => "- ".to_owned(),
        };
        let blanks = Span::raw(" ".repeat(width(&marker)));
        let marker = Span::styled(marker, self.theme.style(Tone::ListMarker));
        self.prefix(Some(marker), blanks);
        self.frames.push(Frame { children: 0, number: None });
    }

    /// Adds a prefix, unless little room would be left.
    fn prefix(&mut self, first: Option<Span<'static>>, rest: Span<'static>) {
        let columns = width(&rest.content);
        if self.indent + columns > self.columns / 2 {
            // A marker stays with the text even where the indent does not fit.
            self.spans.extend(first);
            self.prefixes.push(Prefix { first: None, rest: Span::raw(""), columns: 0 });
        } else {
            self.prefixes.push(Prefix { first, rest, columns });
            self.indent += columns;
        }
    }

    fn pop_prefix(&mut self) {
        if let Some(prefix) = self.prefixes.pop() {
            self.indent -= prefix.columns;
        }
    }

    fn text(&mut self, text: &str, style: Style) {
        let text = prose(text).replace('\n', " ");
        if !text.is_empty() {
            self.spans.push(Span::styled(text, style));
        }
    }

    fn flush(&mut self) {
        if !self.spans.is_empty() {
            let line = Line::from(std::mem::take(&mut self.spans));
            self.row(line);
        }
    }

    fn rule(&mut self) {
        let line = Line::from(Span::styled(RULE, self.theme.style(Tone::Dim)));
        self.row(line);
    }

    fn table(&mut self, text: &str) {
        let room = self.room();
        for line in table::render(text, room, self.theme) {
            self.row(line);
        }
    }

    /// A line of code: set in, and cut at the column without regard for words.
    fn code_row(&mut self, spans: Vec<Span<'static>>) {
        let room = self.room();
        for row in code_rows(spans, room) {
            self.behind_prefixes(row);
        }
    }

    /// Columns that the prefixes leave.
    fn room(&self) -> usize {
        self.columns.saturating_sub(self.indent).max(1)
    }

    /// A line of content as rows behind the prefixes.
    fn row(&mut self, line: Line<'static>) {
        for row in wrap_line(&line, self.room(), 0) {
            self.behind_prefixes(row);
        }
    }

    fn behind_prefixes(&mut self, mut row: Line<'static>) {
        let mut spans: Vec<Span<'static>> = self
            .prefixes
            .iter_mut()
            .map(|prefix| prefix.first.take().unwrap_or_else(|| prefix.rest.clone()))
            .filter(|span| !span.content.is_empty())
            .collect();
        spans.append(&mut row.spans);
        row.spans = spans;
        self.rows.push(defuse_line(trim_end(row)));
    }
}

/// Blanks before code: they tell it from prose where there are no colours, and copying takes no mark
/// along that is not code.
fn code_indent(columns: usize) -> usize {
    (columns / 8).min(4)
}

/// A line of code as rows of at most `columns`.
pub(super) fn code_rows(spans: Vec<Span<'static>>, columns: usize) -> Vec<Line<'static>> {
    let indent = code_indent(columns);
    cut_line(&Line::from(spans), columns - indent)
        .into_iter()
        .map(|mut row| {
            if indent > 0 && !row.spans.is_empty() {
                row.spans.insert(0, Span::raw(" ".repeat(indent)));
            }
            row
        })
        .collect()
}

/// The language of a block of code, on a row before it.
pub(super) fn label(info: &str, theme: &Theme) -> Option<Line<'static>> {
    let info = prose_line(info.trim());
    (!info.is_empty()).then(|| Line::from(Span::styled(info, theme.style(Tone::Dim))))
}

/// Whether the text before a block ends in a blank line, marks of containers aside.
fn blank_before(text: &str) -> bool {
    text.trim_end_matches([' ', '>'])
        .strip_suffix('\n')
        .is_some_and(|text| text.trim_end_matches([' ', '>']).ends_with('\n'))
}

/// Text whose link reference definitions are plain text: the parser would swallow them, and the
/// links that use them are in other blocks.
fn guard_definitions(text: &str) -> String {
    if !text.contains('[') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut fence: Option<Fence> = None;
    for line in text.split_inclusive('\n') {
        let mut content = line.trim_end_matches('\n').trim_start_matches([' ', '>', JOINER]);
        while let Some(rest) = marker(content).and_then(|at| content.get(at..)) {
            content = rest.trim_start_matches([' ', '>']);
        }
        match &fence {
            Some(open) if open.is_closed_by(content) => fence = None,
            Some(_) => {}
            None => {
                fence = Fence::open(content);
                if fence.is_none() && may_define(content) {
                    let at = line.trim_end_matches('\n').len() - content.len();
                    out.push_str(line.get(..at).unwrap_or_default());
                    out.push('\\');
                    out.push_str(line.get(at..).unwrap_or_default());
                    continue;
                }
            }
        }
        out.push_str(line);
    }
    out
}

/// Whether a line could begin a link reference definition: `[label]:`, or a label that is still open.
fn may_define(text: &str) -> bool {
    let Some(label) = text.strip_prefix('[') else { return false };
    let mut escaped = false;
    for (at, c) in label.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => return label.get(at + 1..).is_some_and(|rest| rest.starts_with(':')),
            _ => {}
        }
    }
    true
}
