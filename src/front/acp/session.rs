//! One session: prompts in, updates out, until the client closes it or is gone.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::choices::{self, Mode, Model};
use super::failures::{self, Failures};
use super::files::ClientFiles;
use super::peer::Peer;
use super::rpc::{Id, RpcError};
use super::terminals::{ClientTerminals, Shown};
use super::updates::{self, Updates, said_by_agent};
use super::{asking, content, introduction, record};
use crate::agent::{ClientView, Introduction, OfferedCommand, SessionHandle, Shows};
use crate::front::host::{Host, Opened};
use crate::mcp::config::Source;
use crate::protocol::{Event, Failure, FailureKind, Message, Op, Outcome, Request, SessionInfo};

/// How long a cancelled turn may take to end: a command that does not listen is killed after a second.
const CANCEL_TIME: Duration = Duration::from_millis(2_000);
/// How long the session may take to end after it.
const CLOSE_TIME: Duration = Duration::from_millis(1_000);
/// How long background tasks may take to end, within it.
const TASK_TIME: Duration = Duration::from_millis(500);

/// What the client wants of an open session. Calls are answered by the session itself.
pub(super) enum Command {
    /// Answer the call that opened it; `replay`: with everything that was said before, `brought`: with
    /// these MCP servers from now on.
    Introduce {
        call: Id,
        replay: bool,
        brought: Option<Source>,
    },
    Prompt {
        call: Id,
        blocks: Vec<Map<String, Value>>,
    },
    /// Stop the prompt that runs.
    Cancel,
    /// Stop the prompt of this call, if it is that.
    CancelCall(Id),
    SetMode {
        call: Id,
        mode: String,
    },
    SetModel {
        call: Id,
        model: String,
    },
    SetOption {
        call: Id,
        option: String,
        value: String,
    },
    /// End the session. Whatever else is wanted comes too late.
    Close {
        call: Id,
    },
}

/// An open session with its client.
pub(super) struct Session {
    id: String,
    host: Host,
    handle: SessionHandle,
    ops: UnboundedSender<Op>,
    messages: UnboundedReceiver<std::sync::Arc<Message>>,
    client: ClientView,
    peer: Peer,
    commands: UnboundedReceiver<Command>,
    updates: Updates,
    /// The call whose prompt runs, and how the session calls that.
    running: Option<(Id, String)>,
    prompts: u64,
    /// What the client was asked and has not answered, by the request's id.
    asked: HashMap<String, AbortHandle>,
    /// The mode that the client knows of.
    mode: Mode,
    /// What the client knows of servers that are not there.
    failures: Failures,
    /// The commands of servers that it knows.
    prompts_told: Vec<OfferedCommand>,
}

