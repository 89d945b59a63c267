//! One server over its life: started, watched, started again when it dies.

mod offerings;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::config::{Auth, Reach, ServerConfig};
use super::connection::{CallError, Connection, OpenError, Surroundings};
use super::elicit::Caller;
use super::limits::Limits;
use super::listing::{ServerListing, ToolEntry};
use super::tidy::{one_line, without_spinner};
use super::transport::LastWords;
use crate::tools::LiveOutput;

pub use offerings::Offerings;

/// A server that failed is tried again after 1, 2, 4, 8 and 16 seconds; then it rests until somebody
/// wants it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MOST_RETRIES: u32 = 5;
/// A connection that lasted so long was a good one: its end starts the count anew.
const STEADY: Duration = Duration::from_secs(60);
/// For a list of tools that has changed.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(10);
/// Changes that come together are looked at together.
const REFRESH_PACE: Duration = Duration::from_millis(200);
/// Characters of a reason that a person reads.
const MAX_REASON: usize = 300;

/// Why a server that is switched off is not connected, half a sentence.
pub(super) const SWITCHED_OFF: &str = "it is switched off";

/// Where a server stands. The words are those of the wire protocol, except for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Switched off.
    Disabled,
    /// Not started yet.
    Pending,
    Connecting,
    Connected,
    Failed,
    /// It wants to know who we are.
    Unauthorized,
}

impl Status {
    /// Whether nothing is going to happen by itself soon.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Connecting)
    }

    /// The state in words for a person. Readers of the screen take "connecting" for a program that cannot
    /// be typed into yet (tmux-contract.md): it does not stand here.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Disabled => "off",
            Self::Pending | Self::Connecting => "starting",
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::Unauthorized => "needs authorization",
        }
    }

    /// The word for the wire protocol, which has none for a server switched off.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Pending => "pending",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// What is known of a server.
#[derive(Clone)]
pub struct State {
    pub status: Status,
    /// Why it is not connected, half a sentence for a person.
    pub reason: Option<String>,
    /// Its tools: those of the last connection while it is away.
    pub listing: Option<Arc<ServerListing>>,
    /// Its prompts and resources; `None` until they were read for the first time.
    pub offerings: Option<Offerings>,
    /// The last lines of its error output when it failed, clean.
    pub said: Vec<String>,
    /// There is a file with its error output: it was there when the server last failed.
    pub logged: bool,
    connection: Option<Arc<Connection>>,
    /// How often it was tried.
    tries: u64,
}

impl State {
    /// The connection, if it has not ended.
    fn alive(&self) -> Option<Arc<Connection>> {
        self.connection.as_ref().filter(|connection| !connection.has_ended()).map(Arc::clone)
    }

    /// The number of the attempt that is under way or about to begin; `None` when it has settled.
    pub fn attempt(&self) -> Option<u64> {
        match self.status {
            Status::Pending => Some(self.tries + 1),
            Status::Connecting => Some(self.tries),
            _ => None,
        }
    }

    /// How often a connection was tried: another one has another number.
    pub fn tries(&self) -> u64 {
        self.tries
    }
}

/// What to do with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Connect, unless it is connected.
    Connect,
    /// End the connection and make a new one.
    Reconnect,
    Enable,
    Disable,
    /// End for good.
    Stop,
}

/// The handle of a server.
pub struct Server {
    pub config: ServerConfig,
    orders: mpsc::UnboundedSender<Order>,
    state: watch::Receiver<State>,
}

impl Server {
    /// A server and the task that keeps it. The task begins with [`Keeper::run`].
    pub fn new(
        config: ServerConfig,
        around: Surroundings,
        limits: Limits,
        changed: watch::Sender<u64>,
    ) -> (Self, Keeper) {
        let status = if config.enabled { Status::Pending } else { Status::Disabled };
        let (state, seen) = watch::channel(State {
            status,
            reason: None,
            listing: None,
            offerings: None,
            said: Vec::new(),
            logged: false,
            connection: None,
            tries: 0,
        });
        let (orders, waiting) = mpsc::unbounded_channel();
        let keeper = Keeper {
            config: config.clone(),
            around,
            limits,
            state,
            orders: waiting,
            changed,
            retries: 0,
            last_words: LastWords::default(),
        };
        (Self { config, orders, state: seen }, keeper)
    }

    /// What is known now.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Gives an order.
    pub fn order(&self, order: Order) {
        // A server that was stopped takes no more orders.
        let _ = self.orders.send(order);
    }

