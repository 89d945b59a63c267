//! What a model has of the servers.
//!
//! Deferred, it has two tools however many the servers bring: one that finds tools, one that calls
//! them. Direct, it has the tools themselves, which is only wise for a handful. What it has is
//! decided at the first request of a conversation. From then on it changes only with the servers, and
//! only between requests, so that the beginning of every request is the same bytes while nothing has
//! happened: the index follows servers that come, go or change their lists, and so do tools that are
//! offered directly. A conversation that defers goes on deferring until its context is cleared or
//! compacted.

mod away;
mod cache;
mod call;
mod direct;
mod invoke;
mod search;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::call::McpCall;
use self::direct::DirectTool;
use self::invoke::Invoker;
use self::search::McpSearch;
use super::schema::shown::ShownSchemas;
use super::search::index_text::index_text;
use super::servers::{Presence, Servers};
use super::tidy::one_line;
use crate::config::McpMode as Mode;
use crate::tools::Tool;

/// How long the first request of a conversation waits for servers that are still starting, where their
/// tools are always offered themselves. Most are there by then; nobody sits and waits for the others.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// How long a search or a call waits for a server that the user has just logged in to.
const LOGIN_PATIENCE: Duration = Duration::from_secs(10);
/// Tools that are offered directly when nothing else was asked for.
const HANDFUL: usize = 8;
/// Bytes of JSON that their descriptions and schemas may take together.
const HANDFUL_BYTES: usize = 6_000;
/// Names of servers in the line about those that are not there.
const MOST_NAMED: usize = 8;

/// What the requests of a conversation have of the servers.
#[derive(Clone, Default)]
pub struct Offer {
    /// In the order in which the model is told of them.
    pub tools: Vec<Arc<dyn Tool>>,
    /// A block for the end of the system prompt.
    pub index: Option<String>,
}

/// The servers as one conversation sees them.
pub struct Dispatch {
    servers: Arc<Servers>,
    mode: Mode,
    invoker: Arc<Invoker>,
    shown: Arc<Mutex<ShownSchemas>>,
    /// `mcp_search` and `mcp_call`.
    pair: [Arc<dyn Tool>; 2],
    conversation: Mutex<Conversation>,
}

/// What is kept from one request to the next.
#[derive(Default)]
struct Conversation {
    /// Whether servers that were starting have been waited for.
    waited: bool,
    kept: Option<Kept>,
}

struct Kept {
    /// Of the servers, when it was made.
    revision: u64,
    deferred: bool,
    offer: Arc<Offer>,
}

impl Dispatch {
    /// A conversation that has seen nothing yet.
    pub fn new(servers: Arc<Servers>, mode: Mode) -> Self {
        let invoker = Arc::new(Invoker::new(Arc::clone(&servers)));
        let shown: Arc<Mutex<ShownSchemas>> = Arc::default();
        let search = McpSearch::new(Arc::clone(&servers), Arc::clone(&shown));
        let pair: [Arc<dyn Tool>; 2] =
            [Arc::new(search), Arc::new(McpCall::new(Arc::clone(&invoker)))];
        Self { servers, mode, invoker, shown, pair, conversation: Mutex::default() }
    }

    /// The same servers for another conversation, which has seen nothing of them.
    pub fn afresh(&self) -> Self {
        Self::new(Arc::clone(&self.servers), self.mode)
    }

    /// The servers.
    pub fn servers(&self) -> &Arc<Servers> {
        &self.servers
    }

    /// What the next request has: the same as the last one while the servers have not changed. In direct
    /// mode the first request waits a moment for servers that are starting.
    pub async fn offer(&self, cancel: &CancellationToken) -> Arc<Offer> {
        if self.servers.is_empty() {
            return Arc::default();
        }
        // The calls of the pair wait for servers; tools that are offered themselves have no other moment
        // to come.
        let waited = self.mode != Mode::Direct || lock(&self.conversation).waited;
        if !waited {
            tokio::select! {
                // Whether or not all are there by then, it goes on.
                _ = tokio::time::timeout(FIRST_WAIT, self.servers.settled()) => {}
                // The request is not going to be made.
                () = cancel.cancelled() => return Arc::default(),
            }
        }
        let mut conversation = lock(&self.conversation);
        conversation.waited = true;
        // Read before the servers are looked at: what changes meanwhile counts for the next request.
        let revision = self.servers.revision();
        if let Some(kept) = &mut conversation.kept {
            if kept.revision == revision {
                return Arc::clone(&kept.offer);
            }
            kept.revision = revision;
        }
        let before = conversation.kept.as_ref();
        let deferred = self.defers(before.map(|kept| kept.deferred));
        let made = if deferred { self.deferred() } else { self.direct() };
        let offer = match before {
            Some(kept) if kept.offer.is_like(&made) => Arc::clone(&kept.offer),
            _ => Arc::new(made),
        };
        conversation.kept = Some(Kept { revision, deferred, offer: Arc::clone(&offer) });
        offer
    }

