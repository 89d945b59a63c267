//! Orders to servers that somebody waits for.

use super::Servers;
use crate::mcp::server::{Order, Status};

/// An order that was given, and to whom.
#[derive(Debug)]
pub struct Ordered {
    pub order: Order,
    /// Each server that it was given to, and how often a connection had been tried by then.
    servers: Vec<(String, u64)>,
}

impl Servers {
    /// Gives all servers, or the one of that name, an order. `None` when there is nobody to give it to.
    pub fn carry_out(&self, name: Option<&str>, order: Order) -> Option<Ordered> {
        let meant = self.meant(name, order);
        let with_tries = meant.iter().map(|server| {
            let state = server.state();
            // An attempt that is under way is the one that was asked for.
            let begun = u64::from(state.status == Status::Connecting);
            (server.config.name.clone(), state.tries().saturating_sub(begun))
        });
        let ordered = Ordered { order, servers: with_tries.collect() };
        meant.iter().for_each(|server| server.order(order));
        (!meant.is_empty()).then_some(ordered)
    }
}

impl Ordered {
    /// Those that it was given to.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.servers.iter().map(|(name, _)| name.as_str())
    }

    /// Whether all of it is carried out, well or not.
    pub fn is_over(&self, servers: &Servers) -> bool {
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

    /// Waits until all of it is carried out. A connection has a time that it may take.
    pub async fn over(&self, servers: &Servers) {
        let mut changes = servers.changes();
        while !self.is_over(servers) && changes.changed().await.is_ok() {}
    }
}
