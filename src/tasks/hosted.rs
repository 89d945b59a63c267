//! Tasks inside this process: agents, and commands that were sent to the background while they ran.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use super::log::Log;
use super::record::{Conclusion, Runtime, Status};
use crate::platform::Env;
use crate::store::Held;

/// What an agent in the background has of the registry.
#[derive(Clone)]
pub struct AgentRun {
    /// The task's id.
    pub id: String,
    /// Cancelled when the task shall stop or its time is up. What does not end soon after is
    /// dropped.
    pub cancel: CancellationToken,
    pub output: Output,
    pub(super) signs: Arc<Signs>,
}

/// What a task and whoever attends it tell each other.
#[derive(Default)]
pub(super) struct Signs {
    /// How many approvals the task waits for.
    approvals: watch::Sender<usize>,
    /// Its time is up.
    late: AtomicBool,
}

impl AgentRun {
    /// The task waits for a person until the guard is dropped.
    pub fn awaiting_approval(&self) -> AwaitingApproval {
        self.signs.approvals.send_modify(|waiting| *waiting += 1);
        AwaitingApproval(Arc::clone(&self.signs))
    }

    /// Whether it shall stop because its time is up, and not because somebody wants it.
    pub fn is_late(&self) -> bool {
        self.signs.late.load(Ordering::Relaxed)
    }
}

/// As long as this is there, a person is asked.
pub struct AwaitingApproval(Arc<Signs>);

impl Drop for AwaitingApproval {
    fn drop(&mut self) {
        self.0.approvals.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

/// Writes to the log of a task.
#[derive(Clone)]
pub struct Output(pub(super) Arc<Mutex<Log>>);

impl Output {
    /// Adds text as it is.
    pub fn write(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(text.as_bytes());
    }
}

/// How an agent has ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEnd {
    Completed,
    /// One line, why.
    Failed(String),
}

/// The work of a hosted task.
pub(super) type Work = Pin<Box<dyn Future<Output = Conclusion> + Send>>;

/// What attends a hosted task.
pub(super) struct Host {
    pub env: Env,
    pub folder: Folder,
    /// Held as long as the task runs.
    pub lock: Held,
    pub runtime: Runtime,
    pub cancel: CancellationToken,
    pub signs: Arc<Signs>,
    pub timeout_s: Option<u64>,
    pub heartbeat: Duration,
    /// How long the work may take to end once it was cancelled.
    pub grace: Duration,
}

impl Host {
    /// Attends the work to its end, which is on disk when this returns. `changed` is called at every
    /// change.
    pub async fn attend(mut self, mut work: Work, changed: impl Fn()) {
        let timeout = self.timeout_s.map(Duration::from_secs);
        let time_is_up = async {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(time_is_up);
        let mut beat = tokio::time::interval(self.heartbeat);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick comes at once: the start is written down already.
        beat.reset();
        let mut approvals = self.signs.approvals.subscribe();
        if *approvals.borrow() > 0 {
            // It was quicker to ask than we to listen.
            approvals.mark_changed();
        }
        let ended = loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break None,
                end = &mut work => break Some(end),
                () = &mut time_is_up => {
                    self.signs.late.store(true, Ordering::Relaxed);
                    self.cancel.cancel();
                }
                Ok(()) = approvals.changed() => {
                    let waits = *approvals.borrow_and_update() > 0;
                    self.runtime.status =
                        if waits { Status::AwaitingApproval } else { Status::Running };
                    self.write();
                    changed();
                }
                _ = beat.tick() => {
                    self.runtime.heartbeat_at = Some(self.env.unix_now());
                    self.write();
                    if self.folder.control().kill_requested_at.is_some() {
                        self.cancel.cancel();
                    }
                }
            }
        };
        let end = match ended {
            Some(end) => end,
            None => {
                let ended = tokio::time::timeout(self.grace, &mut work).await;
                match ended {
                    // It was done all the same.
                    Ok(end) if end.status == Status::Completed => end,
                    _ if self.signs.late.load(Ordering::Relaxed) => {
                        Conclusion::timed_out(self.timeout_s.unwrap_or_default())
                    }
                    _ => Conclusion::killed(self.folder.control().kill_reason.unwrap_or_default()),
                }
            }
        };
        // What it has started is gone before it is said to be over.
        drop(work);
        self.runtime.conclude(end, self.env.unix_now());
        self.write();
        drop(self.lock);
        changed();
    }

    fn write(&mut self) {
        self.runtime.updated_at = self.env.unix_now();
        if let Err(error) = self.folder.write_runtime(&self.runtime) {
            tracing::warn!(%error, "the state of a task cannot be written");
        }
    }
}
