//! A question beside the conversation and its answer, in place of the composer.
//!
//! It takes only the keys that it needs: what is typed goes into the draft, so that nothing is lost of
//! what a person or a program writes.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::{Line, Span};

use super::markdown::{MarkdownStream, MarkdownStyle};
use super::status::spinner::elapsed_text;
use super::theme::{Theme, Tone};
use crate::front::text::{clean_line, defuse_line, truncate, wrap_line};
use crate::protocol::Event;

/// Rows of the answer that are shown at a time, and how far a key scrolls them.
const ANSWER_ROWS: usize = 20;
const SCROLL: usize = 3;
/// Rows of the question.
const QUESTION_ROWS: usize = 3;
/// Columns before each row.
const INDENT: usize = 2;

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideReply {
    /// The key means nothing here.
    Ignored,
    Redraw,
    Close,
}

/// The panel.
pub struct SidePanel {
    id: String,
    question: String,
    since: Instant,
    /// How long it took, and what went wrong if anything did; `None` while it is being answered.
    end: Option<(Duration, Option<String>)>,
    source: String,
    /// Characters of the source.
    chars: usize,
    shown: Shown,
    /// The first row that is shown; `None` follows the end.
    top: Option<usize>,
    /// As of the last drawing.
    rows: usize,
}

/// The answer as rows.
struct Shown {
    columns: usize,
    stream: MarkdownStream,
    rows: Vec<Line<'static>>,
    /// How much of the source has gone into the stream.
    read: usize,
    finished: bool,
}

impl Shown {
    fn new(columns: usize) -> Self {
        let stream = MarkdownStream::new(MarkdownStyle::Rendered);
        Self { columns, stream, rows: Vec::new(), read: 0, finished: false }
    }
}

impl SidePanel {
    /// A question that was asked at `since` and is being answered.
    pub fn new(id: String, question: &str, since: Instant) -> Self {
        Self {
            id,
            question: clean_line(question),
            since,
            end: None,
            source: String::new(),
            chars: 0,
            shown: Shown::new(0),
            top: None,
            rows: 0,
        }
    }

    /// When it was asked, while it is being answered.
    pub fn answering(&self) -> Option<Instant> {
        self.end.is_none().then_some(self.since)
    }

