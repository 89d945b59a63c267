//! The loop between the client and the session.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use super::answers::{self, Waiting};
use super::params::{self, Initialize, Input, SetPlanMode};
use super::replay::{self, Piece};
use super::rpc::{self, Incoming, Method, Refusal, RpcError};
use super::{Link, relay};
use crate::agent::ClientView;
use crate::front::ending::ExitCode;
use crate::front::lines::{MAX_CLIENT_LINE, RawLine};
use crate::front::outbox::Outbox;
use crate::front::signals::Signal;
use crate::mcp::servers::Servers;
use crate::protocol::{
    Event, Message, Notification, Op, Outcome, Request, StatusUpdate, UserInput,
};

/// How long a cancelled turn may take to end. With what follows it below the three seconds after which
/// clients kill us.
const CANCEL_TIME: Duration = Duration::from_millis(800);
/// How long the session may take to end.
const CLOSE_TIME: Duration = Duration::from_millis(400);
/// Bytes that may wait for the client while more calls of it are taken in.
const BUSY_READER: usize = 4 * 1024 * 1024;
/// Bytes that may wait for the client while more of a replay is read.
const REPLAY_AHEAD: usize = 256 * 1024;
/// Notifications that wait for the next prompt; older ones give way.
const MOST_HELD: usize = 100;

/// One client and its session.
pub(super) struct Server {
    ops: UnboundedSender<Op>,
    messages: UnboundedReceiver<Arc<Message>>,
    client: ClientView,
    /// Those that are not started yet.
    servers: Option<Arc<Servers>>,
    record: std::path::PathBuf,
    version: &'static str,
    outbox: Outbox,
    lines: Receiver<RawLine>,
    signals: UnboundedReceiver<Signal>,
    /// The client has said what it is.
    initialized: bool,
    running: Running,
    /// Prompts so far.
    prompts: u64,
    waiting: Waiting,
    /// Messages that were accepted for a running turn and not taken in yet, in their order.
    steers: VecDeque<UserInput>,
    /// News from between two prompts.
    held: VecDeque<Notification>,
    /// The client shows the notes of approval requests.
    notes: bool,
    /// The client is gone.
    closed: bool,
}

/// What the client waits for.
enum Running {
    Nothing,
    Prompt {
        /// As the client calls it.
        id: String,
        op_id: String,
        begun: bool,
    },
    Replay {
        id: String,
        pieces: Receiver<Piece>,
        events: u64,
        requests: u64,
    },
}

/// What happened next.
enum Next {
    Line(Option<RawLine>),
    Message(Option<Arc<Message>>),
    Replayed(Option<Piece>),
    Signal,
    Broken,
}

impl Server {
    pub fn new(
        link: Link,
        outbox: Outbox,
        lines: Receiver<RawLine>,
        signals: UnboundedReceiver<Signal>,
    ) -> Self {
        Self {
            ops: link.ops,
            messages: link.messages,
            client: link.client,
            servers: link.servers,
            record: link.record,
            version: link.version,
            outbox,
            lines,
            signals,
            initialized: false,
            running: Running::Nothing,
            prompts: 0,
            waiting: Waiting::default(),
            steers: VecDeque::new(),
            held: VecDeque::new(),
            notes: false,
            closed: false,
        }
    }

    /// Serves the client to the end.
    pub async fn run(mut self) -> ExitCode {
        let code = loop {
            match self.next().await {
                Next::Line(Some(line)) => self.hear_client(line).await,
                Next::Message(Some(message)) => self.hear_session(&message),
                Next::Replayed(piece) => self.replayed(piece),
                Next::Line(None) | Next::Signal | Next::Broken => break ExitCode::Success,
                Next::Message(None) => {
                    tracing::error!("the session has ended before the client");
                    break ExitCode::Failure;
                }
            }
        };
        self.shut_down().await;
        code
    }

    async fn next(&mut self) -> Next {
        let Self { outbox, lines, messages, signals, running, .. } = self;
        tokio::select! {
            Some(_) = signals.recv() => Next::Signal,
            _ = outbox.broken() => Next::Broken,
            message = messages.recv() => Next::Message(message),
            line = async {
                // Answers pile up for somebody who calls and does not read.
                outbox.room(BUSY_READER).await;
                lines.recv().await
            } => Next::Line(line),
            piece = async {
                match running {
                    Running::Replay { pieces, .. } => {
                        outbox.room(REPLAY_AHEAD).await;
                        pieces.recv().await
                    }
                    _ => std::future::pending().await,
                }
            } => Next::Replayed(piece),
        }
    }

