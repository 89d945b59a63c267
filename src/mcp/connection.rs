//! One session with one server: the handshake, its list of tools, calls.
//!
//! Results are handed on as plain JSON: what of it makes sense is decided by those who use it, tool
//! by tool and part by part, so that one strange entry spoils nothing but itself.

mod lists;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest,
    CustomRequest, CustomResult, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ErrorCode, FormElicitationCapability, Implementation,
    ProgressNotificationParam, ProtocolVersion, UrlElicitationCapability,
};
use rmcp::service::{
    ClientInitializeError, NotificationContext, Peer, PeerRequestOptions, RequestContext,
    RoleClient, ServiceError, serve_client_with_ct,
};
use rmcp::transport::streamable_http_client::StreamableHttpError;
use rmcp::{ClientHandler, ErrorData, transport::Transport};
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use super::config::{Auth, Reach, RemoteWire, ServerConfig};
use super::elicit::{Answer, Caller, Elicitations, Ongoing, Person};
use super::journal::Journal;
use super::oauth::{Bearer, OauthError};
use super::progress::Progress;
use super::transport::{
    Access, Command, HttpError, LastWords, ServerLog, Sse, Stdio, Throttled, headers, http_client,
    streamable,
};
use crate::platform::Env;
use crate::tools::LiveOutput;

/// Time for telling a server that nobody waits any more.
const CANCEL_PATIENCE: Duration = Duration::from_millis(500);
/// For a server to take the level of its reports.
const SET_LEVEL_PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of a connection may take to be known.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How long closing may take before the connection is dropped as it is.
const CLOSE_PATIENCE: Duration = Duration::from_secs(6);

/// What every server is started with.
#[derive(Clone)]
pub struct Surroundings {
    pub env: Env,
    /// Where servers run that name no directory.
    pub work_dir: PathBuf,
    /// Where the files with their error output are.
    pub logs: PathBuf,
    /// Who can answer questions of servers.
    pub person: Person,
    /// The program that guards servers which are child processes, as
    /// [`guard::program`](crate::platform::process::guard::program) has it.
    pub guard: Option<PathBuf>,
}

impl Surroundings {
    /// The file with the error output of a server.
    pub fn log_of(&self, server: &str) -> PathBuf {
        self.logs.join(format!("{}.log", file_name(server)))
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// It wants to know who we are.
    Unauthorized,
    /// Trying again changes nothing. Half a sentence for a person.
    Never(String),
    /// It may work later. Half a sentence for a person.
    Failed(String),
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    Timeout(Duration),
    Cancelled,
    /// It wants to know who we are, or does not believe it any more.
    Unauthorized,
    /// The connection is gone; half a sentence.
    Closed(String),
    /// The server refused; its words.
    Refused(String),
}

/// An open connection. Dropping it closes it.
pub struct Connection {
    peer: Peer<RoleClient>,
    /// What the server says of itself for the model.
    pub instructions: Option<String>,
    changed: Arc<Notify>,
    offerings_changed: Arc<Notify>,
    progress: Progress,
    elicitations: Elicitations,
    ended: CancellationToken,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
    /// The server does not know us any more.
    refused: CancellationToken,
    last_words: LastWords,
}

/// What a server may ask, whether there is anybody, and where it goes what it reports.
struct Asks {
    elicitations: Elicitations,
    person: bool,
    log: ServerLog,
}

impl Connection {
    /// Starts or reaches the server and greets it. Dropped half way, nothing of it is left but what
    /// it has said, in `last_words`.
    pub(super) async fn open(
        server: &ServerConfig,
        around: &Surroundings,
        last_words: LastWords,
    ) -> Result<Self, OpenError> {
        let server = server.expanded(&around.env).map_err(OpenError::Never)?;
        let log = ServerLog::new(around.log_of(&server.name));
        let ask = Asks {
            elicitations: Elicitations::new(&server.name),
            person: around.person.is_there(),
            log: log.clone(),
        };
        match &server.reach {
            Reach::Stdio { command, args, env, cwd } => {
                let command = Command {
                    program: command.clone(),
                    args: args.clone(),
                    env: env.clone(),
                    cwd: cwd.as_ref().map_or_else(
                        || around.work_dir.clone(),
                        |dir| around.work_dir.join(home_relative(dir, &around.env)),
                    ),
                    log,
                    guard: around.guard.clone(),
                };
                let transport = Stdio::start(&command, &around.env, last_words.clone());
                let transport = transport.await.map_err(OpenError::Never)?;
                Self::greet(transport, last_words, CancellationToken::new(), ask).await
            }
            Reach::Remote { url, wire, headers: configured, auth } => {
                let token = match auth {
                    Auth::Bearer(token) => Some(token.as_str()),
                    Auth::None | Auth::Oauth(_) | Auth::BearerFrom(_) => None,
                };
                // Without a token there is nothing to say to it.
                let bearer = match auth {
                    Auth::Oauth(_) => Some(Bearer::load(url, &around.env).await.map_err(no_token)?),
                    _ => None,
                };
                let access = Access::new(bearer);
                let refused = access.refused();
                let headers = headers(configured, token).map_err(never)?;
                let (client, url) = http_client(url).await.map_err(never)?;
                match wire {
                    RemoteWire::Http => {
                        let transport = streamable(client, &url, &headers, access);
                        Self::greet(transport, LastWords::default(), refused, ask).await
                    }
                    RemoteWire::Sse => {
                        let transport =
                            Sse::connect(client, url, headers, access, last_words.clone()).await;
                        let transport = transport.map_err(|error| match error {
                            HttpError::Unauthorized => OpenError::Unauthorized,
                            HttpError::Other(why) => OpenError::Failed(why),
                        })?;
                        Self::greet(transport, last_words, refused, ask).await
                    }
                }
            }
        }
    }

