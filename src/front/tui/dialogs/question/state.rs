//! What is chosen in one question.

use crossterm::event::KeyEvent;

use crate::front::tui::dialogs::Field;
use crate::protocol::Question;

/// The selection in one question; it stays while other questions are shown.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The row under the mark; the one past the options is the free text.
    pub cursor: usize,
    /// Which options are ticked. At most one unless `multi`.
    pub ticked: Vec<bool>,
    /// Whether the free text counts.
    pub other_ticked: bool,
    pub other: Field,
    pub multi: bool,
    /// Whether there is a row for free text.
    pub takes_words: bool,
    pub answered: bool,
}

impl Sheet {
    pub fn new(question: &Question) -> Self {
        Self {
            cursor: 0,
            ticked: vec![false; question.options.len()],
            other_ticked: false,
            other: Field::default(),
            multi: question.multi_select,
            // A question without anything to choose could not be answered at all.
            takes_words: !question.only_options || question.options.is_empty(),
            answered: false,
        }
    }

    /// Rows to choose from, the free text among them where there is one.
    pub fn rows(&self) -> usize {
        self.ticked.len() + usize::from(self.takes_words)
    }

    /// Whether the mark is on the free text, so that keys are text.
    pub fn on_other(&self) -> bool {
        self.takes_words && self.cursor >= self.ticked.len()
    }

    pub fn go(&mut self, by: isize) {
        let rows = self.rows();
        self.cursor = self.cursor.saturating_add_signed(by.rem_euclid(rows as isize)) % rows;
    }

    /// Ticks or unticks the row under the mark.
    pub fn toggle(&mut self) {
        if let Some(ticked) = self.ticked.get_mut(self.cursor) {
            *ticked = !*ticked;
        }
        self.answered = false;
    }

    /// The number key of row `at`: `None` when there is no such row, `Some(true)` when that settles
    /// the question.
    pub fn pick(&mut self, at: usize) -> Option<bool> {
        if at >= self.rows() {
            return None;
        }
        self.cursor = at;
        if self.on_other() {
            return Some(false);
        }
        if self.multi {
            self.toggle();
        }
        Some(!self.multi)
    }

    /// An editing key for the free text.
    pub fn edit(&mut self, event: KeyEvent) -> bool {
        let taken = self.other.key(event);
        if taken {
            self.edited();
        }
        taken
    }

    pub fn paste(&mut self, text: &str) {
        self.other.insert(text);
        self.edited();
    }

    fn edited(&mut self) {
        if self.multi || self.other_ticked {
            self.other_ticked = !self.other.is_blank();
            self.answered = false;
        }
    }

    /// Makes the selection the answer; `false` when nothing is selected.
    pub fn settle(&mut self) -> bool {
        if !self.multi {
            if self.on_other() && self.other.is_blank() {
                return false;
            }
            self.other_ticked = self.on_other();
            for (at, ticked) in self.ticked.iter_mut().enumerate() {
                *ticked = at == self.cursor;
            }
        }
        self.answered = self.other_ticked || self.ticked.contains(&true);
        self.answered
    }

    /// Whether there is something to send, confirmed or only ticked.
    pub fn has_answer(&self) -> bool {
        self.answered || self.multi && (self.other_ticked || self.ticked.contains(&true))
    }

    /// Labels joined by `, `, the free text last.
    pub fn answer(&self, question: &Question) -> String {
        let labels = question
            .options
            .iter()
            .zip(&self.ticked)
            .filter(|(_, ticked)| **ticked)
            .map(|(option, _)| option.label.as_str());
        let other = self.other_ticked.then(|| self.other.text().trim());
        labels.chain(other).collect::<Vec<_>>().join(", ")
    }
}
