//! What a model has of the servers.
//!
//! Deferred, it has two tools however many the servers bring: one that finds tools, one that calls
//! them. Direct, it has the tools themselves, which is only wise for a handful. What it has is
//! decided at the first request of a conversation and stays the same until the context is cleared
//! or compacted, so that the beginning of every request is the same bytes: a server that comes later
//! is found by `mcp_search`, whose answers are always those of the moment.

mod cache;
mod call;
mod direct;
mod invoke;
mod search;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use self::call::McpCall;
use self::direct::DirectTool;
use self::invoke::Invoker;
use self::search::McpSearch;
use super::schema::shown::ShownSchemas;
use super::search::index_text::index_text;
use super::server::Status;
use super::servers::Servers;
use super::tidy::one_line;
use crate::config::McpMode as Mode;
use crate::tools::Tool;

/// Tools that are offered directly when nothing else was asked for.
const HANDFUL: usize = 8;
/// Bytes of JSON that their descriptions and schemas may take together.
const HANDFUL_BYTES: usize = 6_000;
/// Names of servers in the line about those that are not there yet.
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
    offer: Mutex<Option<Arc<Offer>>>,
}

impl Dispatch {
    /// A conversation that has seen nothing yet.
    pub fn new(servers: Arc<Servers>, mode: Mode) -> Self {
        let invoker = Arc::new(Invoker::new(Arc::clone(&servers)));
        let shown: Arc<Mutex<ShownSchemas>> = Arc::default();
        let search = McpSearch::new(Arc::clone(&servers), Arc::clone(&shown));
        let pair: [Arc<dyn Tool>; 2] =
            [Arc::new(search), Arc::new(McpCall::new(Arc::clone(&invoker)))];
        Self { servers, mode, invoker, shown, pair, offer: Mutex::default() }
    }

    /// The same servers for another conversation, which has seen nothing of them.
    pub fn afresh(&self) -> Self {
        Self::new(Arc::clone(&self.servers), self.mode)
    }

    /// The servers.
    pub fn servers(&self) -> &Arc<Servers> {
        &self.servers
    }

    /// What the next request has. Made at the first one; only direct mode waits for servers then,
    /// each for no longer than it may take to start.
    pub async fn offer(&self, cancel: &CancellationToken) -> Arc<Offer> {
        if let Some(offer) = &*lock(&self.offer) {
            return Arc::clone(offer);
        }
        if self.servers.is_empty() {
            return Arc::default();
        }
        if self.mode == Mode::Direct {
            tokio::select! {
                () = self.servers.settled() => {}
                // The request is not going to be made.
                () = cancel.cancelled() => return Arc::default(),
            }
        }
        let offer = Arc::new(self.make());
        Arc::clone(lock(&self.offer).get_or_insert(offer))
    }

    /// The tool of that name. Besides what the model was offered these are the pair, which it may know
    /// from an earlier run of the conversation, and the tools of servers by their full names, which
    /// models that found them write without `mcp_call` now and then.
    pub fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let offered = lock(&self.offer).clone().unwrap_or_default();
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
        *lock(&self.offer) = None;
    }

    fn make(&self) -> Offer {
        let direct = match self.mode {
            Mode::Direct => Some(self.direct()),
            Mode::Auto if self.servers.is_settled() => {
                Some(self.direct()).filter(|tools| is_handful(tools))
            }
            Mode::Auto | Mode::Deferred => None,
        };
        match direct {
            Some(tools) => Offer { tools, index: None },
            None => Offer { tools: self.pair.to_vec(), index: self.index() },
        }
    }

    fn direct(&self) -> Vec<Arc<dyn Tool>> {
        let catalog = self.servers.catalog();
        let tool = |tool| Arc::new(DirectTool::new(&tool, Arc::clone(&self.invoker))) as _;
        catalog.tools().map(tool).collect()
    }

    /// The block of the system prompt: the servers that are there, and the names of those that are
    /// on their way.
    fn index(&self) -> Option<String> {
        let mut index = index_text(&self.servers.catalog()).unwrap_or_default();
        let view = self.servers.view();
        let coming: Vec<String> = view
            .iter()
            .filter(|server| matches!(server.status, Status::Pending | Status::Connecting))
            .map(|server| one_line(&server.name, 40))
            .collect();
        if !coming.is_empty() {
            index.push_str(if index.is_empty() { "# MCP tools\n" } else { "\n" });
            let more = match coming.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named: Vec<&str> = coming.iter().map(String::as_str).take(MOST_NAMED).collect();
            index.push_str(&format!(
                "Starting, and found by mcp_search once they are there: {}{more}.",
                named.join(", ")
            ));
        }
        (!index.is_empty()).then_some(index)
    }
}

fn is_handful(tools: &[Arc<dyn Tool>]) -> bool {
    let bytes =
        |tool: &Arc<dyn Tool>| tool.description().len() + tool.parameters().to_string().len();
    tools.len() <= HANDFUL && tools.iter().map(bytes).sum::<usize>() <= HANDFUL_BYTES
}

/// A panic elsewhere leaves these values whole, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
