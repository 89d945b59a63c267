//! What servers report of calls that run, on its way to the screen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{NumberOrString, ProgressNotificationParam, ProgressToken};

use super::tidy::one_line;
use crate::tools::LiveOutput;

/// After a report the next ones of the call wait for so long, and of those the newest is shown: a
/// server that reports every byte must not fill screen and memory.
const REST: Duration = Duration::from_millis(100);
/// Warnings shown of one call.
const MOST_WARNINGS: usize = 50;
/// Characters of a line.
const MAX_LINE: usize = 200;

/// The calls that run on one connection, by the token they were sent with.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<HashMap<String, Running>>>);

struct Running {
    live: LiveOutput,
    /// A report was shown a moment ago.
    resting: bool,
    /// The newest report that was not shown yet.
    waiting: Option<String>,
    warnings: usize,
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
        self.lock()
            .insert(token.clone(), Running { live, resting: false, waiting: None, warnings: 0 });
        Watched { progress: self.clone(), token }
    }

    /// Takes a report. One that belongs to no call is dropped. Call it inside the runtime.
    pub fn report(&self, report: &ProgressNotificationParam) {
        let mut calls = self.lock();
        let token = key(&report.progress_token);
        let Some(call) = calls.get_mut(&token) else { return };
        call.waiting = Some(line(report));
        if !std::mem::replace(&mut call.resting, true) {
            call.show();
            drop(calls);
            tokio::spawn(self.clone().show_newest(token));
        }
    }

    /// Shows the newest report now and then, until there is none or the call is over.
    async fn show_newest(self, token: String) {
        loop {
            tokio::time::sleep(REST).await;
            let mut calls = self.lock();
            let Some(call) = calls.get_mut(&token) else { return };
            call.resting = call.show();
            if !call.resting {
                return;
            }
        }
    }

    /// Shows a line that says what the server is worried about. It does not say which call it is
    /// about, so all that run show it.
    pub fn warn(&self, line: &str) {
        for call in self.lock().values_mut() {
            if call.warnings < MOST_WARNINGS {
                call.warnings += 1;
                call.live.send(format!("{line}\n"));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Shows the report that waits; returns whether there was one.
    fn show(&mut self) -> bool {
        let line = self.waiting.take();
        line.map(|line| self.live.send(format!("{line}\n"))).is_some()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let call = self.progress.lock().remove(&self.token);
        // The last report is never the one left out.
        if let Some(mut call) = call {
            call.show();
        }
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

    #[tokio::test]
    async fn the_newest_report_is_shown_now_and_then_and_the_last_one_always() {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&shown);
        let live = LiveOutput::new(move |text| sink.lock().unwrap().push(text));
        let take = || std::mem::take(&mut *shown.lock().unwrap());
        let progress = Progress::default();
        let call = progress.watch(&ProgressToken(NumberOrString::Number(7)), live);
        progress.report(&report(7, "copy\u{1b}[2J\nfiles"));
        progress.report(&report(8, "somebody else's"));
        assert_eq!(take(), ["3/10 copy files\n"]);
        for n in 0..10_000 {
            progress.report(&report(7, &n.to_string()));
        }
        assert_eq!(take().len(), 0);
        let rested = async {
            while progress.lock().values().any(|call| call.resting) {
                tokio::time::sleep(REST / 10).await;
            }
        };
        tokio::time::timeout(REST * 200, rested).await.unwrap();
        assert_eq!(take(), ["3/10 9999\n"]);
        progress.report(&report(7, "at once again"));
        assert_eq!(take(), ["3/10 at once again\n"]);
        progress.report(&report(7, "done"));
        drop(call);
        assert_eq!(take(), ["3/10 done\n"]);
        assert!(progress.lock().is_empty());
    }

    #[tokio::test]
    async fn warnings_go_to_the_calls_that_run_and_are_not_endless() {
        let shown = Arc::new(Mutex::new(0));
        let sink = Arc::clone(&shown);
        let live = LiveOutput::new(move |_| *sink.lock().unwrap() += 1);
        let progress = Progress::default();
        progress.warn("nobody runs");
        let _call = progress.watch(&ProgressToken(NumberOrString::Number(7)), live);
        (0..MOST_WARNINGS * 2).for_each(|_| progress.warn("[error] x"));
        assert_eq!(*shown.lock().unwrap(), MOST_WARNINGS);
    }
}
