//! All servers of the process.
//!
//! Nothing is read and nothing is started before [`Servers::start`]: the first frame does not wait
//! for it. The connections outlive sessions: who begins a new conversation keeps them.

mod brought;
mod faults;
mod logins;
mod ordered;

pub use faults::{CORRECT_ENTRY, not_connected};
pub use ordered::Ordered;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::catalog::{Catalog, Resolution, after_server};
use faults::{bad_line, shown};

use super::config::{BadServer, Loaded, ServerConfig, Source, set_enabled};
use super::connection::Surroundings;
use super::elicit::Person;
use super::limits::Limits;
use super::listing::ServerListing;
use super::oauth::{Login, Stamp};
use super::project::{Project, ProjectFile};
use super::prompts::{Prompt, Prompts, may_belong};
use super::resources::Resource;
use super::server::{Keeper, Order, Server, State, Status};
use super::tidy::one_line;
use super::transport::END_TIME;
use crate::store::Verdict;

/// How long the end of the program waits for the servers: as long as the end of one may take, and half a
/// second for what is late on a busy machine.
const SHUTDOWN_PATIENCE: Duration = END_TIME.saturating_add(Duration::from_millis(500));

/// A look at the servers that takes this long is not taken after every change.
const DEAR_LOOK: Duration = Duration::from_millis(1);
/// The time between two such looks, in times of what one takes.
const BETWEEN_LOOKS: u32 = 4;
/// Characters of a name that is shown. No tool of a listing has a longer one.
const MAX_NAME: usize = 512;
/// Resources of all servers together, and so rows of a menu.
const MOST_RESOURCES: usize = 2_000;

/// Where the configuration comes from, in the order in which it is laid over each other.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A file that need not be there; `None` when files were given on the command line.
    pub default_file: Option<PathBuf>,
    /// The project, whose files count for less than everything else; `None` when they do not count.
    pub project: Option<Project>,
    /// What was given on the command line, checked already.
    pub given: Vec<Source>,
    /// What a program brings for its session.
    pub brought: Vec<Source>,
}

/// What a front end shows of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    pub name: String,
    pub status: Status,
    /// Why it is not connected.
    pub reason: Option<String>,
    /// The names of its tools: clean lines.
    pub tools: Vec<String>,
}

/// How much there is of a server that is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Connected,
    /// It was connected and is away: its tools are those that it had.
    Away,
    /// It was not connected yet; an attempt is under way.
    Coming,
    /// It could not be connected.
    Missing,
}

/// The servers.
pub struct Servers {
    sources: Sources,
    /// In place of what is in the sources: it may change.
    brought: Mutex<Vec<Source>>,
    around: Surroundings,
    limits: Limits,
    /// For a call to a server that names no time of its own.
    call_timeout: Duration,
    changed: watch::Sender<u64>,
    loaded: OnceLock<Running>,
    catalog: Mutex<Option<Made>>,
    prompts: Mutex<Option<(u64, Arc<Prompts>)>>,
    /// The tokens with which servers were woken last, by the server's name.
    tried_tokens: Mutex<HashMap<String, Stamp>>,
}

/// A catalog, and the listings of which it was made.
struct Made {
    revision: u64,
    of: Vec<Arc<ServerListing>>,
    catalog: Arc<Catalog>,
}

struct Running {
    servers: Mutex<Vec<Arc<Server>>>,
    bad: Mutex<Vec<BadServer>>,
    warnings: Mutex<Vec<String>>,
    /// Files of the project that nobody has agreed to or refused yet.
    unasked: Mutex<Vec<ProjectFile>>,
    /// Those that were not started yet.
    keepers: Mutex<Vec<Keeper>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Servers {
    /// Only how many there are: a configuration has secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.loaded.get().map(|running| lock(&running.servers).len());
        f.debug_struct("Servers").field("loaded", &count).finish_non_exhaustive()
    }
}