    async fn greet<T>(
        transport: T,
        last_words: LastWords,
        refused: CancellationToken,
        ask: Asks,
    ) -> Result<Self, OpenError>
    where
        T: Transport<RoleClient> + 'static,
    {
        let changed = Arc::new(Notify::new());
        let offerings_changed = Arc::new(Notify::new());
        let stop = CancellationToken::new();
        let progress = Progress::default();
        let gone = CancellationToken::new();
        let client = Client {
            gone: gone.clone(),
            changed: Arc::clone(&changed),
            offerings_changed: Arc::clone(&offerings_changed),
            progress: progress.clone(),
            elicitations: ask.elicitations.clone(),
            person: ask.person,
            journal: Journal::keep(ask.log),
        };
        let running =
            serve_client_with_ct(client, Throttled::new(transport).telling(gone), stop.clone())
                .await
                .map_err(|error| open_error(&error, &last_words))?;
        let peer = running.peer().clone();
        let instructions = peer.peer_info().and_then(|info| info.instructions.clone());
        if peer.peer_info().is_some_and(|info| info.capabilities.logging.is_some()) {
            tokio::spawn(want_reports(peer.clone()));
        }
        let ended = CancellationToken::new();
        let end = ended.clone().drop_guard();
        tokio::spawn(async move {
            let _end = end;
            // How it ended is told by the last words.
            let _ = running.waiting().await;
        });
        Ok(Self {
            peer,
            instructions,
            changed,
            offerings_changed,
            progress,
            elicitations: ask.elicitations,
            ended,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
            refused,
            last_words,
        })
    }

    /// Calls a tool and waits for its result; what the server reports meanwhile goes to `live`, and
    /// what it asks to the person behind `caller`. When the time is up or `cancel` says so, the server is
    /// told that nobody waits any more.
    pub async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        timeout: Duration,
        cancel: &CancellationToken,
        live: &LiveOutput,
        caller: Caller,
    ) -> Result<Value, CallError> {
        let asking = self.elicitations.begin(caller);
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        self.exchange(request, timeout, cancel, Some((live, &asking))).await
    }

