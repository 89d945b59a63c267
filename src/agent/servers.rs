//! What a session tells of its MCP servers, and what its requests have of them.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::core::Core;
use crate::llm::ToolSpec;
use crate::mcp::servers::Servers;
use crate::protocol::{Event, StatusUpdate};
use crate::tools::spec;

/// The end of the system prompt and the tools of a request.
pub(super) struct Offered {
    pub system: String,
    pub tools: Vec<ToolSpec>,
}

/// What the next request has: the session's own tools and prompt, with what the servers add at the
/// end. The same bytes while neither the context is cleared or compacted nor a server changes.
pub(super) async fn offered(core: &Core, system: String, cancel: &CancellationToken) -> Offered {
    let Some(dispatch) = &core.dispatch else {
        return Offered { system, tools: core.specs() };
    };
    let offer = dispatch.offer(cancel).await;
    let more = offer.tools.iter().map(|tool| spec(&**tool));
    Offered {
        tools: core.specs().into_iter().chain(more).collect(),
        system: match &offer.index {
            Some(index) => format!("{system}\n\n{index}"),
            None => system,
        },
    }
}

/// Tells, at the beginning of a turn, how the servers stand. While some are still starting, that is
/// told between a begin and an end, which comes when all have settled and at the latest with the
/// turn: a pair is within one turn (wire.md section 6). A start that takes longer than that turn is not
/// begun again in the next one; how the servers stand is told when it changes. Nobody waits for it.
pub(super) struct Loading(Option<(Arc<Told>, AbortOnDropHandle<()>)>);

struct Told {
    core: Arc<Core>,
    /// Whether an end is due: a begin has been told.
    begun: bool,
    ended: Mutex<bool>,
}

impl Loading {
    /// Tells what has changed since it was last told.
    pub fn begin(core: &Arc<Core>) -> Self {
        let Some(servers) = servers(core).filter(|servers| !servers.is_empty()) else {
            return Self(None);
        };
        servers.wake();
        tell(core, &servers);
        let starting = servers.starting();
        if starting.is_empty() {
            return Self(None);
        }
        let begun = {
            let mut told = core.told_starting.lock().unwrap_or_else(PoisonError::into_inner);
            let news = starting.iter().any(|start| !told.contains(start));
            *told = starting;
            news
        };
        if begun {
            core.hub.event(Event::McpLoadingBegin {});
        }
        let told = Arc::new(Told { core: Arc::clone(core), begun, ended: Mutex::new(false) });
        let watch = {
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                servers.settled().await;
                told.end();
            })
        };
        Self(Some((told, AbortOnDropHandle::new(watch))))
    }

    /// The turn ends.
    pub fn end(self) {
        if let Some((told, _)) = self.0 {
            told.end();
        }
    }
}

impl Told {
    /// Tells the end, once.
    fn end(&self) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut ended, true) {
            if let Some(servers) = servers(&self.core) {
                tell(&self.core, &servers);
            }
            if self.begun {
                self.core.hub.event(Event::McpLoadingEnd {});
            }
        }
    }
}

fn servers(core: &Core) -> Option<Arc<Servers>> {
    core.dispatch.as_ref().map(|dispatch| Arc::clone(dispatch.servers()))
}

/// Sends the state of the servers, if it is another than the one sent last.
fn tell(core: &Core, servers: &Servers) {
    let status: Option<Value> = servers.status();
    let mut last = core.told_servers.lock().unwrap_or_else(PoisonError::into_inner);
    if *last != status {
        last.clone_from(&status);
        core.hub
            .event(Event::StatusUpdate(StatusUpdate { mcp_status: status, ..Default::default() }));
    }
}
