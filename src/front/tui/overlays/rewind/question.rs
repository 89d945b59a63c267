//! Files that others have changed since: touch them or not.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::{Line, Span};

use super::page::file_row;
use super::{files, whose};
use crate::agent::{Fate, Plan, PlannedFile, Target};
use crate::front::text::truncate;
use crate::front::tui::cells::row;
use crate::front::tui::theme::{Theme, Tone};
use crate::protocol::Hand;

/// What becomes of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Restore,
    Keep,
    /// These stay as they are.
    KeepSome(Vec<String>),
    Cancel,
}

/// What can be answered to all files at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Restore,
    Keep,
    Each,
    Cancel,
}

/// One question about all files of one hand.
pub(super) struct Question {
    hand: Hand,
    selected: usize,
    /// The files are gone through one by one.
    each: Option<Each>,
}

/// What was said of each file so far.
struct Each {
    at: usize,
    kept: Vec<bool>,
}

impl Question {
    /// The questions that a plan raises.
    pub fn all(plan: &Plan) -> Vec<Self> {
        // What somebody did by hand is theirs; what a command did came from the conversation.
        [(Hand::User, 1), (Hand::Command, 0)]
            .into_iter()
            .filter(|(hand, _)| plan.of(*hand).next().is_some())
            .map(|(hand, selected)| Self { hand, selected, each: None })
            .collect()
    }

    pub fn hand(&self) -> Hand {
        self.hand
    }

    fn choices(&self, plan: &Plan) -> &'static [Choice] {
        match plan.of(self.hand).count() {
            0 | 1 => &[Choice::Restore, Choice::Keep, Choice::Cancel],
            _ => &[Choice::Restore, Choice::Keep, Choice::Each, Choice::Cancel],
        }
    }

    pub fn key(&mut self, key: KeyEvent, plan: &Plan) -> Option<Answer> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Some(Answer::Cancel);
        }
        if self.each.is_some() {
            return self.key_of_each(key, plan);
        }
        let choices = self.choices(plan);
        let count = choices.len();
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Some(Answer::Cancel),
            KeyCode::Char(digit @ '1'..='9') => {
                let choice = choices.get(usize::from(digit as u8 - b'1')).copied();
                return choice.and_then(|choice| self.choose(choice, plan));
            }
            KeyCode::Enter => {
                let choice = choices.get(self.selected).copied();
                return choice.and_then(|choice| self.choose(choice, plan));
            }
            KeyCode::Up | KeyCode::Char('k') => self.selected = (self.selected + count - 1) % count,
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => {
                self.selected = (self.selected + 1) % count;
            }
            _ => {}
        }
        None
    }

    fn choose(&mut self, choice: Choice, plan: &Plan) -> Option<Answer> {
        match choice {
            Choice::Restore => Some(Answer::Restore),
            Choice::Keep => Some(Answer::Keep),
            Choice::Cancel => Some(Answer::Cancel),
            Choice::Each => {
                let kept = vec![self.hand == Hand::User; plan.of(self.hand).count()];
                self.each = Some(Each { at: 0, kept });
                None
            }
        }
    }

    fn key_of_each(&mut self, key: KeyEvent, plan: &Plan) -> Option<Answer> {
        let each = self.each.as_mut()?;
        let last = each.kept.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => self.each = None,
            KeyCode::Enter => {
                let kept = plan.of(self.hand).zip(&each.kept).filter(|(_, kept)| **kept);
                return Some(Answer::KeepSome(
                    kept.map(|(file, _)| file.name().to_owned()).collect(),
                ));
            }
            KeyCode::Char(' ') | KeyCode::Left | KeyCode::Right => {
                if let Some(kept) = each.kept.get_mut(each.at) {
                    *kept = !*kept;
                }
            }
            KeyCode::Up | KeyCode::Char('k') => each.at = each.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => each.at = (each.at + 1).min(last),
            KeyCode::Home => each.at = 0,
            KeyCode::End => each.at = last,
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
        if let Some(each) = &self.each {
            return each.rows(rows, &of, size, theme);
        }
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
        let page = height.saturating_sub(rows.len() + 3 + self.choices(plan).len()).max(1);
        let more = of.len().saturating_sub(page);
        let shown = if more > 0 { page.saturating_sub(1) } else { page };
        let left = of.len().saturating_sub(shown);
        rows.extend(of.into_iter().take(shown).map(|file| file_row(file, room, theme)));
        if left > 0 {
            rows.push(styled(&format!("  … {left} more"), Tone::Dim));
        }
        rows.push(Line::default());
        for (at, choice) in self.choices(plan).iter().copied().enumerate() {
            let words = match (choice, self.hand) {
                (Choice::Restore, Hand::User) => {
                    format!("Restore anyway{gone}: /redo has what is there now")
                }
                (Choice::Restore, _) => format!("Restore{gone}: /redo has what is there now"),
                (Choice::Keep, Hand::User) => "Keep mine".to_owned(),
                (Choice::Keep, _) => "Keep as it is now".to_owned(),
                (Choice::Each, _) => "Choose for each file".to_owned(),
                (Choice::Cancel, _) => "Cancel".to_owned(),
            };
            let (mark, tone) =
                if at == self.selected { ("▶", Tone::Selected) } else { (" ", Tone::Text) };
            rows.push(styled(&format!("{mark} {} {words}", at + 1), tone));
        }
        rows.resize(height.saturating_sub(1), Line::default());
        let keys = format!("↑↓ 1-{} choose · ↵ confirm · esc back", self.choices(plan).len());
        rows.push(styled(&keys, Tone::Status));
        rows.truncate(height);
        rows
    }
}

impl Each {
    /// The files with what becomes of them, the marked one always in sight.
    fn rows(
        &self,
        mut rows: Vec<Line<'static>>,
        of: &[&PlannedFile],
        size: Size,
        theme: &Theme,
    ) -> Vec<Line<'static>> {
        /// Columns that the mark and the word take.
        const BEFORE: usize = 10;
        let room = usize::from(size.width).saturating_sub(1);
        let height = usize::from(size.height);
        rows.push(Line::default());
        let page = height.saturating_sub(rows.len() + 2).max(1);
        let first = (self.at + 1).saturating_sub(page);
        for (n, (file, kept)) in of.iter().zip(&self.kept).enumerate().skip(first).take(page) {
            let word = if *kept { "keep   " } else { "restore" };
            let (mark, tone) =
                if n == self.at { ("▶", Tone::Selected) } else { (" ", Tone::Text) };
            let file = file_row(file, room.saturating_sub(BEFORE), theme);
            let said = Span::styled(format!("{mark} {word}"), theme.style(tone));
            rows.push(row::row(std::iter::once(said).chain(file.spans)));
        }
        rows.resize(height.saturating_sub(1), Line::default());
        let keys = "↑↓ choose · space keep or restore · ↵ confirm · esc back";
        rows.push(row::row([Span::styled(truncate(keys, room), theme.style(Tone::Status))]));
        rows.truncate(height);
        rows
    }
}
