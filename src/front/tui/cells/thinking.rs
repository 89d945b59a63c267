//! The model's thinking: rolling rows while it lasts, one row after.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::format::{count, elapsed_whole};
use super::row;
use crate::front::text::truncate;
use crate::front::tui::theme::Theme;

/// Rows of live thinking.
const LIVE_ROWS: usize = 6;

/// A stretch of thinking.
#[derive(Debug, Clone, Default)]
pub struct ThinkingCell {
    text: String,
}

impl ThinkingCell {
    /// The next piece.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Whether nothing that shows has come yet.
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The last rows of what is being thought, at most six, for the live region. Costs the same
    /// however long the thought is.
    pub fn live_rows(&self, columns: u16, max_rows: usize, theme: &Theme) -> Vec<Line<'static>> {
        let room = usize::from(columns).saturating_sub(2).max(1);
        let max_rows = max_rows.min(LIVE_ROWS);
        let recent = recent(&self.text, room.saturating_mul(LIVE_ROWS + 1).saturating_mul(4));
        let (rows, _) =
            row::tail_rows(row::said(recent).trim(), row::thought(theme), room, max_rows);
        rows.into_iter().map(|line| row::prefixed(Span::raw("  "), line)).collect()
    }

    /// The row that stays: how long it took and how many tokens, if known.
    pub fn summary(
        duration: Duration,
        tokens: Option<u64>,
        columns: u16,
        theme: &Theme,
    ) -> Line<'static> {
        let mut text = "• Thought".to_owned();
        if duration >= Duration::from_secs(1) {
            text.push_str(&format!(" for {}", elapsed_whole(duration)));
        }
        if let Some(tokens) = tokens {
            text.push_str(&format!(" · {} tokens", count(tokens)));
        }
        let room = usize::from(columns).saturating_sub(1);
        row::row([Span::styled(truncate(&text, room), row::trace(theme))])
    }

    /// The whole thought as text.
    pub fn plain(&self) -> String {
        self.text.clone()
    }
}

/// About the last `bytes` of a text, from the start of a word where there is one.
fn recent(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut start = text.len() - bytes;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let tail = text.get(start..).unwrap_or_default();
    let word = tail.find(char::is_whitespace).filter(|at| *at < tail.len() / 2).unwrap_or(0);
    tail.get(word..).unwrap_or(tail)
}
