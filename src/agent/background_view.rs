//! What a front end without the session's handle sees of the background.

use std::sync::Arc;

use super::core::Core;
use super::notifications;
use crate::tasks::Tasks;

/// The background of a session.
#[derive(Clone)]
pub struct BackgroundView(Arc<Core>);

impl BackgroundView {
    pub(super) fn of(core: &Arc<Core>) -> Self {
        Self(Arc::clone(core))
    }

    /// The background tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// How many notifications wait for the model. No disk.
    pub fn pending_notifications(&self) -> usize {
        self.0.notifications.pending(self.0.env.unix_now())
    }

    /// Makes sure that every task which is over has its notification.
    pub async fn settle(&self) {
        notifications::publish(&self.0).await;
    }
}