    /// Waits until it is connected or known not to be.
    pub async fn settled(&self) {
        let _ = self.state.clone().wait_for(|state| state.status.is_settled()).await;
    }

    /// Whether it is not in its first attempt: it has told its tools, or cannot now.
    pub fn has_started(&self) -> bool {
        let state = self.state();
        state.status.is_settled() || state.tries > 1
    }

    /// Waits until an attempt after the one of this number has ended, well or not.
    pub async fn tried_after(&self, tries: u64) {
        let tried = |state: &State| state.tries > tries && state.status.is_settled();
        let _ = self.state.clone().wait_for(tried).await;
    }

    /// Calls a tool. A server that is not connected is tried once more before.
    pub async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        timeout: Duration,
        cancel: &CancellationToken,
        live: &LiveOutput,
        caller: Caller,
    ) -> Result<Value, CallError> {
        self.ready(cancel).await?.call(tool, arguments, timeout, cancel, live, caller).await
    }

    /// Waits until it is known which prompts and resources it has, or that it is not connected.
    pub async fn offered(&self) {
        let known = |state: &State| {
            state.status.is_settled()
                && (state.status != Status::Connected || state.offerings.is_some())
        };
        let _ = self.state.clone().wait_for(known).await;
    }

    /// A prompt with these arguments, as the server fills it in.
    pub async fn prompt(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> Result<Value, CallError> {
        self.ready(cancel).await?.prompt(name, arguments, timeout, cancel).await
    }

    /// The contents of a resource.
    pub async fn read(
        &self,
        uri: &str,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> Result<Value, CallError> {
        self.ready(cancel).await?.read(uri, timeout, cancel).await
    }

    /// The connection, made if it is not there: a server that is not connected is tried once more.
    pub(super) async fn ready(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Arc<Connection>, CallError> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(CallError::Cancelled),
            connection = self.connected() => connection.map_err(CallError::Closed),
        }
    }

    /// The connection, made if it is not there. The error is half a sentence.
    async fn connected(&self) -> Result<Arc<Connection>, String> {
        let mut state = self.state.clone();
        let tries = {
            let now = state.borrow();
            if let Some(connection) = now.alive() {
                return Ok(connection);
            }
            match now.status {
                Status::Disabled => return Err(SWITCHED_OFF.to_owned()),
                // Connected without a connection: it has just died.
                Status::Failed | Status::Unauthorized | Status::Connected => now.tries,
                // An attempt is under way: that one counts.
                Status::Pending | Status::Connecting => now.tries.saturating_sub(1),
            }
        };
        self.order(Order::Connect);
        let settled = state.wait_for(|state| {
            state.alive().is_some()
                || state.status == Status::Disabled
                || (state.tries > tries && state.status.is_settled())
        });
        let state = settled.await.map_err(|_| "it was stopped".to_owned())?;
        match (state.alive(), &state.reason) {
            (Some(connection), _) => Ok(connection),
            (None, _) if state.status == Status::Disabled => Err(SWITCHED_OFF.to_owned()),
            (None, Some(reason)) => Err(reason.clone()),
            (None, None) => Err(format!("it is {}", state.status.word())),
        }
    }
}

/// The task that keeps a server.
pub struct Keeper {
    config: ServerConfig,
    around: Surroundings,
    limits: Limits,
    state: watch::Sender<State>,
    orders: mpsc::UnboundedReceiver<Order>,
    changed: watch::Sender<u64>,
    /// Attempts since the last good connection.
    retries: u32,
    /// Of the newest attempt.
    last_words: LastWords,
}

/// What to do next.
enum Next {
    Connect,
    /// Wait for an order.
    Rest,
    Stop,
}

impl Keeper {
    /// Keeps the server until it is told to stop or its handle is gone.
    pub async fn run(mut self) {
        let mut next = if self.config.enabled { Next::Connect } else { Next::Rest };
        loop {
            next = match next {
                Next::Connect => self.connect().await,
                Next::Rest => self.rest(None).await,
                Next::Stop => return,
            };
        }
    }

