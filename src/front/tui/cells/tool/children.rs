//! The calls of a subagent, inside the card of the call that started it.

use std::collections::VecDeque;

use ratatui::text::{Line, Span};

use crate::front::tui::cells::row;
use crate::front::tui::text::{truncate, truncate_middle, width};
use crate::front::tui::theme::{Theme, Tone};

/// Finished calls that are shown.
const SHOWN: usize = 4;
/// Calls that run at once and are kept; a subagent that never ends any loses the oldest.
const RUNNING: usize = 16;

/// One inner call.
#[derive(Debug, Clone)]
struct Child {
    id: String,
    name: String,
    key: String,
    failed: bool,
}

/// What a subagent does, kept short.
#[derive(Debug, Clone, Default)]
pub struct Children {
    /// `coder (a3c9bb36)`.
    agent: Option<String>,
    running: VecDeque<Child>,
    finished: VecDeque<Child>,
    dropped: usize,
}

impl Children {
    /// Which agent works.
    pub fn set_agent(&mut self, kind: &str, id: &str) {
        let id: String = row::foreign_line(id).chars().take(9).collect();
        let kind = row::foreign_line(kind);
        self.agent = Some(if id.is_empty() { kind } else { format!("{kind} ({id})") });
    }

    /// An inner call began.
    pub fn begin(&mut self, id: &str, name: &str, key: Option<&str>) {
        self.running.push_back(Child {
            id: id.to_owned(),
            name: row::foreign_line(name),
            key: key.map(row::foreign_line).unwrap_or_default(),
            failed: false,
        });
        if self.running.len() > RUNNING {
            self.running.pop_front();
        }
    }

    /// The arguments of an inner call are known better now.
    pub fn set_key(&mut self, id: &str, key: Option<&str>) {
        if let Some(child) = self.running.iter_mut().find(|child| child.id == id) {
            child.key = key.map(row::foreign_line).unwrap_or_default();
        }
    }

    /// An inner call ended.
    pub fn end(&mut self, id: &str, failed: bool) {
        let Some(at) = self.running.iter().position(|child| child.id == id) else { return };
        if let Some(child) = self.running.remove(at) {
            self.finished.push_back(Child { failed, ..child });
        }
        if self.finished.len() > SHOWN {
            self.finished.pop_front();
            self.dropped += 1;
        }
    }

    /// The agent, the last finished calls and, while `live`, the one that runs.
    pub fn rows(&self, columns: usize, live: bool, theme: &Theme) -> Vec<Line<'static>> {
        let trace = row::trace(theme);
        let mut rows = Vec::new();
        let mut say =
            |text: String| rows.push(Span::styled(truncate(&text, columns), trace).into());
        if let Some(agent) = &self.agent {
            say(format!("subagent {agent}"));
        }
        match self.dropped {
            0 => {}
            1 => say("… 1 more tool call".to_owned()),
            n => say(format!("… {n} more tool calls")),
        }
        for child in &self.finished {
            let tone = if child.failed { Tone::Error } else { Tone::Success };
            let bullet = Span::styled("• ", theme.style(tone));
            let ending = if child.failed { " · failed" } else { "" };
            rows.push(child.row(bullet, "Used ", ending, columns, theme));
        }
        if let Some(child) = self.running.back().filter(|_| live) {
            rows.push(child.row(Span::styled("› ", trace), "Using ", "", columns, theme));
        }
        rows
    }
}

impl Child {
    fn row(
        &self,
        mark: Span<'static>,
        verb: &'static str,
        ending: &'static str,
        columns: usize,
        theme: &Theme,
    ) -> Line<'static> {
        let trace = row::trace(theme);
        let left = columns.saturating_sub(2 + verb.len() + ending.len());
        let name = truncate(&self.name, left);
        let room = left.saturating_sub(width(&name) + 3);
        let mut spans = vec![mark, Span::styled(truncate(verb, columns.saturating_sub(2)), trace)];
        spans.push(Span::styled(name, theme.style(Tone::Accent)));
        if room >= 4 && !self.key.is_empty() {
            spans.push(Span::styled(format!(" ({})", truncate_middle(&self.key, room)), trace));
        }
        if left > 0 {
            spans.push(Span::styled(ending, theme.style(Tone::Error)));
        }
        spans.into()
    }
}
