//! The review of a plan: its text to scroll in, and below it what to decide.

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use ratatui::text::{Line, Span};

use super::{Dialog, DialogFrame, DialogReply, QuestionDialog, Unfit};
use crate::front::text::{line_width, width};
use crate::front::tui::cells::{plan_body, plan_title, row};
use crate::front::tui::markdown::MarkdownStyle;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::Response;
use crate::protocol::control::{Choice, OpenAsk};

/// A plan that waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPlan {
    /// Markdown.
    pub content: String,
    /// The file it is in, for people.
    pub file: String,
}

/// The dialog. What is decided, and how, is the question's own business.
pub struct PlanDialog {
    plan: ShownPlan,
    style: MarkdownStyle,
    question: QuestionDialog,
    /// The first row of the plan in view.
    top: usize,
    /// Rows of the plan, and how many of them are in view, as last drawn.
    drawn: Cell<(usize, usize)>,
    /// The rows for a width: they are made once, not for every frame.
    body: RefCell<Option<(u16, Rc<[Line<'static>]>)>>,
}

impl PlanDialog {
    /// `question` asks for the decision.
    pub fn new(plan: ShownPlan, style: MarkdownStyle, question: QuestionDialog) -> Self {
        Self { plan, style, question, top: 0, drawn: Cell::default(), body: RefCell::default() }
    }

    fn body(&self, columns: u16, theme: &Theme) -> Rc<[Line<'static>]> {
        let mut kept = self.body.borrow_mut();
        match &*kept {
            Some((width, body)) if *width == columns => Rc::clone(body),
            _ => {
                let room = usize::from(columns);
                let body: Rc<[_]> = plan_body(&self.plan.content, self.style, room, theme).into();
                *kept = Some((columns, Rc::clone(&body)));
                body
            }
        }
    }

    /// Goes to a row of the plan.
    fn go(&mut self, to: usize) -> DialogReply {
        let (rows, view) = self.drawn.get();
        self.top = to.min(rows.saturating_sub(view));
        DialogReply::Redraw
    }

    /// The row above the plan: its file, and where in it one is.
    fn title_row(&self, columns: u16, theme: &Theme) -> Line<'static> {
        let (rows, view) = self.drawn.get();
        let room = usize::from(columns).saturating_sub(1);
        let place = if rows > view {
            let last = (self.top + view).min(rows);
            format!("{}-{last} of {rows} · pgup/pgdn", self.top + 1)
        } else {
            String::new()
        };
        let left = room.saturating_sub(width(&place) + 2);
        if left < 12 {
            return row::row([Span::styled("◇ Plan", theme.style(Tone::BadgePlan))]);
        }
        let title = plan_title(&self.plan.file, left, theme);
        let gap = room.saturating_sub(line_width(&Line::from(title.clone())) + width(&place));
        let mut spans = title;
        if !place.is_empty() {
            spans.push(Span::raw(" ".repeat(gap)));
            spans.push(Span::styled(place, theme.style(Tone::Dim)));
        }
        row::row(spans)
    }
}

impl Dialog for PlanDialog {
    fn request_id(&self) -> &str {
        self.question.request_id()
    }

    fn title(&self) -> &'static str {
        "Waiting for approval of the plan"
    }

    fn key(&mut self, event: KeyEvent, now: Instant) -> DialogReply {
        let (_, view) = self.drawn.get();
        let page = view.saturating_sub(1).max(1);
        let to = match event.code {
            KeyCode::PageUp => Some(self.top.saturating_sub(page)),
            KeyCode::PageDown => Some(self.top + page),
            _ => None,
        };
        match to {
            Some(to) if event.kind != KeyEventKind::Release => self.go(to),
            _ => self.question.key(event, now),
        }
    }

    fn paste(&mut self, text: &str) -> DialogReply {
        self.question.paste(text)
    }

    /// What there is to choose comes first; the plan gets at least half of the rows if it needs them
    /// and the choices leave them.
    fn frame(&self, columns: u16, max_rows: u16, theme: &Theme) -> DialogFrame {
        let body = self.body(columns, theme);
        let reserved = (body.len() + 1).min(usize::from(max_rows) / 2);
        let reserved = u16::try_from(reserved).unwrap_or(max_rows);
        let question = self.question.frame(columns, max_rows - reserved, theme);
        let room = usize::from(max_rows).saturating_sub(question.rows.len());
        let view = room.saturating_sub(1).min(body.len());
        self.drawn.set((body.len(), view));
        let top = self.top.min(body.len().saturating_sub(view));
        let mut rows = Vec::new();
        if room > 0 {
            rows.push(self.title_row(columns, theme));
            rows.extend(body.iter().skip(top).take(view).cloned());
            if rows.len() < room {
                rows.push(row::row([]));
            }
        }
        let before = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        rows.extend(question.rows);
        let caret = question.caret.map(|(row, column)| (row.saturating_add(before), column));
        DialogFrame { rows, caret }
    }

    fn full(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        let columns = usize::from(columns).saturating_sub(1);
        let mut rows =
            vec![row::row(plan_title(&self.plan.file, columns.saturating_sub(1), theme))];
        rows.extend(plan_body(&self.plan.content, self.style, columns, theme));
        rows
    }

    fn open_ask(&self) -> OpenAsk {
        let ask = self.question.open_ask();
        OpenAsk { text: format!("{}: {}", ask.text, self.plan.file), ..ask }
    }

    fn answer(&self, choices: &[Choice]) -> Result<Response, Unfit> {
        self.question.answer(choices)
    }
}
