//! `/mcp reconnect|enable|disable [name]`: what was ordered, and what came of it.

use super::App;
use super::servers::{news_of, plural};
use crate::front::tui::cells::Severity;
use crate::mcp::server::{Order, Status};
use crate::mcp::servers::{ServerView, Servers};

/// An order whose outcome has not been told yet.
#[derive(Debug)]
pub(super) struct Ordered {
    order: Order,
    /// Each server that it was given to, and how often a connection had been tried by then.
    servers: Vec<(String, u64)>,
}

impl Ordered {
    fn new(servers: &Servers, name: Option<&str>, order: Order) -> Self {
        let meant = servers.meant(name, order).into_iter();
        let with_tries = meant.map(|server| {
            let state = server.state();
            // An attempt that is under way is the one that was asked for.
            let begun = u64::from(state.status == Status::Connecting);
            (server.config.name.clone(), state.tries().saturating_sub(begun))
        });
        Self { order, servers: with_tries.collect() }
    }

    /// Whether all of it is carried out, well or not.
    fn is_over(&self, servers: &Servers) -> bool {
        self.servers.iter().all(|(name, tries)| {
            let Some(state) = servers.get(name).map(|server| server.state()) else { return true };
            let has_tried = state.tries() > *tries && state.status.is_settled();
            match self.order {
                Order::Disable | Order::Stop => state.status == Status::Disabled,
                Order::Reconnect => has_tried,
                Order::Enable | Order::Connect => has_tried || state.status == Status::Connected,
            }
        })
    }
}

impl App {
    /// Gives servers an order; what comes of it is told when it is there.
    pub(super) fn order_servers(&mut self, name: Option<&str>, order: Order) {
        let Some(servers) = self.host.options.mcp.clone() else { return };
        let ordered = Ordered::new(&servers, name, order);
        if ordered.servers.is_empty() {
            let title = match name {
                Some(name) => format!("There is no MCP server \"{name}\" that can be used."),
                None => "No MCP server can be used.".to_owned(),
            };
            return self.say(Severity::Warning, &title, "/mcp lists them.");
        }
        servers.order(name, order);
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
        for Ordered { order, servers } in over {
            let off = order == Order::Disable;
            if let [(name, _)] = servers.as_slice() {
                let Some(server) = view.iter().find(|server| server.name == *name) else {
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
            let of = servers.len();
            let is_meant = |name: &str| servers.iter().any(|(meant, _)| meant == name);
            let there =
                view.iter().filter(|it| it.status == Status::Connected && is_meant(&it.name));
            let title = match (off, there.count()) {
                (true, _) => format!("All {of} MCP servers are off."),
                (false, there) => format!("{there} of {of} MCP servers are connected."),
            };
            self.say(Severity::Info, &title, if off { "" } else { "/mcp shows each of them." });
        }
    }
}