    async fn hear_client(&mut self, line: RawLine) {
        let read = match line {
            RawLine::Whole(line) => rpc::read(&line),
            RawLine::TooLong => {
                Err(Refusal { id: None, error: RpcError::too_long(MAX_CLIENT_LINE) })
            }
            RawLine::End => return,
        };
        match read {
            Ok(Incoming::Call { id, method, params }) => match self.call(&id, method, params).await
            {
                // Answered already, or later.
                Ok(()) => {}
                Err(error) => self.refuse(Refusal { id: Some(id), error }),
            },
            Ok(Incoming::Answer { id, answer }) => match self.waiting.answer(&id, answer) {
                Some(response) => self.submit(Op::Answer { response }),
                None => tracing::debug!(id, "an answer that nobody waits for"),
            },
            Ok(Incoming::Ignored) => {}
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Carries out a call and answers it, or sees to it that it is answered later.
    async fn call(&mut self, id: &str, method: Method, params: Value) -> Result<(), RpcError> {
        match method {
            Method::Initialize => {
                let params: Initialize = params::parse(method, params)?;
                self.must_be_idle()?;
                self.notes = params.shows_notes();
                let introduced = self.client.introduce(params.into());
                self.initialized = true;
                self.start_servers();
                let commands = self.client.commands().await;
                let hooks = self.client.hook_counts();
                let result = params::initialized(self.version, &commands, &introduced, &hooks);
                self.send(rpc::result(id, &result));
                for request in self.waiting.background() {
                    self.send(relay::request(request, self.notes));
                }
                Ok(())
            }
            Method::Prompt => {
                let Input { user_input } = params::parse(method, params)?;
                self.must_be_idle()?;
                // Of a client that does not say what it is there is nothing more to know.
                self.start_servers();
                self.prompt(id, user_input);
                Ok(())
            }
            Method::Steer => {
                let Input { user_input } = params::parse(method, params)?;
                let Running::Prompt { .. } = self.running else { return Err(RpcError::idle()) };
                self.steers.push_back(user_input.clone());
                // Before the answer: who has it counts on the message. No event overtakes the answer.
                self.submit(Op::Steer { input: user_input });
                self.send(rpc::result(id, &json!({"status": "steered"})));
                Ok(())
            }
            Method::SetPlanMode => {
                let SetPlanMode { enabled } = params::parse(method, params)?;
                // The answer goes ahead of the event: a client in the field hangs on the reverse.
                self.send(rpc::result(id, &json!({"status": "ok", "plan_mode": enabled})));
                self.submit(Op::SetPlanMode { enabled });
                Ok(())
            }
            Method::Cancel => match std::mem::replace(&mut self.running, Running::Nothing) {
                Running::Nothing => Err(RpcError::idle()),
                running @ Running::Prompt { .. } => {
                    self.running = running;
                    self.send(rpc::result(id, &json!({})));
                    self.submit(Op::Cancel);
                    Ok(())
                }
                Running::Replay { id: replay, events, requests, .. } => {
                    self.send(rpc::result(id, &json!({})));
                    self.end_replay(&replay, "cancelled", events, requests);
                    Ok(())
                }
            },
            Method::Replay => {
                self.must_be_idle()?;
                let pieces = replay::start(self.record.clone());
                self.running =
                    Running::Replay { id: id.to_owned(), pieces, events: 0, requests: 0 };
                Ok(())
            }
        }
    }

    /// Starts the MCP servers, once.
    fn start_servers(&mut self) {
        if let Some(servers) = self.servers.take() {
            servers.start();
            servers.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        }
    }

    fn must_be_idle(&self) -> Result<(), RpcError> {
        match self.running {
            Running::Nothing => Ok(()),
            Running::Prompt { .. } | Running::Replay { .. } => Err(RpcError::busy()),
        }
    }

    fn prompt(&mut self, id: &str, input: UserInput) {
        self.prompts += 1;
        let op_id = format!("prompt-{}", self.prompts);
        self.running = Running::Prompt { id: id.to_owned(), op_id: op_id.clone(), begun: false };
        self.submit(Op::Prompt { id: op_id, input });
        // What was accepted for the turn before and came too late for it.
        for input in self.steers.clone() {
            self.submit(Op::Steer { input });
        }
    }

    fn hear_session(&mut self, message: &Message) {
        match message {
            Message::Event(event) => self.event(event),
            Message::Request(request) => self.request(request),
            Message::Outcome { op_id, outcome } => self.outcome(op_id, outcome),
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::RequestWithdrawn { request_id } => self.waiting.withdraw(request_id),
            Event::ApprovalResponse(answer) => self.waiting.withdraw(&answer.request_id),
            Event::SteerInput { .. } => drop(self.steers.pop_front()),
            _ => {}
        }
        let begun = match &mut self.running {
            Running::Prompt { begun, .. } => {
                *begun |= matches!(event, Event::TurnBegin { .. });
                Some(*begun)
            }
            Running::Nothing | Running::Replay { .. } => None,
        };
        match event {
            Event::Notification(news) if begun != Some(true) => {
                if self.held.len() == MOST_HELD {
                    self.held.pop_front();
                }
                self.held.push_back(news.clone());
                return;
            }
            // Whoever never said what it is does not know of hooks.
            Event::HookTriggered { .. } | Event::HookResolved { .. } if !self.initialized => return,
            // Told between prompts, too.
            Event::StatusUpdate(status) if tells_plan_mode_alone(status) => {}
            // Late news of the turn before: the next one begins with its beginning.
            _ if begun != Some(true) => return,
            _ => {}
        }
        self.send(relay::event(event));
        if matches!(event, Event::TurnBegin { .. }) {
            for news in std::mem::take(&mut self.held) {
                self.send(relay::event(&Event::Notification(news)));
            }
        }
    }

    fn request(&mut self, request: &Request) {
        if self.closed {
            self.submit(Op::Answer { response: answers::closed(request) });
            return;
        }
        self.waiting.put(request);
        match relay::request(request, self.notes) {
            Some(line) => self.outbox.send(line),
            None => {
                let error = Err("The call is too long for the client.".to_owned());
                if let Some(response) = self.waiting.answer(request.id(), error) {
                    self.submit(Op::Answer { response });
                }
            }
        }
    }

    fn outcome(&mut self, op_id: &str, outcome: &Outcome) {
        let ours = matches!(&self.running, Running::Prompt { op_id: ours, .. } if ours == op_id);
        if !ours {
            return;
        }
        if let Running::Prompt { id, .. } = std::mem::replace(&mut self.running, Running::Nothing) {
            match params::outcome(outcome) {
                Ok(result) => self.send(rpc::result(&id, &result)),
                Err(error) => self.refuse(Refusal { id: Some(id), error }),
            }
        }
    }

    fn replayed(&mut self, piece: Option<Piece>) {
        let Running::Replay { events, requests, .. } = &mut self.running else { return };
        if let Some(piece) = piece {
            *events += piece.events;
            *requests += piece.requests;
            if !piece.lines.is_empty() {
                self.outbox.send(piece.lines);
            }
            return;
        }
        if let Running::Replay { id, events, requests, .. } =
            std::mem::replace(&mut self.running, Running::Nothing)
        {
            self.end_replay(&id, "finished", events, requests);
        }
    }

    fn end_replay(&self, id: &str, status: &str, events: u64, requests: u64) {
        let result = json!({"status": status, "events": events, "requests": requests});
        self.send(rpc::result(id, &result));
    }

    /// Answers what waits in the client's place, cancels what runs and closes the session, each within
    /// its time.
    async fn shut_down(&mut self) {
        self.closed = true;
        for response in self.waiting.close() {
            self.submit(Op::Answer { response });
        }
        if let Running::Replay { .. } = self.running {
            self.running = Running::Nothing;
        }
        if let Running::Prompt { .. } = self.running {
            self.submit(Op::Cancel);
            let ended = async {
                while let Running::Prompt { .. } = self.running {
                    let Some(message) = self.messages.recv().await else { return };
                    self.hear_session(&message);
                }
            };
            if timeout(CANCEL_TIME, ended).await.is_err() {
                tracing::warn!("the turn did not end in time");
            }
        }
        self.submit(Op::Shutdown);
        let ended = async {
            while let Some(message) = self.messages.recv().await {
                self.hear_session(&message);
            }
        };
        if timeout(CLOSE_TIME, ended).await.is_err() {
            tracing::debug!("the session takes its time to end");
        }
    }

    fn submit(&self, op: Op) {
        // A session that has ended says so by the end of its messages.
        let _ = self.ops.send(op);
    }

    fn refuse(&self, refusal: Refusal) {
        self.send(rpc::error(&refusal));
    }

    fn send(&self, line: Option<String>) {
        if let Some(line) = line {
            self.outbox.send(line);
        }
    }
}

/// Whether nothing else is told.
fn tells_plan_mode_alone(status: &StatusUpdate) -> bool {
    let alone = StatusUpdate { plan_mode: status.plan_mode, ..StatusUpdate::default() };
    status.plan_mode.is_some() && *status == alone
}