    /// Sends a request and waits for its result, in the way of [`Self::call`].
    async fn exchange(
        &self,
        request: ClientRequest,
        timeout: Duration,
        cancel: &CancellationToken,
        call: Option<(&LiveOutput, &Ongoing)>,
    ) -> Result<Value, CallError> {
        let deadline = async {
            match call {
                Some((_, asking)) => asking.overdue(timeout).await,
                None => tokio::time::sleep(timeout).await,
            }
        };
        tokio::pin!(deadline);
        // Before it is sent: a quick server reports before we hear that it has gone out.
        let watched = call.map(|(live, _)| self.progress.watch(live.clone()));
        let sent = self.peer.send_cancellable_request(request, PeerRequestOptions::no_options());
        let mut handle = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(CallError::Cancelled),
            () = &mut deadline => return Err(CallError::Timeout(timeout)),
            sent = sent => match sent {
                Ok(handle) => handle,
                Err(error) => return Err(self.broken(&error).await),
            },
        };
        if let Some(watched) = &watched {
            watched.sent(&handle.progress_token);
        }
        let (given_up, reason) = tokio::select! {
            biased;
            () = cancel.cancelled() => (CallError::Cancelled, "the user cancelled the call"),
            result = &mut handle.rx => {
                return match result {
                    Ok(Ok(result)) => Ok(serde_json::to_value(result).unwrap_or_default()),
                    Ok(Err(ServiceError::McpError(error))) => {
                        Err(CallError::Refused(error.message.into_owned()))
                    }
                    Ok(Err(error)) => Err(self.broken(&error).await),
                    Err(_) => Err(self.broken(&ServiceError::TransportClosed).await),
                };
            }
            () = &mut deadline => (CallError::Timeout(timeout), "the call took too long"),
        };
        let told = handle.cancel(Some(reason.to_owned()));
        let _ = tokio::time::timeout(CANCEL_PATIENCE, told).await;
        Err(given_up)
    }

    /// Whether the connection is over.
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled() || self.refused.is_cancelled()
    }

    /// Waits until the server says that its list of tools is another one.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until the server says that its prompts or resources are others.
    pub async fn offerings_changed(&self) {
        self.offerings_changed.notified().await;
    }

    /// Waits for the end of the connection, which is also when the server does not know us any more;
    /// returns how it ended.
    pub async fn ended(&self) -> OpenError {
        tokio::select! {
            biased;
            () = self.refused.cancelled() => OpenError::Unauthorized,
            () = self.ended.cancelled() => {
                OpenError::Failed(self.gone(&ServiceError::TransportClosed))
            }
        }
    }

    /// Ends the connection and waits until the server is gone.
    pub async fn close(&self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.ended.cancelled()).await;
    }

    /// A call that went down with the connection. How that ended is known a moment later.
    async fn broken(&self, error: &ServiceError) -> CallError {
        if self.refused.is_cancelled() {
            return CallError::Unauthorized;
        }
        if matches!(error, ServiceError::TransportClosed) {
            let _ = tokio::time::timeout(END_PATIENCE, self.ended.cancelled()).await;
        }
        CallError::Closed(self.gone(error))
    }

    fn gone(&self, error: &ServiceError) -> String {
        self.last_words.told().unwrap_or_else(|| match error {
            ServiceError::TransportClosed => "the connection was closed".to_owned(),
            ServiceError::TransportSend(error) => innermost(error),
            other => other.to_string(),
        })
    }
}

/// Our side, as the server sees it.
struct Client {
    /// The server says nothing any more.
    gone: CancellationToken,
    changed: Arc<Notify>,
    offerings_changed: Arc<Notify>,
    progress: Progress,
    elicitations: Elicitations,
    /// Whether the server was told that a person can answer.
    person: bool,
    journal: Journal,
}

/// Asks a server that can report of itself to do so. Whether it does is its own matter.
#[expect(deprecated, reason = "servers of today have it")]
async fn want_reports(peer: Peer<RoleClient>) {
    let level = rmcp::model::SetLevelRequestParams::new(rmcp::model::LoggingLevel::Info);
    let _ = tokio::time::timeout(SET_LEVEL_PATIENCE, peer.set_level(level)).await;
}

