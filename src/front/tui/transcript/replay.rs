//! Shows recorded turns of a resumed session, through the same code as live ones.

use std::time::Instant;

use ratatui::text::Line;

use super::Transcript;
use crate::front::tui::theme::Theme;
use crate::protocol::{Event, Outcome, StopReason};

/// The rows of recorded events.
///
/// Instants are all the same: the record has no durations that would be worth showing.
pub fn replay<'a>(
    transcript: &mut Transcript,
    events: impl Iterator<Item = (&'a Event, String)>,
    now: Instant,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let mut rows: Vec<Line<'static>> = Vec::new();
    let mut open = false;
    for (event, time) in events {
        if matches!(event, Event::TurnEnd {}) {
            rows.extend(close(transcript, now, columns, theme));
            open = false;
            continue;
        }
        // A turn that a killed process left open ends where the next one begins.
        if matches!(event, Event::TurnBegin { .. }) && open {
            rows.extend(close(transcript, now, columns, theme));
        }
        open = true;
        let update = transcript.event(event, now, &time, columns, theme);
        rows.truncate(rows.len().saturating_sub(update.retract));
        rows.extend(update.rows);
    }
    if open {
        rows.extend(close(transcript, now, columns, theme));
    }
    rows
}

/// Closes a replayed turn, without the row that says how long it took.
fn close(
    transcript: &mut Transcript,
    now: Instant,
    columns: u16,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let outcome = Outcome::Finished { stop: StopReason::NoToolCalls };
    let mut rows = transcript.outcome(&outcome, None, now, columns, theme).rows;
    // The closing row and the free row after it.
    rows.truncate(rows.len().saturating_sub(2));
    rows
}