    /// Takes what is told of this question.
    pub fn event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::BtwText { id, text, fresh } if *id == self.id => {
                if *fresh {
                    self.source.clear();
                    self.chars = 0;
                    self.shown = Shown::new(self.shown.columns);
                }
                self.source.push_str(text);
                self.chars += text.chars().count();
            }
            Event::BtwEnd { id, response, error } if *id == self.id => {
                // What streamed is not the answer when the model called tools instead.
                if response.as_deref() != Some(self.source.trim()) {
                    self.source = response.clone().unwrap_or_default();
                    self.chars = self.source.chars().count();
                    self.shown = Shown::new(self.shown.columns);
                }
                self.end = Some((now.saturating_duration_since(self.since), error.clone()));
            }
            _ => {}
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> SideReply {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => SideReply::Close,
            KeyCode::Char('c') if control => SideReply::Close,
            KeyCode::Enter | KeyCode::Char(' ') if self.end.is_some() => SideReply::Close,
            KeyCode::Up => self.scroll(false, SCROLL),
            KeyCode::Down => self.scroll(true, SCROLL),
            KeyCode::PageUp => self.scroll(false, ANSWER_ROWS - 1),
            KeyCode::PageDown => self.scroll(true, ANSWER_ROWS - 1),
            _ => SideReply::Ignored,
        }
    }

    fn scroll(&mut self, down: bool, by: usize) -> SideReply {
        let last = self.rows.saturating_sub(ANSWER_ROWS);
        let top = self.top.unwrap_or(last);
        let top = if down { top + by } else { top.saturating_sub(by) };
        self.top = (top < last).then_some(top);
        SideReply::Redraw
    }

    /// The panel in at most `max_rows` rows.
    pub fn draw(
        &mut self,
        columns: u16,
        max_rows: usize,
        now: Instant,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        let columns = usize::from(columns);
        let dim = theme.style(Tone::Dim);
        let inner = columns.saturating_sub(INDENT + 1).max(1);
        let mut rows = vec![self.title(columns, now, theme)];
        let question = Line::from(Span::styled(self.question.clone(), theme.style(Tone::Strong)));
        let question = wrap_line(&question, inner, 0);
        let room = QUESTION_ROWS.min(max_rows.saturating_sub(3));
        rows.extend(question.into_iter().take(room).map(indented));
        let room = max_rows.saturating_sub(rows.len() + 1).min(ANSWER_ROWS);
        if room > 0 {
            let rule = Span::styled("─".repeat(inner), theme.style(Tone::Border));
            rows.push(Line::from(vec![Span::raw(" ".repeat(INDENT)), rule]));
            rows.extend(self.answer(inner, room, theme).into_iter().map(indented));
        }
        if let Some((_, Some(error))) = &self.end {
            let text = truncate(&clean_line(error), inner);
            rows.push(indented(Line::from(Span::styled(text, theme.style(Tone::Error)))));
        } else if self.source.trim().is_empty() {
            let text = if self.end.is_some() { "There is no answer." } else { "…" };
            rows.push(indented(Line::from(Span::styled(text, dim))));
        }
        rows.truncate(max_rows);
        rows
    }

    fn title(&self, columns: usize, now: Instant, theme: &Theme) -> Line<'static> {
        // Only the blanks around it are counted in every frame.
        let begin = self.source.chars().take_while(|c| c.is_whitespace()).count();
        let end = self.source.chars().rev().take_while(|c| c.is_whitespace()).count();
        let chars = self.chars.saturating_sub(begin + end);
        let state = match &self.end {
            None => {
                let elapsed = elapsed_text(now.saturating_duration_since(self.since));
                format!("answering {elapsed} · {chars} chars · esc gives up")
            }
            Some((took, None)) => {
                format!("answered in {} · {chars} chars · enter closes", elapsed_text(*took))
            }
            Some((_, Some(_))) => "no answer · enter closes".to_owned(),
        };
        let rule = "── btw ── ";
        Line::from(vec![
            Span::styled(rule, theme.style(Tone::Border)),
            Span::styled(truncate(&state, columns.saturating_sub(11)), theme.style(Tone::Dim)),
        ])
    }

    /// The rows of the answer that are in sight. Only what came since is laid out.
    fn answer(&mut self, columns: usize, room: usize, theme: &Theme) -> Vec<Line<'static>> {
        if self.shown.columns != columns {
            self.shown = Shown::new(columns);
        }
        let shown = &mut self.shown;
        if let Some(more) = self.source.get(shown.read..).filter(|more| !more.is_empty()) {
            shown.stream.push(more);
            shown.read = self.source.len();
            shown.rows.extend(shown.stream.commit(columns, theme));
        }
        let mut tail = Vec::new();
        if self.end.is_none() {
            tail = shown.stream.tail(columns, theme, ANSWER_ROWS);
        } else if !std::mem::replace(&mut shown.finished, true) {
            shown.rows.extend(shown.stream.finish(columns, theme));
        }
        self.rows = shown.rows.len() + tail.len();
        let last = self.rows.saturating_sub(room);
        let top = self.top.unwrap_or(last).min(last);
        let settled = shown.rows.iter().skip(top).take(room).cloned();
        let left = room.saturating_sub(shown.rows.len().saturating_sub(top));
        let before = top.saturating_sub(shown.rows.len());
        settled.chain(tail.into_iter().skip(before).take(left)).collect()
    }
}

