//! The loop between the client and its sessions.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::OptionFuture;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Link;
use super::introduction::{self, initialized};
use super::list;
use super::opening::{self, Wanted};
use super::params::{
    Authenticate, CancelRequest, Initialize, List, New, Nothing, OfSession, Past, Prompt, SetMode,
    SetModel, SetOption, parse,
};
use super::peer::Peer;
use super::rpc::{self, Id, Incoming, Refusal, RpcError};
use super::servers;
use super::session::{Command, Session};
use crate::front::host::{Host, Opened};
use crate::front::lines::{MAX_CLIENT_LINE, RawLine};
use crate::front::outbox::Outbox;
use crate::front::signals::Signal;

/// Bytes that may wait for the client while more calls of it are taken in.
const BUSY_READER: usize = 4 * 1024 * 1024;
/// How long sessions that are being opened may take once the client is gone.
const OPEN_TIME: Duration = Duration::from_millis(1_000);
/// How long the sessions may take to end, all at once. Each has its own shorter times.
const END_TIME: Duration = Duration::from_millis(6_000);

/// A client and its sessions.
pub(super) struct Server {
    link: Link,
    peer: Peer,
    outbox: Outbox,
    lines: Receiver<RawLine>,
    signals: UnboundedReceiver<Signal>,
    sessions: HashMap<String, Port>,
    /// Ids of sessions that are being opened, and how many are that have no id yet.
    opening: HashSet<String>,
    pending: usize,
    opened: UnboundedReceiver<Attempt>,
    attempts: UnboundedSender<Attempt>,
    /// Sessions that are on their way out, by id.
    ending: HashMap<String, JoinHandle<()>>,
}

/// The way to an open session.
struct Port {
    commands: UnboundedSender<Command>,
    task: JoinHandle<()>,
}

/// What has become of a call to open a session.
struct Attempt {
    call: Id,
    wanted: Wanted,
    result: Result<(Host, Opened), RpcError>,
}

impl Server {
    pub fn new(
        link: Link,
        outbox: Outbox,
        lines: Receiver<RawLine>,
        signals: UnboundedReceiver<Signal>,
    ) -> Self {
        let (attempts, opened) = unbounded_channel();
        Self {
            link,
            peer: Peer::new(outbox.clone()),
            outbox,
            lines,
            signals,
            sessions: HashMap::new(),
            opening: HashSet::new(),
            pending: 0,
            opened,
            attempts,
            ending: HashMap::new(),
        }
    }

    /// Serves the client to the end.
    pub async fn run(mut self) {
        loop {
            let Self { outbox, lines, signals, opened, .. } = &mut self;
            tokio::select! {
                Some(_) = signals.recv() => break,
                _ = outbox.broken() => break,
                Some(attempt) = opened.recv() => self.attempted(attempt),
                line = async {
                    // Answers pile up for somebody who calls and does not read.
                    outbox.room(BUSY_READER).await;
                    lines.recv().await
                } => match line {
                    Some(line) => self.hear(line).await,
                    None => break,
                },
            }
        }
        self.shut_down().await;
    }

    async fn hear(&mut self, line: RawLine) {
        let read = match line {
            RawLine::Whole(line) if line.trim_ascii().is_empty() => return,
            RawLine::Whole(line) => rpc::read(&line),
            RawLine::TooLong => {
                Err(Refusal { id: Id::Null, error: RpcError::too_long(MAX_CLIENT_LINE) })
            }
            RawLine::End => return,
        };
        match read {
            Ok(Incoming::Call { id, method, params }) => {
                match self.call(&id, &method, params).await {
                    Ok(Some(result)) => self.peer.answer(&id, Ok(result)),
                    // Answered already, or later.
                    Ok(None) => {}
                    Err(error) => self.peer.answer(&id, Err(error)),
                }
            }
            Ok(Incoming::Notice { method, params }) => self.notice(&method, params),
            Ok(Incoming::Answer { id, answer }) => self.peer.take_answer(&id, answer),
            Err(refusal) => self.peer.refuse(&refusal),
        }
    }