impl Servers {
    /// The servers of these sources. Nothing is read yet.
    pub fn new(
        mut sources: Sources,
        around: Surroundings,
        limits: Limits,
        call_timeout: Duration,
    ) -> Self {
        let (changed, _) = watch::channel(0);
        let (loaded, catalog, prompts) = (OnceLock::new(), Mutex::default(), Mutex::default());
        let brought = Mutex::new(std::mem::take(&mut sources.brought));
        Self {
            sources,
            brought,
            around,
            limits,
            call_timeout,
            changed,
            loaded,
            catalog,
            prompts,
            tried_tokens: Mutex::default(),
        }
    }

    fn running(&self) -> &Running {
        self.loaded.get_or_init(|| {
            let (loaded, unasked) = self.load();
            let (servers, keepers) = loaded.servers.into_iter().map(|it| self.make(it)).unzip();
            Running {
                servers: Mutex::new(servers),
                bad: Mutex::new(loaded.bad),
                warnings: Mutex::new(loaded.warnings),
                unasked: Mutex::new(unasked),
                keepers: Mutex::new(keepers),
                tasks: Mutex::default(),
            }
        })
    }

    fn make(&self, config: ServerConfig) -> (Arc<Server>, Keeper) {
        let changed = self.changed.clone();
        let (server, keeper) = Server::new(config, self.around.clone(), self.limits, changed);
        (Arc::new(server), keeper)
    }

    /// Adds the servers that the user has agreed to and returns the files to ask about.
    fn add_project(&self, loaded: &mut Loaded) -> Vec<ProjectFile> {
        let Some(project) = &self.sources.project else { return Vec::new() };
        let found = project.find();
        loaded.warnings.extend(found.warnings);
        let mut unasked = Vec::new();
        for (file, verdict) in found.files {
            match verdict {
                Some(Verdict::Trusted) => loaded.add_below(file.source, &file.path),
                Some(Verdict::Never) => {}
                None => unasked.push(file),
            }
        }
        unasked
    }

    fn all(&self) -> Vec<Arc<Server>> {
        lock(&self.running().servers).clone()
    }

    /// Starts all servers, each by itself, and returns at once. Only the first call does anything.
    /// Call it inside the runtime.
    pub fn start(&self) {
        let keepers = std::mem::take(&mut *lock(&self.running().keepers));
        self.run(keepers);
    }

    fn run(&self, keepers: Vec<Keeper>) {
        let tasks = keepers.into_iter().map(|keeper| tokio::spawn(keeper.run()));
        lock(&self.running().tasks).extend(tasks);
    }

    /// The files of the project that wait for a word of the user.
    pub fn unasked(&self) -> Vec<ProjectFile> {
        lock(&self.running().unasked).clone()
    }

    /// What the user says of a file that waits: `None` is not now, and it goes on waiting. With a yes its
    /// servers start, in exactly the form that was shown. Returns what went wrong or was left out, a line each. Writes
    /// to the disk. Call it inside the runtime.
    pub fn decide(&self, path: &Path, verdict: Option<Verdict>) -> Vec<String> {
        let running = self.running();
        let file = {
            let mut unasked = lock(&running.unasked);
            let Some(at) = unasked.iter().position(|file| file.path == path) else {
                return Vec::new();
            };
            // Who says not now can be asked again.
            match verdict {
                Some(_) => unasked.remove(at),
                None => unasked[at].clone(),
            }
        };
        let mut warnings = Vec::new();
        if let (Some(project), Some(_)) = (&self.sources.project, verdict)
            && let Err(error) = project.remember(&file, verdict)
        {
            warnings.push(format!("The answer holds for this run only: {error}."));
        }
        if verdict == Some(Verdict::Trusted) {
            let bad = lock(&running.bad).clone();
            let mut known = Loaded {
                servers: self.all().iter().map(|server| server.config.clone()).collect(),
                bad: bad.clone(),
                warnings: Vec::new(),
            };
            let count = known.servers.len();
            let more = |it: &&BadServer| !bad.contains(it);
            known.add_below(file.source, &file.path);
            warnings.extend(known.warnings);
            warnings.extend(known.bad.iter().filter(more).map(bad_line));
            let more = known.servers.into_iter().skip(count).map(|it| self.make(it));
            let (servers, keepers): (Vec<_>, Vec<_>) = more.unzip();
            lock(&running.servers).extend(servers);
            self.changed.send_modify(|revision| *revision += 1);
            self.run(keepers);
        }
        warnings
    }

