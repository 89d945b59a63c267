//! What is wrong with the servers and with their configuration, in words.

use super::{MAX_NAME, Servers, lock};
use crate::mcp::catalog::after_server;
use crate::mcp::config::BadServer;
use crate::mcp::server::{State, Status};
use crate::mcp::tidy::name_written_out;

/// What to do about an entry that cannot be used.
pub const CORRECT_ENTRY: &str = "Correct its entry; sessions that are opened then have it.";

impl Servers {
    /// What is wrong with the configuration, a line each: whole files and single entries.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = self.faults();
        all.extend(lock(&self.running().bad).iter().map(bad_line));
        all
    }

    /// What is wrong with whole files, a line each.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.running().warnings).clone()
    }

    /// The servers that are not connected although they should be, a line each.
    pub fn failures(&self) -> Vec<String> {
        let all = self.all();
        let servers = all.iter().filter_map(|server| {
            let State { status, reason, .. } = server.state();
            matches!(status, Status::Failed | Status::Unauthorized).then(|| {
                let reason = reason.unwrap_or_default();
                not_connected(&server.config.name, &reason)
            })
        });
        servers.collect()
    }

    /// Why there is no server of this name, and what to do about it: a whole sentence each.
    pub fn missing(&self, name: &str) -> (String, &'static str) {
        let bad = lock(&self.running().bad)
            .iter()
            .find(|bad| bad.name == name || shown(&bad.name) == name)
            .cloned();
        match bad {
            Some(bad) => (not_connected(&bad.name, &bad.reason), CORRECT_ENTRY),
            None => {
                let name = shown(name);
                (format!("There is no MCP server \"{name}\"."), "/mcp lists those that there are.")
            }
        }
    }

    /// What is wrong with the entry that the name of a tool begins with, if that cannot be used.
    pub fn bad_owner(&self, tool: &str) -> Option<BadServer> {
        let running = self.running();
        let bad = lock(&running.bad);
        bad.iter().find(|bad| after_server(tool, &bad.name).is_some()).cloned()
    }
}

/// A name as warnings and lists have it.
pub(super) fn shown(name: &str) -> String {
    name_written_out(name, MAX_NAME)
}

pub(super) fn bad_line(bad: &BadServer) -> String {
    format!("MCP server {}: {}.", shown(&bad.name), bad.reason)
}

/// The failure of a server in a line.
pub fn not_connected(name: &str, reason: &str) -> String {
    format!("MCP server {} is not connected: {reason}.", shown(name))
}