impl Session {
    /// Serves the client from now on. Nothing is said before it is introduced.
    pub fn new(
        (host, opened): (Host, Opened),
        peer: Peer,
        commands: UnboundedReceiver<Command>,
    ) -> Self {
        let Opened { handle, warnings, .. } = opened;
        for warning in host.loaded.warnings.iter().chain(&warnings) {
            tracing::warn!("{warning}");
        }
        let client = handle.client();
        let id = handle.session().id.clone();
        if let Some(files) = ClientFiles::of(&peer, &id) {
            client.open_files_in(files);
        }
        let shown = Shown::default();
        if let Some(terminals) = ClientTerminals::of(&peer, &id, &shown) {
            client.run_commands_in(terminals);
        }
        // Where there are no forms, there are only buttons.
        let forms = peer.can().elicitation.form;
        client.introduce(Introduction {
            name: peer.name(),
            shows: Some(Shows { questions: true, words: forms, forms, plans: true }),
            ..Introduction::default()
        });
        Self {
            id,
            ops: handle.ops(),
            messages: handle.subscribe(),
            client,
            peer,
            commands,
            updates: Updates::live(host.options.work_dir.clone(), shown),
            running: None,
            prompts: 0,
            asked: HashMap::new(),
            mode: Mode::holds(&handle.info()),
            failures: Failures::default(),
            prompts_told: Vec::new(),
            handle,
            host,
        }
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Serves the client to the end of its commands, and ends the session.
    pub async fn run(mut self) {
        if let Some(servers) = &self.host.options.mcp {
            servers.start();
            servers.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        // Whatever the session tells by itself comes after the answer to the call that opened it.
        if let Some(command) = self.commands.recv().await {
            self.take(command).await;
        }
        let watched = self.host.options.mcp.as_ref().map(|servers| failures::watch(servers));
        let closing = loop {
            tokio::select! {
                () = async {
                    match &watched {
                        Some((changed, _)) => changed.notified().await,
                        None => std::future::pending().await,
                    }
                } => {
                    self.tell_failures();
                    self.tell_prompts().await;
                }
                command = self.commands.recv() => match command {
                    Some(Command::Close { call }) => break Some(call),
                    Some(command) => self.take(command).await,
                    None => break None,
                },
                message = self.messages.recv() => match message {
                    Some(message) => self.hear(&message),
                    None => {
                        tracing::error!("the session has ended before its client");
                        break None;
                    }
                },
            }
        };
        drop(watched);
        let (peer, id) = (self.peer.clone(), self.id.clone());
        self.end().await;
        tracing::debug!(id, "the session has ended");
        if let Some(call) = closing {
            peer.answer(&call, Ok(json!({})));
        }
    }

    async fn take(&mut self, command: Command) {
        match command {
            Command::Introduce { call, replay, brought } => {
                if let Err(error) = self.introduce(&call, replay, brought).await {
                    self.peer.answer(&call, Err(error));
                }
            }
            Command::Prompt { call, blocks } => {
                if let Err(error) = self.prompt(&call, blocks).await {
                    self.peer.answer(&call, Err(error));
                }
            }
            Command::Cancel => self.cancel(),
            Command::CancelCall(call) => {
                if self.running.as_ref().is_some_and(|(running, _)| *running == call) {
                    self.cancel();
                }
            }
            Command::SetMode { call, mode } => {
                let answer = self.set_mode(&mode).map(|_| json!({}));
                self.peer.answer(&call, answer);
            }
            Command::SetModel { call, model } => {
                let answer = self.set_model(&model).await.map(|_| json!({}));
                self.peer.answer(&call, answer);
            }
            Command::SetOption { call, option, value } => {
                let info = match option.as_str() {
                    "mode" => self.set_mode(&value),
                    "model" => self.set_model(&value).await,
                    _ => Err(RpcError::params(format!("there is no option {option:?}"))),
                };
                let options = |info| choices::options(&info, self.host.config());
                let answer = info.map(|info| json!({"configOptions": options(info)}));
                self.peer.answer(&call, answer);
            }
            // Ends the loop.
            Command::Close { .. } => {}
        }
    }

    /// Answers the call that opened the session, after what was said in it.
    async fn introduce(
        &mut self,
        call: &Id,
        replay: bool,
        brought: Option<Source>,
    ) -> Result<(), RpcError> {
        if replay && self.running.is_some() {
            return Err(RpcError::request("a prompt is running"));
        }
        if let Some(source) = brought {
            self.bring(source).await?;
        }
        if replay {
            let (dir, env) = (self.host.options.work_dir.clone(), self.host.env.clone());
            record::replay(&self.peer, &self.id, self.handle.session().wire_path(), dir, env).await;
        }
        let info = self.handle.info();
        let mut result = choices::told(&info, self.host.config());
        result["sessionId"] = json!(self.id);
        self.mode = Mode::holds(&info);
        self.peer.answer(call, Ok(result));
        self.tell_commands().await;
        Ok(())
    }

    /// The client brings these servers from now on. Calls that run would go down with theirs.
    async fn bring(&mut self, source: Source) -> Result<(), RpcError> {
        let Some(servers) = self.host.options.mcp.clone() else { return Ok(()) };
        if servers.has_brought(&source) {
            return Ok(());
        }
        if self.running.is_some() {
            return Err(RpcError::request("a prompt is running: it keeps its MCP servers"));
        }
        let bring = tokio::task::spawn_blocking(move || servers.bring(source));
        bring.await.map_err(|error| RpcError::internal(error.to_string()))?;
        // Others may have the names of those that were told of.
        self.failures = Failures::default();
        Ok(())
    }

    async fn tell_commands(&mut self) {
        self.prompts_told = self.client.prompts();
        let commands = self.client.commands().await;
        self.peer.update(&self.id, &updates::commands(&commands));
    }

    /// Tells the commands anew when servers have brought others.
    async fn tell_prompts(&mut self) {
        if self.client.prompts() != self.prompts_told {
            self.tell_commands().await;
        }
    }

    async fn prompt(&mut self, call: &Id, blocks: Vec<Map<String, Value>>) -> Result<(), RpcError> {
        if self.running.is_some() {
            return Err(RpcError::request("a prompt is running"));
        }
        let input = tokio::task::spawn_blocking(move || content::message(blocks)).await;
        let input = input.map_err(|error| RpcError::internal(error.to_string()))?;
        let input = input.map_err(RpcError::params)?;
        self.prompts += 1;
        let op_id = format!("prompt-{}", self.prompts);
        self.running = Some((call.clone(), op_id.clone()));
        self.submit(Op::Prompt { id: op_id, input });
        Ok(())
    }

    fn cancel(&self) {
        if self.running.is_some() {
            self.submit(Op::Cancel);
        }
    }

    /// Switches the mode; how the session is then.
    fn set_mode(&self, id: &str) -> Result<SessionInfo, RpcError> {
        let mode =
            Mode::of(id).ok_or_else(|| RpcError::params(format!("there is no mode {id:?}")))?;
        let mut info = self.handle.info();
        info.plan_mode = mode == Mode::Plan;
        (info.yolo, info.afk) = (mode == Mode::Yolo, false);
        mode.ops().into_iter().for_each(|op| self.submit(op));
        Ok(info)
    }

    /// Uses another model from the next request on, and for sessions to come; how the session is then.
    async fn set_model(&self, id: &str) -> Result<SessionInfo, RpcError> {
        let models = Model::all(self.host.config());
        let Some(model) = models.into_iter().find(|model| model.id() == id) else {
            let info = self.handle.info();
            // One of the environment is no choice, but it may hold already.
            let holds = Model::holds(&info).is_some_and(|model| model.id() == id);
            let none = || RpcError::params(format!("there is no model {id:?}"));
            return if holds { Ok(info) } else { Err(none()) };
        };
        let wrong = |error: crate::front::host::HostError| RpcError::params(error.to_string());
        self.host.check_model(&model.key).map_err(wrong)?;
        let (name, thinking) = (model.key.clone(), Some(model.thinking));
        self.submit(Op::SetModel { model: Some(name.clone()), thinking });
        let host = self.host.clone();
        let keep = move || host.keep_model(&name, thinking).map_err(|error| error.to_string());
        let kept = tokio::task::spawn_blocking(keep).await;
        if let Err(error) = kept.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::warn!(error, "the choice of a model holds and is not kept");
        }
        let mut info = self.handle.info();
        (info.model, info.thinking) = (Some(model.key), model.thinking);
        Ok(info)
    }

    fn hear(&mut self, message: &Message) {
        match message {
            Message::Event(event) => self.event(event),
            Message::Request(request) => self.request(request),
            Message::Outcome { op_id, outcome } => self.outcome(op_id, outcome),
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::RequestWithdrawn { request_id } => self.withdraw(request_id),
            Event::ApprovalResponse(answer) => self.withdraw(&answer.request_id),
            Event::SessionInfo(_) => self.tell_mode(),
            Event::StatusUpdate(status) if status.plan_mode.is_some() => self.tell_mode(),
            _ => {}
        }
        let env = &self.host.env;
        let told = self.updates.event(event, || env.ids.uuid(), env.clock.instant());
        self.tell(&told);
    }

    /// Tells the client of servers that are not there, not in the middle of an answer.
    fn tell_failures(&mut self) {
        let servers = self.host.options.mcp.as_ref().filter(|_| self.running.is_none());
        if let Some(news) = servers.and_then(|servers| self.failures.news(servers)) {
            self.tell(&[updates::notification(&news)]);
        }
    }

    /// Tells the client of another mode, whoever has switched it.
    fn tell_mode(&mut self) {
        let mode = Mode::holds(&self.handle.info());
        if mode != self.mode {
            self.mode = mode;
            self.peer.update(&self.id, &updates::mode(mode.id()));
        }
    }

    fn request(&mut self, request: &Request) {
        let (agent, call_id, sender) = match request {
            Request::ApprovalRequest(approval) => {
                (approval.agent_id.as_deref(), &approval.tool_call_id, &*approval.sender)
            }
            Request::QuestionRequest(question) => (None, &question.tool_call_id, "Question"),
            // Only for programs that have brought tools or hooks.
            Request::ToolCallRequest(_) | Request::HookRequest(_) => return,
        };
        let (announced, call) = self.updates.asked_about(agent, call_id, sender);
        self.tell(&announced);
        let (peer, ops, id) = (self.peer.clone(), self.ops.clone(), self.id.clone());
        let request = request.clone();
        let asked = request.id().to_owned();
        let task = tokio::spawn(async move {
            let response = match &request {
                Request::ApprovalRequest(request) => {
                    asking::approval(&peer, &id, call, request).await
                }
                Request::QuestionRequest(request) => {
                    asking::question(&peer, &id, call, request).await
                }
                Request::ToolCallRequest(_) | Request::HookRequest(_) => return,
            };
            // A session that has ended wants no answer.
            let _ = ops.send(Op::Answer { response });
        });
        self.asked.insert(asked, task.abort_handle());
    }

    /// Nobody wants to know any more.
    fn withdraw(&mut self, request_id: &str) {
        if let Some(task) = self.asked.remove(request_id) {
            task.abort();
        }
    }

    fn outcome(&mut self, op_id: &str, outcome: &Outcome) {
        if self.running.as_ref().is_none_or(|(_, running)| running != op_id) {
            return;
        }
        let left = self.updates.abandon();
        self.tell(&left);
        if let Some(why) = outcome.given_up() {
            self.tell(&[said_by_agent(&format!("\n\n{why}."))]);
        }
        if let Some(failure) = outcome.refused_command() {
            self.tell(&[said_by_agent(&told(failure))]);
        }
        if let Some((call, _)) = self.running.take() {
            self.peer.answer(&call, self.stop_reason(outcome));
            self.tell_failures();
        }
    }

    /// The result of a prompt. What the protocol has no word for is an error.
    fn stop_reason(&self, outcome: &Outcome) -> Result<Value, RpcError> {
        let stopped = |reason: &str| Ok(json!({"stopReason": reason}));
        match outcome {
            Outcome::Finished { .. } => stopped("end_turn"),
            // Its message has told it: nothing is wrong with the session.
            _ if outcome.refused_command().is_some() => stopped("end_turn"),
            Outcome::Cancelled => stopped("cancelled"),
            Outcome::MaxStepsReached { .. } => stopped("max_turn_requests"),
            Outcome::BudgetSpent(spent) => Err(RpcError::internal(format!("{spent}."))),
            Outcome::Failed(failure) => Err(self.failed(failure)),
        }
    }

    fn failed(&self, failure: &Failure) -> RpcError {
        let why = told(failure);
        match failure.kind {
            FailureKind::LlmNotSet
            | FailureKind::SignIn
            | FailureKind::Provider { status: Some(401), .. } => {
                introduction::no_model(self.host.store.share(), &why)
            }
            _ => RpcError::internal(why),
        }
    }

    fn tell(&self, updates: &[Value]) {
        for update in updates {
            self.peer.update(&self.id, update);
        }
    }

    fn submit(&self, op: Op) {
        // A session that has ended says so by the end of its messages.
        let _ = self.ops.send(op);
    }

    /// Cancels what runs, answers what waits, closes the session and ends its servers, all in time.
    async fn end(mut self) {
        if self.running.is_some() {
            self.submit(Op::Cancel);
            let ended = async {
                while self.running.is_some() {
                    let Some(message) = self.messages.recv().await else { return };
                    self.hear(&message);
                }
            };
            if timeout(CANCEL_TIME, ended).await.is_err() {
                tracing::warn!("the turn did not end in time");
            }
        }
        self.asked.drain().for_each(|(_, task)| task.abort());
        let Self { host, handle, running, peer, .. } = self;
        if let Some((call, _)) = running {
            peer.answer(&call, Ok(json!({"stopReason": "cancelled"})));
        }
        let (session, tasks) = (handle.session().clone(), handle.tasks());
        let closed = async {
            if timeout(CLOSE_TIME, handle.shutdown(Some(TASK_TIME))).await.is_err() {
                tracing::warn!("the session did not end in time");
                // What runs in the background would outlive it.
                tasks.shutdown(TASK_TIME).await;
            }
        };
        let servers = async {
            if let Some(servers) = &host.options.mcp {
                servers.shutdown().await;
            }
        };
        tokio::join!(closed, servers);
        host.close(&session);
    }
}

/// A failure in a line, with what to do about it.
fn told(failure: &Failure) -> String {
    let hint = failure.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}{hint}", failure.message)
}
