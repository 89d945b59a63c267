//! One to four questions with choices.

mod draw;
mod state;
#[cfg(test)]
mod tests;
mod told;

use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use ratatui::text::Line;
use serde_json::{Map, Value};

use self::state::Sheet;
use super::{Dialog, DialogFrame, DialogReply, Guard, Key, Unfit};
use crate::front::tui::theme::Theme;
use crate::protocol::control::{Choice, OpenAsk};
use crate::protocol::{QuestionRequest, QuestionResponse, Response};

/// The dialog of one request.
///
/// A question is answered with Enter; when the last one is, the dialog is over. With more than one
/// question there is a last tab that shows the answers and what is still open, from which an
/// incomplete set can be sent.
#[derive(Debug, Clone)]
pub struct QuestionDialog {
    request: QuestionRequest,
    sheets: Vec<Sheet>,
    /// The question shown; one past the last is the review.
    current: usize,
    guard: Guard,
}

impl QuestionDialog {
    /// `was_typing` as in [`super::ApprovalDialog::new`].
    pub fn new(request: QuestionRequest, appeared: Instant, was_typing: bool) -> Self {
        let sheets = request.questions.iter().map(Sheet::new).collect();
        Self { request, sheets, current: 0, guard: Guard::new(appeared, was_typing) }
    }

    fn reviewing(&self) -> bool {
        self.current >= self.sheets.len()
    }

    fn tabs(&self) -> usize {
        let questions = self.sheets.len();
        if questions > 1 { questions + 1 } else { questions.max(1) }
    }

    fn turn(&mut self, by: isize) -> DialogReply {
        let tabs = self.tabs();
        if tabs < 2 {
            return DialogReply::Ignored;
        }
        self.current = self.current.saturating_add_signed(by.rem_euclid(tabs as isize)) % tabs;
        DialogReply::Redraw
    }

    /// Sends what is answered; a question that is not is left out.
    fn send(&self) -> DialogReply {
        let mut answers = Map::new();
        for (question, sheet) in self.request.questions.iter().zip(&self.sheets) {
            if sheet.has_answer() {
                answers.insert(question.question.clone(), Value::String(sheet.answer(question)));
            }
        }
        self.reply(answers)
    }

    fn reply(&self, answers: Map<String, Value>) -> DialogReply {
        let request_id = self.request.id.clone();
        DialogReply::Answer(Response::Question(QuestionResponse {
            request_id,
            answers,
            declined: false,
        }))
    }

    /// Settles the question shown and goes on to the next open one.
    fn settle(&mut self) -> DialogReply {
        if self.sheets.get_mut(self.current).is_some_and(|sheet| !sheet.settle()) {
            return DialogReply::Ignored;
        }
        let n = self.sheets.len();
        let open = (1..=n)
            .map(|step| (self.current + step) % n.max(1))
            .find(|at| self.sheets.get(*at).is_some_and(|sheet| !sheet.answered));
        match open {
            Some(at) => {
                self.current = at;
                DialogReply::Redraw
            }
            None => self.send(),
        }
    }
}

impl Dialog for QuestionDialog {
    fn request_id(&self) -> &str {
        &self.request.id
    }

    fn title(&self) -> &'static str {
        "Waiting for your answer"
    }

    fn key(&mut self, event: KeyEvent, now: Instant) -> DialogReply {
        if event.kind != KeyEventKind::Release && self.guard.holds(&event, now) {
            return DialogReply::Guarded;
        }
        let key = Key::of(event);
        match key {
            Some(Key::Esc | Key::Ctrl('c' | 'd')) => return self.reply(Map::new()),
            Some(Key::Ctrl('e')) => return DialogReply::Expand,
            Some(Key::Tab) => return self.turn(1),
            Some(Key::BackTab) => return self.turn(-1),
            _ => {}
        }
        let reviewing = self.reviewing();
        let Some(sheet) = self.sheets.get_mut(self.current) else {
            return match key {
                Some(Key::Left) => self.turn(-1),
                Some(Key::Right) => self.turn(1),
                Some(Key::Enter) if reviewing => self.send(),
                _ => DialogReply::Ignored,
            };
        };
        let moves = match key {
            Some(Key::Up | Key::Ctrl('p')) => Some(-1),
            Some(Key::Down | Key::Ctrl('n')) => Some(1),
            _ => None,
        };
        if let Some(by) = moves {
            sheet.go(by);
            return DialogReply::Redraw;
        }
        if key == Some(Key::Enter) {
            return self.settle();
        }
        // Left and right move in a text that has been begun, else between questions.
        let editing = sheet.on_other();
        let sideways = matches!(event.code, KeyCode::Left | KeyCode::Right);
        if editing && !(sideways && sheet.other.text().is_empty()) {
            return if sheet.edit(event) { DialogReply::Redraw } else { DialogReply::Ignored };
        }
        match key {
            Some(Key::Left) => self.turn(-1),
            Some(Key::Right) => self.turn(1),
            Some(Key::Char('k')) => {
                sheet.go(-1);
                DialogReply::Redraw
            }
            Some(Key::Char('j')) => {
                sheet.go(1);
                DialogReply::Redraw
            }
            Some(Key::Char(' ')) if sheet.multi => {
                sheet.toggle();
                DialogReply::Redraw
            }
            Some(Key::Char(c @ '1'..='9')) => {
                let at = usize::from(c as u8 - b'1');
                match sheet.pick(at) {
                    None => DialogReply::Ignored,
                    Some(true) => self.settle(),
                    Some(false) => DialogReply::Redraw,
                }
            }
            _ => DialogReply::Ignored,
        }
    }

    fn paste(&mut self, text: &str) -> DialogReply {
        match self.sheets.get_mut(self.current) {
            Some(sheet) if sheet.on_other() => {
                sheet.paste(text);
                DialogReply::Redraw
            }
            _ => DialogReply::Ignored,
        }
    }

    fn frame(&self, columns: u16, max_rows: u16, theme: &Theme) -> DialogFrame {
        draw::frame(self, columns, max_rows, theme)
    }

    fn full(&self, columns: u16, theme: &Theme) -> Vec<Line<'static>> {
        draw::full(self, columns, theme)
    }

    fn open_ask(&self) -> OpenAsk {
        told::ask(self)
    }

    fn answer(&self, choices: &[Choice]) -> Result<Response, Unfit> {
        told::answer(self, choices)
    }
}
