//! The MCP servers on the screen.

use super::App;
use crate::front::tui::cells::Severity;

impl App {
    /// Starts the servers, once the first frame is there.
    pub(super) fn start_servers(&mut self) {
        let Some(servers) = self.host.options.mcp.clone() else { return };
        servers.start();
        for warning in servers.warnings() {
            self.say(Severity::Warning, &warning, "");
        }
    }
}
