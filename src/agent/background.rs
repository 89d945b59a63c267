//! What a front end that waits for background tasks has to know of a session.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::notifications;
use crate::protocol::Spent;
use crate::tasks::Tasks;

/// What a front end without the handle sees of the background.
#[derive(Clone)]
pub struct BackgroundView(Arc<Core>);

impl BackgroundView {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// The background tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// How many notifications wait for the model. No disk.
    pub fn pending_notifications(&self) -> usize {
        self.0.notifications.pending(self.0.env.unix_now())
    }

    /// The time that is left to the run; `None` for any.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.meter.time_left(self.0.env.clock.instant())
    }

    /// Waits as long as `wait` takes, which counts as the time of a turn does.
    pub async fn timed<T>(&self, wait: impl Future<Output = T>) -> T {
        self.0.meter.begin_turn(self.0.env.clock.instant());
        let done = wait.await;
        self.0.meter.end_turn(self.0.env.clock.instant());
        done
    }

    /// What the time is up means, once it is.
    pub fn out_of_time(&self) -> Option<Spent> {
        self.0.meter.expire()
    }

    /// Makes sure that every task which is over has its notification.
    pub async fn settle(&self) {
        notifications::publish(&self.0).await;
    }
}