    /// Nobody hears what is wrong with a notification.
    fn notice(&self, method: &str, params: Value) {
        match method {
            "session/cancel" => {
                if let Ok(OfSession { session_id, more: Nothing {} }) = parse(params) {
                    self.command(&session_id, Command::Cancel);
                }
            }
            "$/cancel_request" => {
                if let Ok(CancelRequest { request_id }) = parse(params) {
                    for id in self.sessions.keys() {
                        self.command(id, Command::CancelCall(request_id.clone()));
                    }
                }
            }
            method => tracing::debug!(method, "a notification that means nothing here"),
        }
    }

    /// Carries out a call. `None` when the answer comes from elsewhere.
    async fn call(
        &mut self,
        id: &Id,
        method: &str,
        params: Value,
    ) -> Result<Option<Value>, RpcError> {
        if method == "initialize" {
            return self.initialize(params).map(Some);
        }
        if !METHODS.contains(&method) {
            return Err(RpcError::method(method));
        }
        if !self.peer.is_introduced() {
            return Err(RpcError::request("initialize comes first"));
        }
        match method {
            "authenticate" => {
                let Authenticate { method_id } = parse(params)?;
                self.authenticate(&method_id).await.map(Some)
            }
            "session/new" => self.open(id, parse(params)?, Wanted::New),
            "session/load" => {
                let Past { session_id, place } = parse(params)?;
                self.past(id, place, Wanted::Loaded(session_id))
            }
            "session/resume" => {
                let Past { session_id, place } = parse(params)?;
                self.past(id, place, Wanted::Resumed(session_id))
            }
            "session/list" => {
                let List { cwd, cursor } = parse(params)?;
                let store = self.link.store.clone();
                blocking(move || list::page(&store, cwd, cursor.as_deref())).await?.map(Some)
            }
            "session/close" => {
                let OfSession { session_id, more: Nothing {} } = parse(params)?;
                let port = self.sessions.remove(&session_id).ok_or_else(RpcError::session)?;
                self.ending.retain(|_, task| !task.is_finished());
                self.ending.insert(session_id, port.task);
                let gone = port.commands.send(Command::Close { call: id.clone() }).is_err();
                Ok(gone.then(|| json!({})))
            }
            "session/prompt" => {
                let OfSession { session_id, more: Prompt { prompt } } = parse(params)?;
                self.ask(&session_id, Command::Prompt { call: id.clone(), blocks: prompt })
            }
            "session/cancel" => {
                let OfSession { session_id, more: Nothing {} } = parse(params)?;
                self.ask(&session_id, Command::Cancel).map(|_| Some(json!({})))
            }
            "session/set_mode" => {
                let OfSession { session_id, more: SetMode { mode_id } } = parse(params)?;
                self.ask(&session_id, Command::SetMode { call: id.clone(), mode: mode_id })
            }
            "session/set_model" => {
                let OfSession { session_id, more: SetModel { model_id } } = parse(params)?;
                self.ask(&session_id, Command::SetModel { call: id.clone(), model: model_id })
            }
            "session/set_config_option" => {
                let OfSession { session_id, more: SetOption { config_id, value } } = parse(params)?;
                let call = id.clone();
                self.ask(&session_id, Command::SetOption { call, option: config_id, value })
            }
            method => Err(RpcError::method(method)),
        }
    }

    fn initialize(&mut self, params: Value) -> Result<Value, RpcError> {
        if !self.peer.introduce(parse::<Initialize>(params)?) {
            return Err(RpcError::request("the client has said what it is"));
        }
        Ok(initialized(self.link.version, self.link.store.share()))
    }

    /// Nothing is started for it: it is looked whether the user has done it.
    async fn authenticate(&self, method: &str) -> Result<Value, RpcError> {
        if !introduction::is_method(method) {
            return Err(RpcError::params(format!("there is no method {method:?}")));
        }
        let (hosts, cwd) = (self.link.hosts.clone(), self.link.cwd.clone());
        blocking(move || {
            let host = hosts(&cwd, Vec::new());
            let host = host.map_err(|error| RpcError::internal(format!("{error:#}")))?;
            introduction::must_have_model(&host).map(|()| json!({}))
        })
        .await?
    }

