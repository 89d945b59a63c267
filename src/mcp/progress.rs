//! What servers report of calls that run, on its way to the screen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{NumberOrString, ProgressNotificationParam, ProgressToken};

use super::tidy::one_line;
use crate::tools::LiveOutput;

/// Lines shown of one call: a server that reports every byte must not fill the memory.
const MOST_LINES: usize = 200;
/// Characters of a line.
const MAX_LINE: usize = 200;

/// The calls that run on one connection, by the token they were sent with.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<HashMap<String, Running>>>);

struct Running {
    live: LiveOutput,
    lines: usize,
}

/// A call whose progress is shown, until this is dropped.
pub(super) struct Watched {
    progress: Progress,
    token: String,
}

impl Progress {
    /// Shows the progress of a call.
    pub fn watch(&self, token: &ProgressToken, live: LiveOutput) -> Watched {
        let token = key(token);
        self.lock().insert(token.clone(), Running { live, lines: 0 });
        Watched { progress: self.clone(), token }
    }

    /// Takes a report. One that belongs to no call is dropped.
    pub fn report(&self, report: &ProgressNotificationParam) {
        let mut calls = self.lock();
        let Some(call) = calls.get_mut(&key(&report.progress_token)) else { return };
        if call.lines < MOST_LINES {
            call.lines += 1;
            call.live.send(format!("{}\n", line(report)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.progress.lock().remove(&self.token);
    }
}

fn key(token: &ProgressToken) -> String {
    match &token.0 {
        NumberOrString::Number(number) => number.to_string(),
        NumberOrString::String(text) => format!("\"{text}"),
    }
}

/// `3/10 copying files`, `30%`, or the number alone.
fn line(report: &ProgressNotificationParam) -> String {
    let so_far = match report.total {
        Some(total) if total > 0.0 => format!("{}/{total}", report.progress),
        _ => report.progress.to_string(),
    };
    match report.message.as_deref().map(|message| one_line(message, MAX_LINE)) {
        Some(message) if !message.is_empty() => format!("{so_far} {message}"),
        _ => so_far,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(token: i64, message: &str) -> ProgressNotificationParam {
        let token = ProgressToken(NumberOrString::Number(token));
        ProgressNotificationParam::new(token, 3.0).with_total(10.0).with_message(message)
    }

    #[test]
    fn reports_are_shown_while_the_call_runs_and_not_for_ever() {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&shown);
        let live = LiveOutput::new(move |text| sink.lock().unwrap().push(text));
        let progress = Progress::default();
        let call = progress.watch(&ProgressToken(NumberOrString::Number(7)), live);
        progress.report(&report(7, "copy\u{1b}[2J\nfiles"));
        progress.report(&report(8, "somebody else's"));
        assert_eq!(*shown.lock().unwrap(), ["3/10 copy files\n"]);
        for _ in 0..MOST_LINES * 2 {
            progress.report(&report(7, "more"));
        }
        assert_eq!(shown.lock().unwrap().len(), MOST_LINES);
        drop(call);
        assert!(progress.lock().is_empty());
    }
}
