//! May this tool call go ahead?

mod draw;
#[cfg(test)]
mod tests;
mod told;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crossterm::event::{KeyEvent, KeyEventKind};
use ratatui::text::Line;

use super::danger::dangers;
use super::{Dialog, DialogFrame, DialogReply, Field, Guard, Key, Unfit};
use crate::front::tui::cells::row;
use crate::front::tui::theme::Theme;
use crate::protocol::control::{self, OpenAsk};
use crate::protocol::{ApprovalRequest, ApprovalResponse, DisplayBlock, Response, Verdict};

/// The four choices, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Once,
    Session,
    Reject,
    Redirect,
}

impl Choice {
    const ALL: [Self; 4] = [Self::Once, Self::Session, Self::Reject, Self::Redirect];

    fn index(self) -> usize {
        Self::ALL.iter().position(|choice| *choice == self).unwrap_or(0)
    }

    fn moved(self, by: isize) -> Self {
        let n = Self::ALL.len();
        let at = self.index().saturating_add_signed(by.rem_euclid(n as isize)) % n;
        Self::ALL.get(at).copied().unwrap_or(self)
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileChange {
    New,
    Overwrite,
    Append,
    Edit,
}

impl FileChange {
    /// As far as the description (``Write file `…` ``) and the blocks tell. Looks whether the file is
    /// there.
    fn of(request: &ApprovalRequest) -> Self {
        if !request.description.starts_with("Write") {
            return Self::Edit;
        }
        let mut diffs = request.display.iter().filter_map(|block| match block {
            DisplayBlock::Diff { path, old_text, new_text, is_summary, .. } => {
                Some((path, old_text, new_text, *is_summary))
            }
            _ => None,
        });
        match (diffs.next(), diffs.next()) {
            (Some((path, old, _, false)), None) if old.is_empty() => {
                if Path::new(path).exists() {
                    Self::Overwrite
                } else {
                    Self::New
                }
            }
            (Some((_, old, new, false)), None)
                if new.strip_prefix(old.as_str()).is_some_and(|rest| rest.starts_with('\n')) =>
            {
                Self::Append
            }
            _ => Self::Overwrite,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::New => "Write this new file",
            Self::Overwrite => "Overwrite this file",
            Self::Append => "Append to this file",
            Self::Edit => "Make this edit",
        }
    }
}

/// The approval of one request.
#[derive(Debug, Clone)]
pub struct ApprovalDialog {
    request: ApprovalRequest,
    /// What is asked about in words, cleaned once: a dialog is drawn many times a second.
    text: String,
    change: FileChange,
    work_dir: PathBuf,
    position: Option<(usize, usize)>,
    dangers: Vec<&'static str>,
    choice: Choice,
    feedback: Field,
    guard: Guard,
    /// The change as it was last drawn.
    drawn: RefCell<Option<Drawn>>,
}

/// Rows of a change and what they were drawn for.
#[derive(Debug, Clone)]
struct Drawn {
    columns: usize,
    max_rows: usize,
    theme: Theme,
    rows: Vec<Line<'static>>,
}

impl ApprovalDialog {
    /// `work_dir` is the directory the call works in. `was_typing` when the
    /// user was typing as the dialog appeared: keys then do not answer it until there was no key for
    /// 700 ms.
    pub fn new(
        request: ApprovalRequest,
        work_dir: &Path,
        appeared: Instant,
        was_typing: bool,
    ) -> Self {
        let dangers = match command(&request) {
            Some(command) => dangers(command),
            None => Vec::new(),
        };
        Self {
            text: text(&request),
            change: FileChange::of(&request),
            request,
            work_dir: work_dir.to_owned(),
            position: None,
            dangers,
            choice: Choice::Once,
            feedback: Field::default(),
            guard: Guard::new(appeared, was_typing),
            drawn: RefCell::new(None),
        }
    }

    /// Which request this is and how many wait, from 1. Shown when more than one waits.
    pub fn set_position(&mut self, n: usize, of: usize) {
        self.position = (of > 1).then_some((n, of));
    }

    fn editing(&self) -> bool {
        self.choice == Choice::Redirect
    }

    fn decide(&self, choice: Choice) -> DialogReply {
        if choice == Choice::Redirect && self.feedback.is_blank() {
            return DialogReply::Ignored;
        }
        DialogReply::Answer(Response::Approval(self.response(choice, &self.feedback)))
    }

    fn response(&self, choice: Choice, feedback: &Field) -> ApprovalResponse {
        let (response, feedback) = match choice {
            Choice::Once => (Verdict::Approve, ""),
            Choice::Session => (Verdict::ApproveForSession, ""),
            Choice::Reject => (Verdict::Reject, ""),
            Choice::Redirect => (Verdict::Reject, feedback.text().trim()),
        };
        let (request_id, feedback) = (self.request.id.clone(), feedback.to_owned());
        ApprovalResponse { request_id, response, feedback }
    }

    fn go(&mut self, by: isize) -> DialogReply {
        self.choice = self.choice.moved(by);
        DialogReply::Redraw
    }
}

impl Dialog for ApprovalDialog {
    fn request_id(&self) -> &str {
        &self.request.id
    }

    fn title(&self) -> &'static str {
        "Waiting for approval"
    }

    fn key(&mut self, event: KeyEvent, now: Instant) -> DialogReply {
        if event.kind != KeyEventKind::Release && self.guard.holds(&event, now) {
            return DialogReply::Guarded;
        }
        let Some(key) = Key::of(event) else {
            return self.edit(event);
        };
        match key {
            Key::Esc | Key::Ctrl('c' | 'd') => self.decide(Choice::Reject),
            Key::Enter => self.decide(self.choice),
            Key::Ctrl('e') => DialogReply::Expand,
            Key::Up | Key::BackTab | Key::Ctrl('p') => self.go(-1),
            Key::Down | Key::Tab | Key::Ctrl('n') => self.go(1),
            _ if self.editing() => self.edit(event),
            Key::Char('k') => self.go(-1),
            Key::Char('j') => self.go(1),
            Key::Char('1' | 'y') => self.decide(Choice::Once),
            Key::Char('2') => self.decide(Choice::Session),
            // Too much to say yes to with a letter that begins so many words.
            Key::Char('a') => {
                self.choice = Choice::Session;
                DialogReply::Redraw
            }
            Key::Char('3' | 'n') => self.decide(Choice::Reject),
            Key::Char('4') => {
                self.choice = Choice::Redirect;
                DialogReply::Redraw
            }
            _ => DialogReply::Ignored,
        }
    }

    fn paste(&mut self, text: &str) -> DialogReply {
        if !self.editing() {
            return DialogReply::Ignored;
        }
        self.feedback.insert(text);
        DialogReply::Redraw
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

    fn answer(&self, choices: &[control::Choice]) -> Result<Response, Unfit> {
        told::answer(self, choices)
    }
}

impl ApprovalDialog {
    fn edit(&mut self, event: KeyEvent) -> DialogReply {
        if self.editing() && self.feedback.key(event) {
            DialogReply::Redraw
        } else {
            DialogReply::Ignored
        }
    }
}

/// What is asked about, in words: the command, what the tool says, or the description.
fn text(request: &ApprovalRequest) -> String {
    if let Some(command) = command(request) {
        return format!("$ {}", row::shown(command).trim_end());
    }
    let brief = request.display.iter().find_map(|block| match block {
        DisplayBlock::Brief { text } => Some(text),
        _ => None,
    });
    let mut text = row::shown(brief.unwrap_or(&request.description)).trim_end().to_owned();
    if request.action.starts_with("edit file") && request.display.is_empty() {
        text.push_str("\nno change to the content");
    }
    text
}

/// The command that would run, when the request is about one.
fn command(request: &ApprovalRequest) -> Option<&str> {
    request.display.iter().find_map(|block| match block {
        DisplayBlock::Shell { command, .. } => Some(command.as_str()),
        _ => None,
    })
}
