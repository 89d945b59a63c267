//! What a server brings besides its tools. It is read after the server counts as connected, so that
//! nobody who wants a tool waits for it, and read again when the server says that it has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::{REFRESH_PACE, State};
use crate::mcp::connection::Connection;
use crate::mcp::prompts::Prompt;
use crate::mcp::resources::Resource;

/// For reading each of the lists.
const PATIENCE: Duration = Duration::from_secs(10);

/// The prompts and resources of a server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offerings {
    pub prompts: Arc<[Prompt]>,
    pub resources: Arc<[Resource]>,
}

/// Keeps the lists of a connection in the server's state for as long as it runs.
pub(super) async fn keep(
    server: String,
    connection: Arc<Connection>,
    state: watch::Sender<State>,
    changed: watch::Sender<u64>,
) {
    loop {
        let old = state.borrow().offerings.clone();
        let known = old.clone().unwrap_or_default();
        let (prompts, resources) = tokio::join!(
            read(&server, "prompts", connection.prompts()),
            read(&server, "resources", connection.resources()),
        );
        let new = Offerings {
            prompts: prompts.map_or(known.prompts, |found| Prompt::listed(&server, &found).into()),
            resources: resources
                .map_or(known.resources, |found| Resource::listed(&server, &found).into()),
        };
        // A server that says at every moment that it has changed must not wake anybody.
        if old.as_ref() != Some(&new) {
            state.send_modify(|state| state.offerings = Some(new));
            changed.send_modify(|revision| *revision += 1);
        }
        connection.offerings_changed().await;
        tokio::time::sleep(REFRESH_PACE).await;
    }
}

/// A list; `None` when it cannot be read, which is told in the log: the old one stays.
async fn read<T>(
    server: &str,
    what: &str,
    list: impl Future<Output = Result<T, String>>,
) -> Option<T> {
    match tokio::time::timeout(PATIENCE, list).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(why)) => {
            warn!(server, "its list of {what}: {why}");
            None
        }
        Err(_) => {
            warn!(server, "its list of {what} did not come");
            None
        }
    }
}
