//! The goals that wait for the one before them.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use ratatui::text::Line;

use super::{ListItem, ListPicker, Overlay, OverlayReply};
use crate::front::tui::theme::Theme;
use crate::protocol::UpcomingGoal;

/// The list.
#[derive(Debug, Clone)]
pub struct GoalPicker {
    list: ListPicker,
}

impl GoalPicker {
    /// A list of these goals, the next one first.
    pub fn new(goals: &[UpcomingGoal]) -> Self {
        let hint = "enter makes it the first · ctrl-d takes it out";
        Self { list: ListPicker::new("Goals that come next", hint, rows(goals)) }
    }

    /// The goals as they are now; the mark stays.
    pub fn set_goals(&mut self, goals: &[UpcomingGoal]) {
        self.list.set_items(rows(goals));
    }
}

fn rows(goals: &[UpcomingGoal]) -> Vec<ListItem> {
    let row = |(n, goal): (usize, &UpcomingGoal)| ListItem {
        id: goal.id.clone(),
        label: format!("{}. {}", n + 1, goal.objective),
        ..ListItem::default()
    };
    goals.iter().enumerate().map(row).collect()
}

impl Overlay for GoalPicker {
    fn key(&mut self, key: KeyEvent, size: Size) -> OverlayReply {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.kind != KeyEventKind::Release && key.code == KeyCode::Char('d') {
            return match self.list.selected_id() {
                Some(id) => OverlayReply::UnqueueGoal(id.to_owned()),
                None => OverlayReply::Ignored,
            };
        }
        match self.list.key(key, size) {
            OverlayReply::Picked(id) => OverlayReply::FirstGoal(id),
            reply => reply,
        }
    }

    fn paste(&mut self, text: &str) -> OverlayReply {
        self.list.paste(text)
    }

    fn rows(&self, size: Size, theme: &Theme) -> Vec<Line<'static>> {
        self.list.draw(size, None, theme)
    }
}