    /// Opens a session that is there already; one that is open is not opened again.
    fn past(&mut self, call: &Id, place: New, wanted: Wanted) -> Result<Option<Value>, RpcError> {
        let Some(id) = wanted.id() else { return Err(RpcError::session()) };
        let replay = matches!(wanted, Wanted::Loaded(_));
        if let Some(port) = self.sessions.get(id) {
            let brought = place.mcp_servers.clone().map(servers::read);
            let introduce = Command::Introduce { call: call.clone(), replay, brought };
            if port.commands.send(introduce).is_ok() {
                return Ok(None);
            }
        }
        if !self.opening.insert(id.to_owned()) {
            return Err(RpcError::request("the session is being opened"));
        }
        self.open(call, place, wanted)
    }

    fn open(&mut self, call: &Id, place: New, wanted: Wanted) -> Result<Option<Value>, RpcError> {
        self.pending += 1;
        let leaving = wanted.id().and_then(|id| self.ending.remove(id));
        let (hosts, attempts, call) =
            (self.link.hosts.clone(), self.attempts.clone(), call.clone());
        tokio::spawn(async move {
            // Two of one session would write to the same files.
            if let Some(Err(error)) = OptionFuture::from(leaving).await {
                tracing::error!(%error, "a session broke");
            }
            let asked = wanted.clone();
            let result = blocking(move || opening::open(&hosts, place, &asked)).await;
            // Fails when the client is gone and nobody waited for it.
            let _ = attempts.send(Attempt { call, wanted, result: result.and_then(|it| it) });
        });
        Ok(None)
    }

    fn attempted(&mut self, attempt: Attempt) {
        let Attempt { call, wanted, result } = attempt;
        self.pending -= 1;
        if let Some(id) = wanted.id() {
            self.opening.remove(id);
        }
        let parts = match result {
            Ok(parts) => parts,
            Err(error) => return self.peer.answer(&call, Err(error)),
        };
        let (commands, receiver) = unbounded_channel();
        let session = Session::new(parts, self.peer.clone(), receiver);
        let id = session.id().to_owned();
        let replay = matches!(wanted, Wanted::Loaded(_));
        // The session has not begun to listen, and cannot have ended.
        let _ = commands.send(Command::Introduce { call, replay, brought: None });
        let task = tokio::spawn(session.run());
        self.sessions.insert(id, Port { commands, task });
    }

    fn ask(&self, session_id: &str, command: Command) -> Result<Option<Value>, RpcError> {
        if self.command(session_id, command) { Ok(None) } else { Err(RpcError::session()) }
    }

    /// Hands a command to a session. False when it is not open.
    fn command(&self, session_id: &str, command: Command) -> bool {
        let port = self.sessions.get(session_id);
        port.is_some_and(|port| port.commands.send(command).is_ok())
    }

    /// The client is gone: ends everything, each within its time.
    async fn shut_down(&mut self) {
        self.peer.close();
        let mut tasks: Vec<_> = self.ending.drain().map(|(_, task)| task).collect();
        // A session ends with its commands.
        tasks.extend(self.sessions.drain().map(|(_, port)| port.task));
        let opening = async {
            while self.pending > 0
                && let Some(attempt) = self.opened.recv().await
            {
                self.pending -= 1;
                if let Ok((host, Opened { handle, .. })) = attempt.result {
                    let session = handle.session().clone();
                    handle.shutdown(None).await;
                    host.close(&session);
                }
            }
        };
        let all = async {
            for task in tasks {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a session broke");
                }
            }
        };
        let (opening, all) = tokio::join!(timeout(OPEN_TIME, opening), timeout(END_TIME, all));
        if opening.is_err() || all.is_err() {
            tracing::warn!("not every session has ended in time");
        }
    }
}

/// The methods beside `initialize`.
const METHODS: [&str; 11] = [
    "authenticate",
    "session/new",
    "session/load",
    "session/resume",
    "session/list",
    "session/close",
    "session/prompt",
    "session/cancel",
    "session/set_mode",
    "session/set_model",
    "session/set_config_option",
];

/// Does something that reads files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RpcError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| RpcError::internal(error.to_string()))
}