    /// The tool of that name. Besides what the model was offered these are the pair, which it may know
    /// from an earlier run of the conversation, and the tools of servers by their full names, which
    /// models that found them write without `mcp_call` now and then.
    pub fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let kept = lock(&self.conversation).kept.as_ref().map(|kept| Arc::clone(&kept.offer));
        let offered = kept.unwrap_or_default();
        let known = offered.tools.iter().chain(&self.pair);
        if let Some(tool) = known.into_iter().find(|tool| tool.name() == name) {
            return Some(Arc::clone(tool));
        }
        let catalog = self.servers.catalog();
        let tool = catalog.get(name)?;
        Some(Arc::new(DirectTool::new(&tool, Arc::clone(&self.invoker))))
    }

    /// The context was cleared or compacted: what was shown in it is gone, and the next request
    /// begins anew anyway.
    pub fn reset(&self) {
        lock(&self.shown).reset();
        lock(&self.conversation).kept = None;
    }

    /// Whether the model has the pair instead of the tools. `before` is how it was at the request
    /// before, if there was one.
    fn defers(&self, before: Option<bool>) -> bool {
        let presence = match self.mode {
            Mode::Direct => return false,
            Mode::Deferred => return true,
            Mode::Auto => self.servers.presence(),
        };
        let is_enough = match before {
            Some(true) => return true,
            // A server that is switched on meanwhile is given its time; one that does not come can
            // only be asked about with the pair.
            Some(false) => presence.iter().all(|(_, presence)| *presence != Presence::Missing),
            None => presence.iter().all(|(_, presence)| *presence == Presence::Connected),
        };
        !(is_enough && is_handful(&self.direct().tools))
    }

    fn deferred(&self) -> Offer {
        Offer { tools: self.pair.to_vec(), index: self.index() }
    }

    fn direct(&self) -> Offer {
        let catalog = self.servers.catalog();
        let tool = |tool| Arc::new(DirectTool::new(&tool, Arc::clone(&self.invoker))) as _;
        Offer { tools: catalog.tools().map(tool).collect(), index: None }
    }

    /// The block of the system prompt: the servers whose tools are known, and the names of the
    /// others. Whether those are starting, failing or trying again makes no difference to it.
    fn index(&self) -> Option<String> {
        let mut index = index_text(&self.servers.catalog()).unwrap_or_default();
        let presence = self.servers.presence();
        let mut absent: Vec<String> = presence
            .iter()
            .filter(|(_, presence)| matches!(presence, Presence::Coming | Presence::Missing))
            .map(|(name, _)| one_line(name, 40))
            .collect();
        absent.sort_unstable();
        if !absent.is_empty() {
            index.push_str(if index.is_empty() { "# MCP tools\n" } else { "\n" });
            let more = match absent.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named: Vec<&str> = absent.iter().map(String::as_str).take(MOST_NAMED).collect();
            index.push_str(&format!(
                "Not connected yet; mcp_search finds their tools once they are, or says what is \
                 wrong: {}{more}.",
                named.join(", ")
            ));
        }
        (!index.is_empty()).then_some(index)
    }
}

impl Offer {
    /// Whether it makes the same bytes of a request, and the tools may do the same.
    fn is_like(&self, other: &Self) -> bool {
        let alike = |one: &Arc<dyn Tool>, other: &Arc<dyn Tool>| {
            one.name() == other.name()
                && one.description() == other.description()
                && one.parameters() == other.parameters()
                && one.effect(&Value::Null) == other.effect(&Value::Null)
        };
        self.index == other.index
            && self.tools.len() == other.tools.len()
            && self.tools.iter().zip(&other.tools).all(|(one, other)| alike(one, other))
    }
}

/// Whether there are tools, and few enough to have them all in every request.
fn is_handful(tools: &[Arc<dyn Tool>]) -> bool {
    let bytes =
        |tool: &Arc<dyn Tool>| tool.description().len() + tool.parameters().to_string().len();
    (1..=HANDFUL).contains(&tools.len()) && tools.iter().map(bytes).sum::<usize>() <= HANDFUL_BYTES
}

/// A panic elsewhere leaves these values whole, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
