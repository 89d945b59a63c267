//! `/mcp reconnect|enable|disable [name]`: what was ordered, and what came of it.

use super::App;
use super::servers::{news_of, plural};
use crate::front::tui::cells::Severity;
use crate::mcp::server::{Order, Status};
use crate::mcp::servers::ServerView;

impl App {
    /// Gives servers an order; what comes of it is told when it is there.
    pub(super) fn order_servers(&mut self, name: Option<&str>, order: Order) {
        let Some(servers) = self.host.options.mcp.clone() else { return };
        let Some(ordered) = servers.carry_out(name, order) else {
            let (title, next) = match name {
                Some(name) => servers.missing(name),
                None => ("No MCP server can be used.".to_owned(), "/mcp lists them."),
            };
            return self.say(Severity::Warning, &title, next);
        };
        self.news.ordered.push(ordered);
        // What is as it was ordered already changes no more.
        self.tell_ordered(&servers.view());
    }

    /// Tells of the orders that have been carried out. `view` is how the servers are now.
    pub(super) fn tell_ordered(&mut self, view: &[ServerView]) {
        if self.news.ordered.is_empty() {
            return;
        }
        let Some(servers) = self.host.options.mcp.clone() else { return };
        let (over, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.news.ordered).into_iter().partition(|it| it.is_over(&servers));
        self.news.ordered = open;
        for ordered in over {
            let off = ordered.order == Order::Disable;
            let names: Vec<&str> = ordered.names().collect();
            if let [name] = names[..] {
                let Some(server) = view.iter().find(|server| server.name == name) else {
                    continue;
                };
                let (severity, title, body) = match server.status {
                    Status::Connected => {
                        let tools = server.tools.len();
                        let title = format!(
                            "MCP server {name} is connected: {tools} tool{}.",
                            plural(tools)
                        );
                        (Severity::Info, title, String::new())
                    }
                    Status::Disabled => {
                        let lasting = "Until kimi ends. In /mcp ctrl-s keeps it like that.";
                        (Severity::Info, format!("MCP server {name} is off."), lasting.to_owned())
                    }
                    _ => {
                        let (title, next) = (news_of(server), self.login_hint(name));
                        let now = self.now();
                        self.news.is_told(server, now);
                        (Severity::Warning, title, next)
                    }
                };
                self.say(severity, &title, &body);
                continue;
            }
            let of = names.len();
            let there = view
                .iter()
                .filter(|it| it.status == Status::Connected && names.contains(&it.name.as_str()));
            let title = match (off, there.count()) {
                (true, _) => format!("All {of} MCP servers are off."),
                (false, there) => format!("{there} of {of} MCP servers are connected."),
            };
            self.say(Severity::Info, &title, if off { "" } else { "/mcp shows each of them." });
        }
    }
}
