//! What the user is told of servers that are not there.

use std::collections::HashSet;

use crate::mcp::server::Status;
use crate::mcp::servers::{ServerView, Servers};

/// Which failures a client was told of.
#[derive(Debug, Default)]
pub(super) struct Failures {
    told: HashSet<String>,
}

impl Failures {
    /// What there is to say since the last time, a line each; `None` as long as servers still start.
    pub fn news(&mut self, servers: &Servers) -> Option<String> {
        if !servers.is_settled() {
            return None;
        }
        let view = servers.view();
        // One that came back may fail again; one that was tried again in vain is no news.
        let connected = view.iter().filter(|server| server.status == Status::Connected);
        for server in connected {
            self.told.remove(&server.name);
        }
        let lines: Vec<String> = view
            .iter()
            .filter(|server| matches!(server.status, Status::Failed | Status::Unauthorized))
            .filter(|server| self.told.insert(server.name.clone()))
            .map(line)
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

fn line(server: &ServerView) -> String {
    let reason = server.reason.as_deref().unwrap_or("it does not say why");
    format!("MCP server {} is not connected: {reason}.", server.name)
}
