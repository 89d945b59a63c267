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
/// Tokens of no known call whose reports are kept while a call is being sent.
const MOST_EARLY: usize = 64;

/// The calls that run on one connection.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    next: u64,
    running: HashMap<u64, Running>,
    /// The newest report of tokens that belong to no call yet. A call learns its token when it is on
    /// its way, and a quick server has reported by then.
    early: HashMap<ProgressToken, String>,
}

struct Running {
    live: LiveOutput,
    /// What it was sent with; `None` while it is being sent.
    token: Option<ProgressToken>,
    /// A report was shown a moment ago.
    resting: bool,
    /// The newest report that was not shown yet.
    waiting: Option<String>,
    warnings: usize,
}

/// A call whose progress is shown, until this is dropped.
pub(super) struct Watched {
    progress: Progress,
    id: u64,
}

impl Progress {
    /// Shows the progress of a call that is about to be sent.
    pub fn watch(&self, live: LiveOutput) -> Watched {
        let mut calls = self.lock();
        let id = calls.next;
        calls.next += 1;
        let call = Running { live, token: None, resting: false, waiting: None, warnings: 0 };
        calls.running.insert(id, call);
        Watched { progress: self.clone(), id }
    }

    /// Takes a report. One that belongs to no call is dropped. Call it inside the runtime.
    pub fn report(&self, report: &ProgressNotificationParam) {
        let mut calls = self.lock();
        let token = &report.progress_token;
        let mut running = calls.running.iter().map(|(id, call)| (*id, &call.token));
        match running.find(|(_, of)| of.as_ref() == Some(token)) {
            Some((id, _)) => self.take(calls, id, line(report)),
            None => calls.keep_early(report),
        }
    }

    /// Shows a line of a call, or lets it wait.
    fn take(&self, mut calls: MutexGuard<'_, Calls>, id: u64, line: String) {
        let Some(call) = calls.running.get_mut(&id) else { return };
        call.waiting = Some(line);
        if !std::mem::replace(&mut call.resting, true) {
            call.show();
            drop(calls);
            tokio::spawn(self.clone().show_newest(id));
        }
    }

    /// Shows the newest report now and then, until there is none or the call is over.
    async fn show_newest(self, id: u64) {
        loop {
            tokio::time::sleep(REST).await;
            let mut calls = self.lock();
            let Some(call) = calls.running.get_mut(&id) else { return };
            call.resting = call.show();
            if !call.resting {
                return;
            }
        }
    }

    /// Shows a line that says what the server is worried about. It does not say which call it is
    /// about, so all that run show it.
    pub fn warn(&self, line: &str) {
        for call in self.lock().running.values_mut() {
            if call.warnings < MOST_WARNINGS {
                call.warnings += 1;
                call.live.send(format!("{line}\n"));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// Keeps a report whose call may be about to learn its token. Ours are numbers.
    fn keep_early(&mut self, report: &ProgressNotificationParam) {
        let token = &report.progress_token;
        let room = self.early.len() < MOST_EARLY || self.early.contains_key(token);
        if self.any_nameless() && room && matches!(token.0, NumberOrString::Number(_)) {
            self.early.insert(token.clone(), line(report));
        }
    }

    /// Forgets the reports that nobody can claim any more.
    fn forget_early(&mut self) {
        if !self.any_nameless() {
            self.early.clear();
        }
    }

    fn any_nameless(&self) -> bool {
        self.running.values().any(|call| call.token.is_none())
    }
}

impl Running {
    /// Shows the report that waits; returns whether there was one.
    fn show(&mut self) -> bool {
        let line = self.waiting.take();
        line.map(|line| self.live.send(format!("{line}\n"))).is_some()
    }
}

impl Watched {
    /// The call was sent with this token. Call it inside the runtime.
    pub fn sent(&self, token: &ProgressToken) {
        let mut calls = self.progress.lock();
        if let Some(call) = calls.running.get_mut(&self.id) {
            call.token = Some(token.clone());
        }
        let early = calls.early.remove(token);
        calls.forget_early();
        if let Some(line) = early {
            self.progress.take(calls, self.id, line);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut calls = self.progress.lock();
        let call = calls.running.remove(&self.id);
        calls.forget_early();
        drop(calls);
        // The last report is never the one left out.
        if let Some(mut call) = call {
            call.show();
        }
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

    fn token(number: i64) -> ProgressToken {
        ProgressToken(NumberOrString::Number(number))
    }

    fn report(number: i64, message: &str) -> ProgressNotificationParam {
        ProgressNotificationParam::new(token(number), 3.0).with_total(10.0).with_message(message)
    }

    /// A sink, and what takes what came to it.
    fn sink() -> (LiveOutput, impl Fn() -> Vec<String>) {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&shown);
        let live = LiveOutput::new(move |text| sink.lock().unwrap().push(text));
        (live, move || std::mem::take(&mut *shown.lock().unwrap()))
    }

    #[tokio::test]
    async fn the_newest_report_is_shown_now_and_then_and_the_last_one_always() {
        let (live, take) = sink();
        let progress = Progress::default();
        let call = progress.watch(live);
        call.sent(&token(7));
        progress.report(&report(7, "copy\u{1b}[2J\nfiles"));
        progress.report(&report(8, "somebody else's"));
        assert_eq!(take(), ["3/10 copy files\n"]);
        for n in 0..10_000 {
            progress.report(&report(7, &n.to_string()));
        }
        assert_eq!(take().len(), 0);
        let rested = async {
            while progress.lock().running.values().any(|call| call.resting) {
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
        assert!(progress.lock().running.is_empty());
    }

    #[tokio::test]
    async fn a_report_that_comes_before_its_call_has_a_token_is_shown() {
        let (live, take) = sink();
        let progress = Progress::default();
        let call = progress.watch(live);
        progress.report(&report(7, "early"));
        progress.report(&report(7, "still early"));
        progress.report(&report(8, "somebody else's"));
        assert_eq!(take().len(), 0);
        call.sent(&token(7));
        assert_eq!(take(), ["3/10 still early\n"]);
        // What nobody claims is not kept, and a flood of it is bounded.
        assert!(progress.lock().early.is_empty());
        progress.report(&report(8, "nobody's"));
        assert!(progress.lock().early.is_empty());
        let (live, take) = sink();
        let unsent = progress.watch(live);
        let text = ProgressToken(NumberOrString::String("x".repeat(1 << 20).into()));
        progress.report(&ProgressNotificationParam::new(text, 1.0));
        (100..100_000).for_each(|n| progress.report(&report(n, "flood")));
        assert_eq!(progress.lock().early.len(), MOST_EARLY);
        drop(unsent);
        assert!(progress.lock().early.is_empty() && take().is_empty());
    }

    #[tokio::test]
    async fn warnings_go_to_the_calls_that_run_and_are_not_endless() {
        let shown = Arc::new(Mutex::new(0));
        let sink = Arc::clone(&shown);
        let live = LiveOutput::new(move |_| *sink.lock().unwrap() += 1);
        let progress = Progress::default();
        progress.warn("nobody runs");
        let _call = progress.watch(live);
        (0..MOST_WARNINGS * 2).for_each(|_| progress.warn("[error] x"));
        assert_eq!(*shown.lock().unwrap(), MOST_WARNINGS);
    }
}