impl Client {
    async fn asked(
        &self,
        params: &Value,
        withdrawn: &CancellationToken,
    ) -> Result<ElicitResult, ErrorData> {
        let answer = if self.person {
            tokio::select! {
                biased;
                () = self.gone.cancelled() => Ok(Answer::Cancel),
                answer = self.elicitations.answer(params, withdrawn) => answer,
            }
        } else {
            // It was not told that it may ask, and yet gets an answer that it knows what to do with.
            info!("a question of an MCP server was declined: there is nobody to answer");
            self.elicitations.check(params).map(|()| Answer::Decline)
        };
        match answer {
            Ok(Answer::Accept(content)) => {
                let result = ElicitResult::new(ElicitationAction::Accept);
                Ok(content.into_iter().fold(result, ElicitResult::with_content))
            }
            Ok(Answer::Decline) => Ok(ElicitResult::new(ElicitationAction::Decline)),
            Ok(Answer::Cancel) => Ok(ElicitResult::new(ElicitationAction::Cancel)),
            Err(why) => {
                info!("a question of an MCP server cannot be put: {why}");
                Err(ErrorData::invalid_params(why, None))
            }
        }
    }
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let us = Implementation::new("kimi", env!("CARGO_PKG_VERSION"));
        let mut able = ClientCapabilities::default();
        able.elicitation = self.person.then(|| {
            ElicitationCapability::default()
                .with_form(FormElicitationCapability::default())
                .with_url(UrlElicitationCapability::default())
        });
        ClientConfig::new(able, us).with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.offerings_changed.notify_one();
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.offerings_changed.notify_one();
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let params = serde_json::to_value(request).unwrap_or_default();
        self.asked(&params, &context.ct).await
    }

    /// Requests of other kinds, and those of a known kind whose parameters are not as they should be.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        if request.method != "elicitation/create" {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None));
        }
        let params = request.params.unwrap_or_default();
        let result = self.asked(&params, &context.ct).await?;
        Ok(CustomResult::new(serde_json::to_value(result).unwrap_or_default()))
    }

    #[expect(deprecated, reason = "servers of today have it")]
    async fn on_logging_message(
        &self,
        report: rmcp::model::LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let report = serde_json::to_value(report).unwrap_or_default();
        if let Some(line) = self.journal.take(&report) {
            self.progress.warn(&line);
        }
    }

    async fn on_progress(
        &self,
        report: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.progress.report(&report);
    }
}

fn never(error: HttpError) -> OpenError {
    OpenError::Never(error.to_string())
}

fn no_token(error: OauthError) -> OpenError {
    match error {
        OauthError::LoginNeeded => OpenError::Unauthorized,
        OauthError::Failed(why) => OpenError::Never(why),
    }
}

fn open_error(error: &ClientInitializeError, last_words: &LastWords) -> OpenError {
    if error.is_authorization_required() {
        return OpenError::Unauthorized;
    }
    let why = match error {
        ClientInitializeError::JsonRpcError(error) => format!("it refused: {}", error.message),
        ClientInitializeError::TransportError { error, .. } => {
            let why = innermost(error);
            if why.contains("HTTP 401") {
                return OpenError::Unauthorized;
            }
            last_words.told().unwrap_or(why)
        }
        ClientInitializeError::ConnectionClosed(_) => last_words
            .told()
            .unwrap_or_else(|| "it closed the connection before it was ready".to_owned()),
        _ => "its greeting is no MCP".to_owned(),
    };
    OpenError::Failed(why)
}

/// The cause at the bottom of an error, which is the one that says something.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    loop {
        // This one keeps its cause to itself.
        if let Some(StreamableHttpError::Client(client)) =
            cause.downcast_ref::<StreamableHttpError<reqwest::Error>>()
        {
            cause = client;
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return cause.to_string(),
        }
    }
}

fn home_relative(dir: &Path, env: &Env) -> PathBuf {
    match dir.strip_prefix("~") {
        Ok(rest) => env.home.join(rest),
        Err(_) => dir.to_path_buf(),
    }
}

/// A server's name as that of a file.
fn file_name(server: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = server.chars().take(64).map(plain).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_files_stay_in_their_directory() {
        assert_eq!(file_name("my server/../x"), "my_server_.._x");
        assert_eq!(file_name("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_name(&"é".repeat(100)), "_".repeat(64));
    }
}
