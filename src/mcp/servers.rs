//! All servers of the process.
//!
//! Nothing is read and nothing is started before [`Servers::start`]: the first frame does not wait
//! for it. The connections outlive sessions: who begins a new conversation keeps them.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::catalog::Catalog;
use super::config::{BadServer, Loaded, Source};
use super::connection::Surroundings;
use super::limits::Limits;
use super::listing::ServerListing;
use super::oauth::Login;
use super::prompts::{Prompt, Prompts, may_belong};
use super::resources::Resource;
use super::server::{Keeper, Order, Server, State, Status};

/// How long the end of the program waits for the servers.
const SHUTDOWN_PATIENCE: Duration = Duration::from_millis(3_500);

/// A look at the servers that takes this long is not taken after every change.
const DEAR_LOOK: Duration = Duration::from_millis(1);
/// The time between two such looks, in times of what one takes.
const BETWEEN_LOOKS: u32 = 4;
/// Resources of all servers together, and so rows of a menu.
const MOST_RESOURCES: usize = 2_000;

/// Where the configuration comes from, in the order in which it is laid over each other.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A file that need not be there; `None` when files were given on the command line.
    pub default_file: Option<PathBuf>,
    /// What was given on the command line, checked already.
    pub given: Vec<Source>,
}

/// What a front end shows of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    pub name: String,
    pub status: Status,
    /// Why it is not connected.
    pub reason: Option<String>,
    /// The names of its tools, as the server has them.
    pub tools: Vec<String>,
}

/// The servers.
pub struct Servers {
    sources: Sources,
    around: Surroundings,
    limits: Limits,
    /// For a call to a server that names no time of its own.
    call_timeout: Duration,
    changed: watch::Sender<u64>,
    loaded: OnceLock<Running>,
    catalog: Mutex<Option<Made>>,
    prompts: Mutex<Option<(u64, Arc<Prompts>)>>,
}

/// A catalog, and the listings of which it was made.
struct Made {
    revision: u64,
    of: Vec<Arc<ServerListing>>,
    catalog: Arc<Catalog>,
}

struct Running {
    servers: Vec<Arc<Server>>,
    bad: Vec<BadServer>,
    warnings: Vec<String>,
    /// Those that were not started yet.
    keepers: Mutex<Vec<Keeper>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Servers {
    /// Only how many there are: a configuration has secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.loaded.get().map(|running| running.servers.len());
        f.debug_struct("Servers").field("loaded", &count).finish_non_exhaustive()
    }
}

impl Servers {
    /// The servers of these sources. Nothing is read yet.
    pub fn new(
        sources: Sources,
        around: Surroundings,
        limits: Limits,
        call_timeout: Duration,
    ) -> Self {
        let (changed, _) = watch::channel(0);
        let (loaded, catalog, prompts) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Self { sources, around, limits, call_timeout, changed, loaded, catalog, prompts }
    }

    fn running(&self) -> &Running {
        self.loaded.get_or_init(|| {
            let mut loaded = Loaded::default();
            if let Some(path) = &self.sources.default_file {
                loaded.add_file(path);
            }
            for source in &self.sources.given {
                loaded.add(source.clone());
            }
            let (mut servers, mut keepers) = (Vec::new(), Vec::new());
            for config in loaded.servers {
                let (server, keeper) =
                    Server::new(config, self.around.clone(), self.limits, self.changed.clone());
                servers.push(Arc::new(server));
                keepers.push(keeper);
            }
            Running {
                servers,
                bad: loaded.bad,
                warnings: loaded.warnings,
                keepers: Mutex::new(keepers),
                tasks: Mutex::default(),
            }
        })
    }

    /// Starts all servers, each by itself, and returns at once. Only the first call does anything.
    /// Call it inside the runtime.
    pub fn start(&self) {
        let running = self.running();
        let keepers = std::mem::take(&mut *lock(&running.keepers));
        lock(&running.tasks).extend(keepers.into_iter().map(|keeper| tokio::spawn(keeper.run())));
    }

