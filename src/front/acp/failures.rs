//! What the user is told of servers that are not there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::mcp::project::ProjectFile;
use crate::mcp::servers::Servers;
use crate::mcp::tidy::one_line;

/// Failures that come within this time are told together.
const GATHER: Duration = Duration::from_millis(700);
/// Lines that are told together.
const MOST_TOLD: usize = 8;
/// Characters of a line.
const MOST_CHARS: usize = 300;

/// Which failures a client was told of.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// The servers and files, by the beginning of what was said.
    told: HashSet<String>,
}

impl Failures {
    /// What there is to say since the last time, a line each. Of a server that fails again and again
    /// once.
    pub fn news(&mut self, servers: &Servers) -> Option<String> {
        let mut lines: Vec<String> = servers
            .warnings()
            .into_iter()
            .chain(servers.failures())
            .chain(servers.unasked().iter().map(ProjectFile::unasked_line))
            .filter(|line| {
                let (who, _) = line.split_once(" is not connected").unwrap_or((line, ""));
                self.told.insert(one_line(who, MOST_CHARS))
            })
            .map(|line| one_line(&line, MOST_CHARS))
            .collect();
        let more = lines.len().saturating_sub(MOST_TOLD);
        lines.truncate(MOST_TOLD);
        if more > 0 {
            lines.push(format!("The same goes for {more} more."));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// Notifies when servers have changed, a moment later; runs until the handle is dropped.
pub(super) fn watch(servers: &Servers) -> (Arc<Notify>, AbortOnDropHandle<()>) {
    let (notify, mut changes) = (Arc::new(Notify::new()), servers.changes());
    let heard = Arc::clone(&notify);
    let task = tokio::spawn(async move {
        loop {
            tokio::time::sleep(GATHER).await;
            heard.notify_one();
            if changes.changed().await.is_err() {
                return;
            }
        }
    });
    (notify, AbortOnDropHandle::new(task))
}
