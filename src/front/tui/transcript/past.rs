//! The conversation as text, for the pager and for copying: nothing folded, nothing left out.

use ratatui::text::{Line, Span};

use crate::front::text::clean;
use crate::front::tui::cells::ToolCard;
use crate::front::tui::theme::{Theme, Tone};

/// Bytes kept. The oldest entries give way: the whole conversation is in the session's files.
const LIMIT: usize = 16 * 1024 * 1024;

/// What has been said, oldest first.
#[derive(Debug, Default)]
pub struct Past {
    entries: std::collections::VecDeque<(Speaker, String)>,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Thinking,
    Answer,
    Tool,
    Note,
}

impl Past {
    pub(super) fn user(&mut self, text: &str) {
        self.push(Speaker::User, text.to_owned());
    }

    pub(super) fn thinking(&mut self, text: String) {
        self.push(Speaker::Thinking, text);
    }

    pub(super) fn answer(&mut self, text: String) {
        self.push(Speaker::Answer, text);
    }

    pub(super) fn tool(&mut self, card: &ToolCard) {
        self.push(Speaker::Tool, card.plain());
    }

    pub(super) fn note(&mut self, text: &str) {
        self.push(Speaker::Note, text.to_owned());
    }

    fn push(&mut self, speaker: Speaker, text: String) {
        self.bytes += text.len();
        self.entries.push_back((speaker, text));
        while self.bytes > LIMIT && self.entries.len() > 1 {
            if let Some((_, old)) = self.entries.pop_front() {
                self.bytes -= old.len();
            }
        }
    }

    /// Everything, with thinking and outputs whole.
    pub fn lines(&self, theme: &Theme) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        for (speaker, text) in &self.entries {
            let (label, tone) = match speaker {
                Speaker::User => ("You", Tone::User),
                Speaker::Thinking => ("Thinking", Tone::Thinking),
                Speaker::Answer => ("Answer", Tone::Accent),
                Speaker::Tool => ("Tool", Tone::Info),
                Speaker::Note => ("Note", Tone::Dim),
            };
            lines.push(Line::from(Span::styled(label, theme.style(tone))));
            let body = match speaker {
                Speaker::Thinking => theme.style(Tone::Thinking),
                _ => theme.style(Tone::Text),
            };
            lines.extend(
                clean(text).lines().map(|line| Line::from(Span::styled(format!("  {line}"), body))),
            );
            lines.push(Line::default());
        }
        lines
    }

    /// The newest answer, as the model wrote it.
    pub fn last_answer(&self) -> Option<&str> {
        let mut answers = self.entries.iter().rev().filter(|(by, _)| *by == Speaker::Answer);
        answers.next().map(|(_, text)| text.as_str())
    }

    /// Whether nothing has been said.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
