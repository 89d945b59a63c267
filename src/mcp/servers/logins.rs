//! Logins that happen elsewhere: `kimi mcp auth` in another terminal leaves its tokens in a file and
//! tells nobody.

use std::sync::Arc;
use std::time::Duration;

use super::{Servers, lock};
use crate::mcp::config::{Auth, Reach};
use crate::mcp::oauth::{Stamp, TokenFile};
use crate::mcp::server::{Order, Server, Status};

impl Servers {
    /// Connects servers that wanted a login and have new tokens now. The same tokens are tried once.
    /// Costs a look at a file for every server without a login, and nothing where there is none.
    pub fn wake(&self) {
        self.wake_those();
    }

    /// [`Servers::wake`], and waits until it is known whether the servers that were woken are there,
    /// at most for so long.
    pub async fn woken(&self, patience: Duration) {
        let woken = self.wake_those();
        let wait = async {
            for (server, tries) in woken {
                server.tried_after(tries).await;
            }
        };
        // Whoever is not there by then is still starting, and is told as that.
        let _ = tokio::time::timeout(patience, wait).await;
    }

    /// The servers, each with the number of its last attempt.
    fn wake_those(&self) -> Vec<(Arc<Server>, u64)> {
        let mut woken = Vec::new();
        for server in self.all() {
            let state = server.state();
            if state.status != Status::Unauthorized {
                continue;
            }
            let Some(stamp) = self.tokens_of(&server) else { continue };
            let name = server.config.name.clone();
            if lock(&self.tried_tokens).insert(name, stamp) != Some(stamp) {
                server.order(Order::Reconnect);
                woken.push((server, state.tries()));
            }
        }
        woken
    }

    fn tokens_of(&self, server: &Server) -> Option<Stamp> {
        let Reach::Remote { auth: Auth::Oauth(_), .. } = &server.config.reach else { return None };
        TokenFile::of_server(&server.config, &self.around.env).ok()?.stamp()
    }
}
