//! Files that others have changed since: touch them or not.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::page::file_row;
use super::{files, whose};
use crate::agent::{Fate, Plan, Target};
use crate::front::tui::cells::row;
use crate::front::tui::text::truncate;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::Hand;

/// What becomes of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Restore,
    Keep,
    Cancel,
}

const ANSWERS: [Answer; 3] = [Answer::Restore, Answer::Keep, Answer::Cancel];

/// One question about all files of one hand.
pub(super) struct Question {
    hand: Hand,
    selected: usize,
}

impl Question {
    /// The questions that a plan raises.
    pub fn all(plan: &Plan) -> Vec<Self> {
        // What somebody did by hand is theirs; what a command did came from the conversation.
        [(Hand::User, 1), (Hand::Command, 0)]
            .into_iter()
            .filter(|(hand, _)| plan.of(*hand).next().is_some())
            .map(|(hand, selected)| Self { hand, selected })
            .collect()
    }

    pub fn hand(&self) -> Hand {
        self.hand
    }

    pub fn key(&mut self, key: KeyEvent) -> Option<Answer> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Some(Answer::Cancel),
            KeyCode::Char('c') if control => return Some(Answer::Cancel),
            KeyCode::Char(digit @ '1'..='3') => {
                return ANSWERS.get(usize::from(digit as u8 - b'1')).copied();
            }
            KeyCode::Enter => return ANSWERS.get(self.selected).copied(),
            KeyCode::Up | KeyCode::Char('k') => self.selected = (self.selected + 2) % 3,
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => {
                self.selected = (self.selected + 1) % 3;
            }
            _ => {}
        }
        None
    }

    pub fn rows(&self, plan: &Plan, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        let room = usize::from(size.width).saturating_sub(1);
        let styled =
            |text: &str, tone| row::row([Span::styled(truncate(text, room), theme.style(tone))]);
        let of: Vec<_> = plan.of(self.hand).collect();
        let whose = match plan.target {
            Target::Point(_) => whose(self.hand),
            Target::Redo => "changed since the rewind",
        };
        let title = format!("? {} {whose}", files(of.len()));
        let mut rows = vec![styled(&title, Tone::Attention)];
        if self.hand == Hand::Command && matches!(plan.target, Target::Point(_)) {
            rows.push(styled("  by it, or by you or another program at that time", Tone::Dim));
        }
        rows.push(Line::default());
        let gone = of.iter().filter(|file| file.fate == Fate::Goes).count();
        let gone = match gone {
            0 => String::new(),
            1 => ", 1 goes".to_owned(),
            n => format!(", {n} go"),
        };
        let height = usize::from(size.height);
        let page = height.saturating_sub(rows.len() + 6).max(1);
        let more = of.len().saturating_sub(page);
        let shown = if more > 0 { page.saturating_sub(1) } else { page };
        let left = of.len().saturating_sub(shown);
        rows.extend(of.into_iter().take(shown).map(|file| file_row(file, room, theme)));
        if left > 0 {
            rows.push(styled(&format!("  … {left} more"), Tone::Dim));
        }
        rows.push(Line::default());
        for (at, answer) in ANSWERS.into_iter().enumerate() {
            let words = match (answer, self.hand) {
                (Answer::Restore, Hand::User) => {
                    format!("Restore anyway{gone}: /redo has what is there now")
                }
                (Answer::Restore, _) => format!("Restore{gone}: /redo has what is there now"),
                (Answer::Keep, Hand::User) => "Keep mine".to_owned(),
                (Answer::Keep, _) => "Keep as it is now".to_owned(),
                (Answer::Cancel, _) => "Cancel".to_owned(),
            };
            let (mark, tone) =
                if at == self.selected { ("▶", Tone::Selected) } else { (" ", Tone::Text) };
            rows.push(styled(&format!("{mark} {} {words}", at + 1), tone));
        }
        rows.resize(height.saturating_sub(1), Line::default());
        rows.push(styled("↑↓ 1-3 choose · ↵ confirm · esc back", Tone::Status));
        rows.truncate(height);
        rows
    }
}