/// A row moved in, without marks of ours that its text may have.
fn indented(line: Line<'static>) -> Line<'static> {
    let style = line.style;
    let spans = defuse_line(line).spans.into_iter().map(|span| {
        let patched = style.patch(span.style);
        span.style(patched)
    });
    std::iter::once(Span::raw(" ".repeat(INDENT))).chain(spans).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rows: &[Line<'_>]) -> Vec<String> {
        let row = |line: &Line<'_>| line.spans.iter().map(|span| span.content.as_ref()).collect();
        rows.iter().map(row).map(|row: String| row.trim_end().to_owned()).collect()
    }

    fn piece(text: &str, fresh: bool) -> Event {
        Event::BtwText { id: "q".into(), text: text.into(), fresh }
    }

    #[test]
    fn it_streams_ends_and_closes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let theme = Theme::dark();
        let mut panel = SidePanel::new("q".into(), "Why\nso?", start);
        panel.event(&piece("Beca", true), at(1));
        panel.event(&piece("use **so**.", false), at(2));
        panel
            .event(&Event::BtwText { id: "r".into(), text: "not mine".into(), fresh: true }, at(2));
        let rows = text(&panel.draw(60, 30, at(3), &theme));
        assert_eq!(rows[0], "── btw ── answering 3s · 15 chars · esc gives up");
        assert_eq!(rows[1], "  Why so?");
        assert!(rows[2].starts_with("  ───") && rows[3] == "  Because so.", "{rows:?}");
        assert_eq!(panel.key(KeyCode::Enter.into()), SideReply::Ignored);
        let response = Some("Because **so**.".to_owned());
        panel.event(&Event::BtwEnd { id: "q".into(), response, error: None }, at(4));
        let rows = text(&panel.draw(60, 30, at(9), &theme));
        assert_eq!(rows[0], "── btw ── answered in 4s · 15 chars · enter closes");
        assert_eq!(rows[3], "  Because so.");
        assert_eq!(panel.key(KeyCode::Char('x').into()), SideReply::Ignored);
        assert_eq!(panel.key(KeyCode::Enter.into()), SideReply::Close);
    }

    #[test]
    fn a_long_answer_scrolls_and_follows() {
        let theme = Theme::dark();
        let start = Instant::now();
        let mut panel = SidePanel::new("q".into(), "Count", start);
        let numbers: Vec<String> = (0..50).map(|n| format!("n{n}\n\n")).collect();
        panel.event(&piece(&numbers.concat(), true), start);
        let last = |panel: &mut SidePanel| text(&panel.draw(40, 99, start, &theme)).pop().unwrap();
        let end = last(&mut panel);
        assert!(end.contains("n49") || end.is_empty(), "{end}");
        assert_eq!(panel.key(KeyCode::Up.into()), SideReply::Redraw);
        let up = text(&panel.draw(40, 99, start, &theme));
        panel.event(&piece("n50\n\nn51\n\nn52\n\n", false), start);
        assert_eq!(text(&panel.draw(40, 99, start, &theme))[3..], up[3..], "it stays where it is");
        for _ in 0..9 {
            panel.key(KeyCode::Down.into());
        }
        let rows = text(&panel.draw(40, 99, start, &theme)).join(" ");
        assert!(rows.contains("n52"), "{rows}");
    }

    #[test]
    fn it_fits_wherever_it_is_drawn() {
        let start = Instant::now();
        let mut panel = SidePanel::new("q".into(), &"long question ".repeat(30), start);
        panel.event(&piece(&"word ".repeat(500), true), start);
        for columns in [1, 5, 20, 80] {
            for rows in 0..12 {
                let drawn = panel.draw(columns, rows, start, &Theme::dark());
                assert!(drawn.len() <= rows);
            }
        }
    }

    #[test]
    fn what_failed_is_said() {
        let start = Instant::now();
        let mut panel = SidePanel::new("q".into(), "Why?", start);
        panel.event(&piece("half", true), start);
        let error = Some("no\u{1b}[2J model".to_owned());
        panel.event(&Event::BtwEnd { id: "q".into(), response: None, error }, start);
        let rows = text(&panel.draw(60, 30, start, &Theme::dark())).join("\n");
        assert!(rows.contains("no answer") && rows.contains(" model"), "{rows}");
        assert!(!rows.contains("half") && !rows.contains('\u{1b}'), "{rows}");
    }
}