    /// What is wrong with the configuration, a line each: whole files and single entries.
    pub fn warnings(&self) -> Vec<String> {
        let running = self.running();
        let bad = |bad: &BadServer| format!("MCP server {}: {}.", bad.name, bad.reason);
        running.warnings.iter().cloned().chain(running.bad.iter().map(bad)).collect()
    }

    /// Whether there is no server.
    pub fn is_empty(&self) -> bool {
        self.running().servers.is_empty()
    }

    /// The sizes that were set.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The server of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Server>> {
        self.running().servers.iter().find(|server| server.config.name == name)
    }

    /// For a call to this server.
    pub fn timeout_of(&self, server: &Server) -> Duration {
        server.config.tool_timeout.unwrap_or(self.call_timeout)
    }

    /// Gives all servers, or the one of that name, an order. False when there is no such server.
    pub fn order(&self, name: Option<&str>, order: Order) -> bool {
        let servers = self.running().servers.iter();
        let meant = servers.filter(|server| name.is_none_or(|name| server.config.name == name));
        let mut any = false;
        for server in meant {
            server.order(order);
            any = true;
        }
        any
    }

    /// The login to the server of that name. The error is a whole sentence.
    pub fn login(&self, name: &str) -> Result<Login, String> {
        match self.get(name) {
            Some(server) => Login::of(&server.config, &self.around.env),
            None => Err(format!("There is no MCP server \"{name}\".")),
        }
    }

    /// What is known of every server, in the order of the configuration, those with a bad
    /// entry last.
    pub fn view(&self) -> Vec<ServerView> {
        let running = self.running();
        let servers = running.servers.iter().map(|server| {
            let state = server.state();
            let listing = state.listing.as_deref();
            ServerView {
                name: server.config.name.clone(),
                status: state.status,
                reason: state.reason,
                tools: listing
                    .map(|listing| listing.tools().map(|(name, _)| name.to_owned()).collect())
                    .unwrap_or_default(),
            }
        });
        let bad = running.bad.iter().map(|bad| ServerView {
            name: bad.name.clone(),
            status: Status::Failed,
            reason: Some(bad.reason.clone()),
            tools: Vec::new(),
        });
        servers.chain(bad).collect()
    }

    /// A snapshot for `StatusUpdate.mcp_status`, as wire protocol 1.10 has it; `None` when nothing is
    /// configured. Servers that are switched off are not in it: the protocol has no word for them.
    pub fn status(&self) -> Option<Value> {
        let view: Vec<ServerView> =
            self.view().into_iter().filter(|server| server.status != Status::Disabled).collect();
        if view.is_empty() {
            return None;
        }
        let connected = view.iter().filter(|server| server.status == Status::Connected).count();
        let tools: usize = view.iter().map(|server| server.tools.len()).sum();
        let mut servers = Vec::new();
        for server in &view {
            servers.push(json!({
                "name": server.name,
                "status": server.status.word(),
                "tools": server.tools,
            }));
        }
        Some(json!({
            "loading": view.iter().any(|server| !server.status.is_settled()),
            "connected": connected,
            "total": view.len(),
            "tools": tools,
            "servers": servers,
        }))
    }

    /// The servers that are not connected although they should be, a line each.
    pub fn failures(&self) -> Vec<String> {
        let servers = self.running().servers.iter().filter_map(|server| {
            let State { status, reason, .. } = server.state();
            matches!(status, Status::Failed | Status::Unauthorized).then(|| {
                let reason = reason.unwrap_or_default();
                format!("MCP server {} is not connected: {reason}.", server.config.name)
            })
        });
        servers.collect()
    }

    /// Whether every server is connected or known not to be.
    pub fn is_settled(&self) -> bool {
        self.running().servers.iter().all(|server| server.state().status.is_settled())
    }

    /// Waits until every server is connected or known not to be.
    pub async fn settled(&self) {
        for server in &self.running().servers {
            server.settled().await;
        }
    }

    /// Waits until it is enough: looked at when servers have changed, until all have settled or the
    /// patience is over. False when it never was enough. Looking may cost something, and a thousand
    /// servers that start change thousands of times: most of the time passes between two looks.
    pub async fn until(&self, patience: Duration, enough: impl Fn() -> bool) -> bool {
        let mut changes = self.changes();
        let wait = async {
            loop {
                let clock = &self.around.env.clock;
                let before = clock.instant();
                if enough() {
                    return true;
                }
                let cost = clock.instant().saturating_duration_since(before);
                if cost >= DEAR_LOOK && !self.is_settled() {
                    tokio::time::sleep(cost * BETWEEN_LOOKS).await;
                }
                if self.is_settled() || changes.changed().await.is_err() {
                    return enough();
                }
            }
        };
        tokio::time::timeout(patience, wait).await.unwrap_or(false)
    }

    /// Counts the changes of any server.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The tools of all servers that are connected, or were and are coming back.
    pub fn catalog(&self) -> Arc<Catalog> {
        let revision = *self.changed.borrow();
        let mut kept = lock(&self.catalog);
        if let Some(made) = kept.as_ref().filter(|made| made.revision == revision) {
            return Arc::clone(&made.catalog);
        }
        let servers = self.running().servers.iter();
        let of: Vec<_> = servers.filter_map(|server| server.state().listing).collect();
        // Most changes are those of a status.
        if let Some(made) = kept.as_mut()
            && made.of.len() == of.len()
            && made.of.iter().zip(&of).all(|(one, other)| Arc::ptr_eq(one, other))
        {
            made.revision = revision;
            return Arc::clone(&made.catalog);
        }
        let catalog = Arc::new(Catalog::new(of.iter().cloned()));
        *kept = Some(Made { revision, of, catalog: Arc::clone(&catalog) });
        catalog
    }

    /// The names of all servers.
    pub fn names(&self) -> Vec<&str> {
        self.running().servers.iter().map(|server| server.config.name.as_str()).collect()
    }

    /// The resources of all servers that are connected, or were and are coming back.
    pub fn resources(&self) -> Vec<Resource> {
        let servers = self.running().servers.iter();
        let offerings = servers.filter_map(|server| server.state().offerings);
        let resources = offerings.flat_map(|offerings| offerings.resources.to_vec());
        resources.take(MOST_RESOURCES).collect()
    }

    /// The prompts of all servers that are connected, or were and are coming back.
    pub fn prompts(&self) -> Arc<Prompts> {
        let revision = *self.changed.borrow();
        let mut kept = lock(&self.prompts);
        if let Some((of, prompts)) = &*kept
            && *of == revision
        {
            return Arc::clone(prompts);
        }
        let offerings: Vec<_> =
            self.running().servers.iter().filter_map(|server| server.state().offerings).collect();
        let prompts = Arc::new(Prompts::new(offerings.iter().flat_map(|it| &*it.prompts)));
        *kept = Some((revision, Arc::clone(&prompts)));
        prompts
    }

    /// The prompt that a command without its slash means, with its command's proper name. Waits for
    /// servers that it may belong to and that have not told their prompts yet.
    pub async fn prompt(&self, command: &str) -> Option<(String, Arc<Prompt>)> {
        let find = || {
            let prompts = self.prompts();
            prompts.get(command).map(|(name, prompt)| (name.to_owned(), Arc::clone(prompt)))
        };
        if let Some(found) = find() {
            return Some(found);
        }
        let servers = self.running().servers.iter();
        for server in servers.filter(|server| may_belong(command, &server.config.name)) {
            server.offered().await;
        }
        find()
    }

    /// Ends all servers and waits for that, for a bounded time.
    pub async fn shutdown(&self) {
        let Some(running) = self.loaded.get() else { return };
        lock(&running.keepers).clear();
        for server in &running.servers {
            server.order(Order::Stop);
        }
        let tasks = std::mem::take(&mut *lock(&running.tasks));
        let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_PATIENCE, all).await.is_err() {
            // What is dropped is killed.
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }
}

/// A panic elsewhere leaves these values whole, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
