//! One session with one server: the handshake, its list of tools, calls.
//!
//! Results are handed on as plain JSON: what of it makes sense is decided by those who use it, tool
//! by tool and part by part, so that one strange entry spoils nothing but itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest,
    ErrorCode, Implementation, ListToolsRequest, PaginatedRequestParams, ProgressNotificationParam,
    ProtocolVersion,
};
use rmcp::service::{
    ClientInitializeError, NotificationContext, Peer, PeerRequestOptions, RoleClient, ServiceError,
    serve_client_with_ct,
};
use rmcp::transport::streamable_http_client::StreamableHttpError;
use rmcp::{ClientHandler, transport::Transport};
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::config::{Auth, Reach, RemoteWire, ServerConfig};
use super::progress::Progress;
use super::transport::{
    Command, HttpError, LastWords, Sse, Stdio, Throttled, headers, http_client, streamable,
};
use crate::platform::Env;
use crate::tools::LiveOutput;

/// Pages of a list of tools.
const MOST_PAGES: usize = 200;
/// Tools of one server.
const MOST_TOOLS: usize = 10_000;
/// Time for telling a server that nobody waits any more.
const CANCEL_PATIENCE: Duration = Duration::from_millis(500);
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
    progress: Progress,
    ended: CancellationToken,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
    last_words: LastWords,
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
                    log: around.log_of(&server.name),
                };
                let transport = Stdio::start(&command, &around.env, last_words.clone());
                let transport = transport.await.map_err(OpenError::Never)?;
                Self::greet(transport, last_words).await
            }
            Reach::Remote { url, wire, headers: configured, auth } => {
                let token = match auth {
                    Auth::Bearer(token) => Some(token.as_str()),
                    Auth::None | Auth::Oauth | Auth::BearerFrom(_) => None,
                };
                // Without a token there is nothing to say to it.
                if *auth == Auth::Oauth {
                    return Err(OpenError::Unauthorized);
                }
                let headers = headers(configured, token).map_err(never)?;
                let (client, url) = http_client(url).await.map_err(never)?;
                match wire {
                    RemoteWire::Http => {
                        let transport = streamable(client, &url, &headers);
                        Self::greet(transport, LastWords::default()).await
                    }
                    RemoteWire::Sse => {
                        let transport = Sse::connect(client, url, headers).await;
                        let transport = transport.map_err(|error| match error {
                            HttpError::Unauthorized => OpenError::Unauthorized,
                            HttpError::Other(why) => OpenError::Failed(why),
                        })?;
                        Self::greet(transport, LastWords::default()).await
                    }
                }
            }
        }
    }

    async fn greet<T>(transport: T, last_words: LastWords) -> Result<Self, OpenError>
    where
        T: Transport<RoleClient> + 'static,
    {
        let changed = Arc::new(Notify::new());
        let stop = CancellationToken::new();
        let progress = Progress::default();
        let client = Client { changed: Arc::clone(&changed), progress: progress.clone() };
        let running = serve_client_with_ct(client, Throttled::new(transport), stop.clone())
            .await
            .map_err(|error| open_error(&error, &last_words))?;
        let peer = running.peer().clone();
        let instructions = peer.peer_info().and_then(|info| info.instructions.clone());
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
            progress,
            ended,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
            last_words,
        })
    }

    /// All tools, as the server describes them. The error is half a sentence.
    pub async fn tools(&self) -> Result<Vec<Value>, String> {
        let mut tools = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let request = ListToolsRequest {
                method: Default::default(),
                params: Some(PaginatedRequestParams::default().with_cursor(cursor.clone())),
                extensions: Default::default(),
            };
            let page = match self.peer.send_request(ClientRequest::ListToolsRequest(request)).await
            {
                Ok(page) => serde_json::to_value(page).unwrap_or_default(),
                // A server that brings something else, and says so.
                Err(ServiceError::McpError(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                    return Ok(tools);
                }
                Err(ServiceError::McpError(error)) => {
                    return Err(format!("it does not list its tools: {}", error.message));
                }
                Err(error) => return Err(self.gone(&error)),
            };
            let Some(Value::Array(found)) = page.get("tools") else {
                return Err("its list of tools is none".to_owned());
            };
            tools.extend(found.iter().take(MOST_TOOLS - tools.len()).cloned());
            let next = page.get("nextCursor").and_then(Value::as_str);
            // A cursor that comes again would go round for ever.
            if next.is_none_or(str::is_empty)
                || next == cursor.as_deref()
                || tools.len() == MOST_TOOLS
            {
                break;
            }
            cursor = next.map(str::to_owned);
        }
        Ok(tools)
    }

    /// Calls a tool and waits for its result; what the server reports meanwhile goes to `live`. When the time is up or `cancel` says so, the server is
    /// told that nobody waits any more.
    pub async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        timeout: Duration,
        cancel: &CancellationToken,
        live: &LiveOutput,
    ) -> Result<Value, CallError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let request = CallToolRequest::new(params);
        let deadline = tokio::time::sleep(timeout);
        tokio::pin!(deadline);
        let sent = self.peer.send_cancellable_request(
            ClientRequest::CallToolRequest(request),
            PeerRequestOptions::no_options(),
        );
        let mut handle = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(CallError::Cancelled),
            () = &mut deadline => return Err(CallError::Timeout(timeout)),
            sent = sent => match sent {
                Ok(handle) => handle,
                Err(error) => return Err(self.broken(&error).await),
            },
        };
        let _watched = self.progress.watch(&handle.progress_token, live.clone());
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
        self.ended.is_cancelled()
    }

    /// Waits until the server says that its list of tools is another one.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits for the end of the connection; returns how it ended, half a sentence.
    pub async fn ended(&self) -> String {
        self.ended.cancelled().await;
        self.gone(&ServiceError::TransportClosed)
    }

    /// Ends the connection and waits until the server is gone.
    pub async fn close(&self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.ended.cancelled()).await;
    }

    /// A call that went down with the connection. How that ended is known a moment later.
    async fn broken(&self, error: &ServiceError) -> CallError {
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
    changed: Arc<Notify>,
    progress: Progress,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let us = Implementation::new("kimi", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), us)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
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