    async fn connect(&mut self) -> Next {
        self.tell(|state| {
            state.status = Status::Connecting;
            state.tries += 1;
        });
        self.last_words = LastWords::default();
        let (config, around) = (self.config.clone(), self.around.clone());
        let mut attempt =
            Box::pin(attempt_heard(config, around, self.limits, self.last_words.clone()));
        let opened = loop {
            tokio::select! {
                opened = &mut attempt => break opened,
                order = self.orders.recv() => match order {
                    None | Some(Order::Stop) => return Next::Stop,
                    Some(Order::Disable) => return self.switched_off(),
                    // What they ask for is under way.
                    Some(Order::Connect | Order::Reconnect | Order::Enable) => {}
                },
            }
        };
        match opened {
            Ok((connection, listing)) => self.keep(connection, listing).await,
            Err(error) => self.failed(error).await,
        }
    }

    /// Keeps a connection to its end.
    async fn keep(&mut self, connection: Connection, listing: ServerListing) -> Next {
        let connection = Arc::new(connection);
        let since = self.around.env.clock.instant();
        info!(server = self.config.name, tools = listing.len(), "MCP server connected");
        for skipped in listing.skipped() {
            warn!(server = self.config.name, "a tool is left out: {skipped}");
        }
        self.tell(|state| {
            state.status = Status::Connected;
            state.reason = None;
            state.said.clear();
            state.listing = Some(Arc::new(listing));
            state.connection = Some(Arc::clone(&connection));
        });
        let _offerings = AbortOnDropHandle::new(tokio::spawn(offerings::keep(
            self.config.name.clone(),
            Arc::clone(&connection),
            self.state.clone(),
            self.changed.clone(),
        )));
        loop {
            tokio::select! {
                // First: an order to connect that comes after the end is not yet carried out.
                biased;
                why = connection.ended() => {
                    self.tell(|state| state.connection = None);
                    // One that does not know us any more is still there.
                    tokio::spawn(async move { connection.close().await });
                    let now = self.around.env.clock.instant();
                    if now.saturating_duration_since(since) >= STEADY {
                        self.retries = 0;
                    }
                    return self.failed(why).await;
                }
                () = connection.changed() => self.refresh(&connection).await,
                order = self.orders.recv() => {
                    let next = match order {
                        Some(Order::Connect | Order::Enable) => continue,
                        None | Some(Order::Stop) => Next::Stop,
                        Some(Order::Reconnect) => Next::Connect,
                        Some(Order::Disable) => Next::Rest,
                    };
                    self.retries = 0;
                    // Before it is closed, which takes its time: who wants it now is told at once.
                    if matches!(next, Next::Rest) {
                        self.switched_off();
                    } else {
                        self.tell(|state| state.connection = None);
                    }
                    connection.close().await;
                    return next;
                }
            }
        }
    }

    /// Reads the list of tools again. When that fails, the old one stays.
    async fn refresh(&mut self, connection: &Connection) {
        let look = async {
            tokio::time::sleep(REFRESH_PACE).await;
            connection.tools().await
        };
        let tools = tokio::select! {
            tools = tokio::time::timeout(REFRESH_TIMEOUT, look) => tools,
            // The loop that called sees to it.
            _ = connection.ended() => return,
        };
        match tools {
            Ok(Ok(tools)) => {
                let listing = listing(&self.config, connection, tools, &self.limits);
                self.tell(|state| state.listing = Some(Arc::new(listing)));
            }
            Ok(Err(why)) => warn!(server = self.config.name, "its new list of tools: {why}"),
            Err(_) => warn!(server = self.config.name, "its new list of tools did not come"),
        }
    }

    async fn failed(&mut self, error: OpenError) -> Next {
        let (status, reason, again) = match error {
            OpenError::Unauthorized => (Status::Unauthorized, login_wanted(&self.config), false),
            OpenError::Never(why) => (Status::Failed, why, false),
            OpenError::Failed(why) => (Status::Failed, why, true),
        };
        let reason = without_spinner(&reason);
        let reason = one_line(reason.trim_end_matches([' ', ':', '.']), MAX_REASON);
        warn!(server = self.config.name, "MCP server not connected: {reason}");
        let said = self.last_words.error_lines();
        let log = tokio::fs::metadata(self.around.log_of(&self.config.name)).await;
        let logged = log.is_ok_and(|log| log.is_file());
        self.tell(|state| {
            state.status = status;
            state.reason = Some(reason);
            state.said = said;
            state.logged = logged;
        });
        if again && self.retries < MOST_RETRIES {
            let wait = FIRST_WAIT * 2u32.pow(self.retries);
            self.retries += 1;
            return self.rest(Some(wait)).await;
        }
        Next::Rest
    }

