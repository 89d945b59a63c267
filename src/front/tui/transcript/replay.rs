//! Shows recorded turns of a resumed session, through the same code as live ones.

use std::time::Instant;

use super::{Transcript, Update};
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
) -> Update {
    let mut shown = Update::default();
    let mut open = false;
    for (event, time) in events {
        if matches!(event, Event::TurnEnd {}) {
            shown.append(close(transcript, now, columns, theme));
            open = false;
            continue;
        }
        // A turn that a killed process left open ends where the next one begins.
        if matches!(event, Event::TurnBegin { .. }) && open {
            shown.append(close(transcript, now, columns, theme));
        }
        open = true;
        shown.append(transcript.event(event, now, &time, columns, theme));
    }
    if open {
        shown.append(close(transcript, now, columns, theme));
    }
    shown
}

/// Closes a replayed turn, without the row that says how long it took.
fn close(transcript: &mut Transcript, now: Instant, columns: u16, theme: &Theme) -> Update {
    let outcome = Outcome::Finished { stop: StopReason::NoToolCalls };
    let mut update = transcript.outcome(&outcome, None, now, columns, theme);
    // The closing row and the free row after it.
    update.truncate(update.rows.len().saturating_sub(2));
    update
}