    /// Whether there is no server.
    pub fn is_empty(&self) -> bool {
        lock(&self.running().servers).is_empty()
    }

    /// The sizes that were set.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The server of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Server>> {
        self.all().into_iter().find(|server| server.config.name == name)
    }

    /// For a call to this server.
    pub fn timeout_of(&self, server: &Server) -> Duration {
        server.config.tool_timeout.unwrap_or(self.call_timeout)
    }

    /// Keeps in the user's file whether a server is to be started. The error is one line. Writes to
    /// the disk.
    pub fn keep_enabled(&self, name: &str, enabled: bool) -> Result<(), String> {
        let file = self.sources.default_file.as_deref();
        let given = self.sources.given.iter().any(|source| source.names(name))
            || lock(&self.brought).iter().any(|source| source.names(name));
        let kept = match file {
            Some(path) if !given => set_enabled(path, name, enabled)?,
            _ => false,
        };
        if kept {
            return Ok(());
        }
        let word = if enabled { "true" } else { "false" };
        Err(format!(
            "MCP server {name} is not in your own mcp.json; it holds for this run only. Write \
             \"enabled\": {word} where it is configured."
        ))
    }

    /// Who can answer questions of the servers.
    pub fn person(&self) -> &Person {
        &self.around.person
    }

    /// The file with the error output of a server.
    pub fn log_of(&self, name: &str) -> PathBuf {
        self.around.log_of(name)
    }

    /// The same, if there was one when the server last failed: a server may have said nothing. No disk.
    pub fn log_if_any(&self, name: &str) -> Option<PathBuf> {
        self.get(name)?.state().logged.then(|| self.log_of(name))
    }

    /// Gives all servers, or the one of that name, an order. False when there is no such server.
    pub fn order(&self, name: Option<&str>, order: Order) -> bool {
        let meant = self.meant(name, order);
        for server in &meant {
            server.order(order);
        }
        !meant.is_empty()
    }

    /// Whom an order to all servers, or to the one of that name, is for: one that is switched off is
    /// connected again only by its name.
    pub fn meant(&self, name: Option<&str>, order: Order) -> Vec<Arc<Server>> {
        let is_meant = |server: &Arc<Server>| match name {
            Some(name) => server.config.name == name,
            None => order != Order::Reconnect || server.state().status != Status::Disabled,
        };
        self.all().into_iter().filter(is_meant).collect()
    }

    /// The login to the server of that name. The error is a whole sentence.
    pub fn login(&self, name: &str) -> Result<Login, String> {
        match self.get(name) {
            Some(server) => Login::of(&server.config, &self.around.env),
            None => Err(self.missing(name).0),
        }
    }

    /// What is known of every server, in the order of the configuration, those with a bad
    /// entry last.
    pub fn view(&self) -> Vec<ServerView> {
        let running = self.running();
        let all = self.all();
        let servers = all.iter().map(|server| {
            let state = server.state();
            let listing = state.listing.as_deref();
            ServerView {
                name: server.config.name.clone(),
                status: state.status,
                reason: state.reason,
                tools: listing
                    .map(|it| it.tools().map(|(name, _)| one_line(name, MAX_NAME)).collect())
                    .unwrap_or_default(),
            }
        });
        let bad = lock(&running.bad).clone().into_iter().map(|bad| ServerView {
            name: bad.name,
            status: Status::Failed,
            reason: Some(bad.reason),
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
                "name": shown(&server.name),
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

    /// The servers that are starting, each with the number of its attempt; empty when all are connected or
    /// known not to be.
    pub fn starting(&self) -> HashSet<(String, u64)> {
        let attempt = |it: &Arc<Server>| Some((it.config.name.clone(), it.state().attempt()?));
        self.all().iter().filter_map(attempt).collect()
    }

    /// Whether no server may still bring its first tools: each is connected, known not to be, or was
    /// tried before in vain.
    pub fn has_started(&self) -> bool {
        self.all().iter().all(|server| server.has_started())
    }

    /// The server that the name of a tool begins with, whether or not it has told its tools. Of several
    /// the longest name is meant.
    pub fn owner(&self, tool: &str) -> Option<Arc<Server>> {
        let all = self.all();
        let after =
            all.iter().filter_map(|it| Some((after_server(tool, &it.config.name)?.len(), it)));
        after.min_by_key(|(rest, _)| *rest).map(|(_, server)| Arc::clone(server))
    }

    /// Waits until every server is connected or known not to be.
    pub async fn settled(&self) {
        for server in self.all() {
            server.settled().await;
        }
    }

    /// Waits until it is enough: looked at when servers have changed, until all have started or the
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
                if cost >= DEAR_LOOK && !self.has_started() {
                    tokio::time::sleep(cost * BETWEEN_LOOKS).await;
                }
                if self.has_started() || changes.changed().await.is_err() {
                    return enough();
                }
            }
        };
        tokio::time::timeout(patience, wait).await.unwrap_or(false)
    }

    /// The servers that are switched on, by name, in the order of the configuration.
    pub fn presence(&self) -> Vec<(String, Presence)> {
        let all = self.all();
        let present = all.iter().filter_map(|server| {
            let State { status, listing, .. } = server.state();
            let presence = match status {
                Status::Disabled => return None,
                Status::Connected => Presence::Connected,
                _ if listing.is_some() => Presence::Away,
                Status::Pending | Status::Connecting => Presence::Coming,
                Status::Failed | Status::Unauthorized => Presence::Missing,
            };
            Some((server.config.name.clone(), presence))
        });
        present.collect()
    }

    /// Another number after every change of any server.
    pub fn revision(&self) -> u64 {
        *self.changed.borrow()
    }

    /// Counts the changes of any server.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// `server.tool` of a tool that is written in any way that a call takes.
    pub fn full_name(&self, written: &str) -> Option<String> {
        match self.catalog().resolve(written) {
            Resolution::Found(tool) => Some(format!("{}.{}", tool.server, tool.name)),
            _ => None,
        }
    }

    /// The tools of all servers that are connected, or were and are coming back.
    pub fn catalog(&self) -> Arc<Catalog> {
        let revision = *self.changed.borrow();
        let mut kept = lock(&self.catalog);
        if let Some(made) = kept.as_ref().filter(|made| made.revision == revision) {
            return Arc::clone(&made.catalog);
        }
        let of: Vec<_> = self.all().iter().filter_map(|server| server.state().listing).collect();
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
    pub fn names(&self) -> Vec<String> {
        self.all().iter().map(|server| server.config.name.clone()).collect()
    }

    /// The resources of all servers that are connected, or were and are coming back.
    pub fn resources(&self) -> Vec<Resource> {
        let all = self.all();
        let offerings = all.iter().filter_map(|server| server.state().offerings);
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
            self.all().iter().filter_map(|server| server.state().offerings).collect();
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
        for server in self.all().iter().filter(|server| may_belong(command, &server.config.name)) {
            server.offered().await;
        }
        find()
    }

    /// Ends all servers and waits for that, for a bounded time.
    pub async fn shutdown(&self) {
        let Some(running) = self.loaded.get() else { return };
        lock(&running.keepers).clear();
        for server in self.all() {
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
