//! The end of a session: what runs is stopped, what is pending is written, who listens is told.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Actor, SessionHandle, finished};
use crate::customize::hooks;
use crate::protocol::{Op, Outcome};
use crate::tasks::{Tasks, View};

/// How long a shutdown waits for a cancelled turn.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_500);
/// How long the end of a stopped task may take to be noticed, beyond its grace.
const TASK_END: Duration = Duration::from_millis(1_500);
/// How long what is pending may take to be written at the end.
const LAST_WRITES: Duration = Duration::from_millis(500);

impl SessionHandle {
    /// Ends the session: cancels what runs, writes what is pending, stops the background tasks that
    /// must not outlive it and waits for their ends, at most for `patience` where it is given, else
    /// for their grace. Returns when all is on disk, with the tasks that it has stopped.
    pub async fn shutdown(mut self, patience: Option<Duration>) -> Vec<Arc<View>> {
        self.end(patience).await
    }

    /// The same for a session that is to be opened anew: it is nobody's after that.
    pub async fn end(&mut self, patience: Option<Duration>) -> Vec<Arc<View>> {
        if let Some(patience) = patience {
            let _ = self.patience.set(patience);
        }
        self.submit(Op::Shutdown);
        let patience = patience_with(&self.core.tasks, &self.patience);
        // Agents that are stopped may be heard of for the first time.
        let grace = SHUTDOWN_GRACE * 2 + patience + hooks::END_GRACE + LAST_WRITES;
        let stopped = match tokio::time::timeout(grace, &mut self.task).await {
            Ok(ended) => ended.unwrap_or_default(),
            Err(_) => {
                self.task.abort();
                self.core.tasks.shutdown(patience).await
            }
        };
        self.core.hub.close();
        self.lock = None;
        stopped
    }
}

impl Actor {
    /// Ends what runs, in the order in which one thing may have started the other. Returns the
    /// background tasks that it has stopped.
    pub(super) async fn wind_up(mut self) -> Vec<Arc<View>> {
        if let Some(running) = &self.turn {
            if let Some(rewinder) = &self.core.rewinder {
                rewinder.close();
            }
            running.cancel.cancel();
            let wait = tokio::time::timeout(SHUTDOWN_GRACE, finished(&mut self.turn));
            match wait.await {
                Ok(outcome) => self.end_turn(outcome).await,
                Err(_) => {
                    if let Some(running) = self.turn.take() {
                        running.task.abort();
                        self.core.hub.outcome(running.op_id, Outcome::Cancelled);
                    }
                }
            }
        }
        if let Some((cancel, mut task)) = self.side.take() {
            cancel.cancel();
            if tokio::time::timeout(SHUTDOWN_GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
        // Before hooks hear of the end: they hear of the ends of agents too.
        let patience = patience_with(&self.core.tasks, &self.patience);
        let stopped = self.core.tasks.shutdown(patience).await;
        self.core.hooks.end().await;
        // A resumed session has to know what the last turn did.
        if let Some(rewinder) = &self.core.rewinder {
            rewinder.settle().await;
        }
        self.core.hub.close();
        stopped
    }
}

/// How long the end of a session waits for background tasks.
fn patience_with(tasks: &Tasks, asked: &OnceLock<Duration>) -> Duration {
    let usual = || Duration::from_millis(tasks.settings().kill_grace_period_ms) + TASK_END;
    asked.get().copied().unwrap_or_else(usual)
}