    /// Waits for an order, or for the time of the next attempt.
    async fn rest(&mut self, wait: Option<Duration>) -> Next {
        loop {
            let order = tokio::select! {
                order = self.orders.recv() => order,
                () = async {
                    match wait {
                        Some(wait) => tokio::time::sleep(wait).await,
                        None => std::future::pending().await,
                    }
                } => return Next::Connect,
            };
            let off = self.state.borrow().status == Status::Disabled;
            match order {
                None | Some(Order::Stop) => return Next::Stop,
                Some(Order::Disable) => return self.switched_off(),
                Some(Order::Connect) if off => {}
                Some(Order::Connect) => return Next::Connect,
                Some(Order::Reconnect | Order::Enable) => {
                    self.retries = 0;
                    return Next::Connect;
                }
            }
        }
    }

    fn switched_off(&mut self) -> Next {
        self.tell(|state| {
            state.status = Status::Disabled;
            state.reason = None;
            state.said.clear();
            state.listing = None;
            state.offerings = None;
            state.connection = None;
        });
        Next::Rest
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
        self.changed.send_modify(|revision| *revision += 1);
    }
}

/// How [`login_wanted`] begins.
pub const ASKS_FOR_LOGIN: &str = "it asks for authorization";

/// What to do about a server that asks for authorization, half a sentence for a person.
pub fn login_wanted(config: &ServerConfig) -> String {
    match &config.reach {
        // No login of ours finds it.
        Reach::Remote { .. } if config.literal => format!(
            "{ASKS_FOR_LOGIN}; give it a header with a token {}, or take it out there and \
             configure it with `kimi mcp add --auth oauth`",
            config.place()
        ),
        Reach::Remote { auth: Auth::Oauth(_), .. } => {
            format!("{ASKS_FOR_LOGIN}; run: kimi mcp auth {}", config.name)
        }
        Reach::Remote { auth: Auth::Bearer(_) | Auth::BearerFrom(_), .. } => {
            format!("{ASKS_FOR_LOGIN} and does not take the token in mcp.json")
        }
        _ => format!(
            "{ASKS_FOR_LOGIN}; give it \"auth\": \"oauth\", or a token with \"headers\" or \
             \"bearerTokenEnvVar\", in mcp.json"
        ),
    }
}

/// Connects and reads the list of tools, within the time for both.
pub async fn attempt(
    config: ServerConfig,
    around: Surroundings,
    limits: Limits,
) -> Result<(Connection, ServerListing), OpenError> {
    attempt_heard(config, around, limits, LastWords::default()).await
}

/// [`attempt`], with somebody who hears what the server says meanwhile.
async fn attempt_heard(
    config: ServerConfig,
    around: Surroundings,
    limits: Limits,
    last_words: LastWords,
) -> Result<(Connection, ServerListing), OpenError> {
    let both = async {
        let connection = Connection::open(&config, &around, last_words).await?;
        let tools = connection.tools().await.map_err(OpenError::Failed)?;
        let listing = listing(&config, &connection, tools, &limits);
        Ok((connection, listing))
    };
    match tokio::time::timeout(config.startup_timeout, both).await {
        Ok(opened) => opened,
        Err(_) => Err(OpenError::Failed(format!(
            "it was not ready within {} s",
            config.startup_timeout.as_secs_f64()
        ))),
    }
}

/// The tools that the configuration admits.
fn listing(
    config: &ServerConfig,
    connection: &Connection,
    tools: Vec<Value>,
    limits: &Limits,
) -> ServerListing {
    let entries = tools.into_iter().map(entry).filter(|entry| config.tools.admits(&entry.name));
    let described = config.description.as_ref().or(connection.instructions.as_ref());
    let about = described.map(String::as_str).unwrap_or_default();
    ServerListing::new(&config.name, about, entries, limits.description_chars)
}

/// A tool as its server describes it. One without a name is left out by the listing, with a notice.
fn entry(tool: Value) -> ToolEntry {
    let text = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let annotations = tool.get("annotations");
    let description = match text(&tool, "description") {
        description if description.trim().is_empty() => {
            let title = text(&tool, "title");
            let annotated = annotations.map(|annotations| text(annotations, "title"));
            if title.is_empty() { annotated.unwrap_or_default() } else { title }
        }
        description => description,
    };
    ToolEntry {
        name: text(&tool, "name"),
        description,
        read_only: annotations
            .and_then(|annotations| annotations.get("readOnlyHint"))
            .and_then(Value::as_bool)
            .unwrap_or(false),
        schema: tool.get("inputSchema").cloned().unwrap_or(Value::Null),
    }
}
