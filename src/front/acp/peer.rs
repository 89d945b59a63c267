//! The client as every session sees it: told things, and asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::params::{ClientCapabilities, Initialize};
use super::rpc::{self, Id, Refusal, RpcError};
use crate::front::outbox::Outbox;

/// The sending side of the connection. Clones are the same client.
#[derive(Clone)]
pub(super) struct Peer(Arc<Shared>);

struct Shared {
    outbox: Outbox,
    /// What the client has said of itself.
    introduced: OnceLock<Initialize>,
    calls: AtomicU64,
    /// Calls of ours that wait for an answer; `None` once the client is gone.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    gone: CancellationToken,
}

/// What the client says to a call: the result, or the error's message.
pub(super) type Answer = Result<Value, String>;

/// What an answer of a client that is gone says.
pub(super) const GONE: &str = "the client is gone";

impl Peer {
    pub fn new(outbox: Outbox) -> Self {
        Self(Arc::new(Shared {
            outbox,
            introduced: OnceLock::new(),
            calls: AtomicU64::new(0),
            waiting: Mutex::new(Some(HashMap::new())),
            gone: CancellationToken::new(),
        }))
    }

    /// What the client says of itself. False when it has done so before; that holds then.
    pub fn introduce(&self, initialize: Initialize) -> bool {
        self.0.introduced.set(initialize).is_ok()
    }

    /// Whether the client has said what it is.
    pub fn is_introduced(&self) -> bool {
        self.0.introduced.get().is_some()
    }

    /// Name and version, if it has told any.
    pub fn name(&self) -> Option<String> {
        self.0.introduced.get().and_then(Initialize::name)
    }

    /// What the client can do.
    pub fn can(&self) -> ClientCapabilities {
        self.0.introduced.get().map(|it| it.client_capabilities).unwrap_or_default()
    }

    /// Answers a call.
    pub fn answer(&self, id: &Id, answer: Result<Value, RpcError>) {
        match answer {
            Ok(result) => self.send(rpc::result(id, &result)),
            Err(error) => self.refuse(&Refusal { id: id.clone(), error }),
        }
    }

    /// Refuses a line.
    pub fn refuse(&self, refusal: &Refusal) {
        self.send(rpc::error(refusal));
    }

    /// Tells news of a session.
    pub fn update(&self, session_id: &str, update: &Value) {
        let params = json!({"sessionId": session_id, "update": update});
        self.send(rpc::notice("session/update", &params));
    }

    /// Calls the client. Waits for as long as it takes; when the future is dropped, the call is
    /// withdrawn.
    pub async fn call(&self, method: &str, params: &Value) -> Answer {
        let id = self.0.calls.fetch_add(1, Ordering::Relaxed);
        let Some(line) = rpc::call(id, method, params) else {
            return Err("the call is too long for the client".to_owned());
        };
        let (sender, answer) = oneshot::channel();
        match self.waiting().as_mut() {
            Some(waiting) => waiting.insert(id, sender),
            None => return Err(GONE.to_owned()),
        };
        self.0.outbox.send(line);
        let _withdrawn = Withdrawn { peer: self, id };
        answer.await.unwrap_or_else(|_| Err(GONE.to_owned()))
    }

    /// Calls the client without waiting for an answer: one that is gone may still read.
    pub fn call_unanswered(&self, method: &str, params: &Value) {
        let id = self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.send(rpc::call(id, method, params));
    }

    /// Takes the client's answer to a call. Answers that nobody waits for are passed over.
    pub fn take_answer(&self, id: &Id, answer: Answer) {
        let Id::Number(number) = id else { return };
        let waiting = number
            .as_u64()
            .and_then(|id| self.waiting().as_mut().and_then(|waiting| waiting.remove(&id)));
        match waiting {
            // Nobody wants to know any more.
            Some(waiting) => drop(waiting.send(answer)),
            None => tracing::debug!(?id, "an answer that nobody waits for"),
        }
    }

    /// The client is gone: nothing is waited for any more.
    pub fn close(&self) {
        *self.waiting() = None;
        self.0.gone.cancel();
    }

    /// Waits until less than so many bytes wait for the client. False when it is gone.
    pub async fn room(&self, limit: usize) -> bool {
        tokio::select! {
            biased;
            () = self.0.gone.cancelled() => false,
            () = self.0.outbox.room(limit) => true,
        }
    }

    fn send(&self, line: Option<String>) {
        if let Some(line) = line {
            self.0.outbox.send(line);
        }
    }

    /// A panic elsewhere leaves the map whole, so a poisoned lock is taken as it is.
    fn waiting(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Answer>>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a call that is not waited for any more, and tells the client: what it shows of it can go. Clients
/// that do not know the notification pass over it; an answer that is on its way means nothing.
struct Withdrawn<'a> {
    peer: &'a Peer,
    id: u64,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        let waited = self.peer.waiting().as_mut().and_then(|waiting| waiting.remove(&self.id));
        if waited.is_some() {
            self.peer.send(rpc::notice("$/cancel_request", &json!({"requestId": self.id})));
        }
    }
}
