//! The calls that run, in the live region.

use std::time::Instant;

use ratatui::text::{Line, Span};

use super::{Phase, Transcript};
use crate::front::text::truncate;
use crate::front::tui::cells::row;
use crate::front::tui::theme::Theme;
use crate::protocol::Event;

impl Transcript {
    /// What a subagent of a running call has told: its id and type, and the event.
    pub(super) fn subagent_event(
        &mut self,
        call: &str,
        (id, kind): (Option<&str>, Option<&str>),
        event: &Event,
        now: Instant,
    ) {
        if let Some(call) = self.calls.iter_mut().find(|running| running.id == call) {
            call.card.starts_agents(&call.arguments);
            call.card.agent_event(id.unwrap_or_default(), kind.unwrap_or("agent"), event, now);
        }
    }

    pub(super) fn calls_phase(
        &self,
        now: Instant,
        columns: u16,
        max_rows: usize,
        theme: &Theme,
    ) -> Phase {
        let headline_columns = columns.saturating_sub(34).max(20);
        if let [call] = self.calls.as_slice() {
            let mut rows = call.card.agent_rows(now, columns, max_rows, theme);
            let left = max_rows.saturating_sub(rows.len());
            rows.extend(call.card.live_rows(columns, left, theme));
            return Phase {
                words: plain(&call.card.running_headline(headline_columns, theme)),
                rows,
            };
        }
        let mut rows = Vec::new();
        for (n, call) in self.calls.iter().enumerate() {
            // Each that follows needs a row too.
            let others = self.calls.len() - n - 1;
            let room = max_rows.saturating_sub(rows.len() + others);
            if rows.len() >= max_rows {
                break;
            }
            let mut spans = vec![Span::raw("   ")];
            spans.extend(call.card.running_headline(columns.saturating_sub(4), theme).spans);
            rows.push(Line::from(spans));
            if let Some(line) = call.card.agent_line(now).filter(|_| room >= 2) {
                let line = truncate(&line, usize::from(columns).saturating_sub(6));
                rows.push(Line::from(vec![
                    Span::raw("     "),
                    Span::styled(line, row::trace(theme)),
                ]));
            }
        }
        Phase { words: format!("Using {} tools…", self.calls.len()), rows }
    }
}

fn plain(line: &Line<'_>) -> String {
    line.spans.iter().map(|span| span.content.as_ref()).collect()
}
