//! Elicitation: a server asks the person something in the middle of a call.
//!
//! A question belongs to a call that runs: to whoever made that call it is put, in the call's own
//! place, and with the call it ends. A server that asks without one, or again and again, gets no for
//! an answer at once. Nothing is ever answered for the person, and no address is ever opened.

mod ask;
mod field;
mod form;
mod schema;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::tools::{CallContext, Desk};

/// Questions of a server during one call. A form of many fields is one.
const MOST_PER_CALL: usize = 10;

/// Whether there is a person who can answer servers. Clones speak of the same person, who may come
/// later than the servers are made: a program says what it shows when it introduces itself.
#[derive(Debug, Clone, Default)]
pub struct Person(Arc<AtomicBool>);

impl Person {
    /// Somebody, or nobody yet.
    pub fn new(there: bool) -> Self {
        Self(Arc::new(AtomicBool::new(there)))
    }

    /// Whether anybody is there now.
    pub fn is_there(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Servers that are greeted from now on hear of it.
    pub fn set(&self, there: bool) {
        self.0.store(there, Ordering::Relaxed);
    }
}

/// The call on whose behalf a server may ask.
#[derive(Clone)]
pub struct Caller {
    desk: Arc<dyn Desk>,
    call_id: String,
    cancel: CancellationToken,
}

impl Caller {
    /// The call that runs with this context.
    pub fn new(cx: &CallContext) -> Self {
        Self { desk: Arc::clone(&cx.desk), call_id: cx.call_id.clone(), cancel: cx.cancel.clone() }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// What the fields of the form got; nothing for an address.
    Accept(Option<Value>),
    Decline,
    /// The person did not choose at all.
    Cancel,
}

/// The calls that run on one connection, and the questions asked during them.
#[derive(Clone)]
pub struct Elicitations {
    server: Arc<str>,
    calls: Arc<Mutex<Calls>>,
    /// One question of a server after the other.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Calls {
    next: u64,
    running: Vec<Call>,
}

struct Call {
    id: u64,
    caller: Caller,
    asked: usize,
    /// The person does not want to be asked any more.
    dismissed: bool,
    open: watch::Sender<usize>,
    over: CancellationToken,
}

/// A call during which the server may ask, until this is dropped.
pub struct Ongoing {
    all: Elicitations,
    id: u64,
    open: watch::Receiver<usize>,
}

impl Elicitations {
    /// Those of a server.
    pub fn new(server: &str) -> Self {
        Self { server: server.into(), calls: Arc::default(), turn: Arc::default() }
    }

    /// A call begins.
    pub fn begin(&self, caller: Caller) -> Ongoing {
        let mut calls = self.lock();
        let id = calls.next;
        calls.next += 1;
        let (sender, open) = watch::channel(0);
        calls.running.push(Call {
            id,
            caller,
            asked: 0,
            dismissed: false,
            open: sender,
            over: CancellationToken::new(),
        });
        Ongoing { all: self.clone(), id, open }
    }

    /// What is wrong with a request of the server, if anything.
    pub fn check(&self, params: &Value) -> Result<(), String> {
        ask::Asked::read(&self.server, params).map(drop)
    }

    /// Puts a request of the server to the person. `withdrawn` says that the server no longer wants to
    /// know. The error is what is wrong with the request.
    pub async fn answer(
        &self,
        params: &Value,
        withdrawn: &CancellationToken,
    ) -> Result<Answer, String> {
        let asked = ask::Asked::read(&self.server, params)?;
        let mut moves = false;
        let (id, answer) = loop {
            let (id, caller, over, _open) = match self.admit() {
                Ok(admitted) => admitted,
                // The last call that it could be put in has ended.
                Err(_) if moves => return Ok(Answer::Cancel),
                Err(unasked) => {
                    info!(server = &*self.server, "a question of the MCP server was not put");
                    return Ok(unasked);
                }
            };
            let asking = async {
                let _turn = self.turn.lock().await;
                // While it waited for its turn the person may have had enough.
                if self.is_dismissed(id) {
                    return Answer::Cancel;
                }
                asked.put(&*caller.desk, &caller.call_id).await
            };
            let answer = tokio::select! {
                biased;
                () = withdrawn.cancelled() => Answer::Cancel,
                () = caller.cancel.cancelled() => Answer::Cancel,
                // It may have been another call that the server asked for: as long as one runs, the
                // person goes on reading.
                () = over.cancelled() => {
                    moves = true;
                    continue;
                }
                answer = asking => answer,
            };
            break (id, answer);
        };
        if answer == Answer::Cancel {
            let mut calls = self.lock();
            if let Some(call) = calls.running.iter_mut().find(|call| call.id == id) {
                call.dismissed = true;
            }
        }
        Ok(answer)
    }

    /// The newest call, if the server may ask during it once more. Which call a question belongs to
    /// the protocol does not say; those of one connection have one person behind them. The error is
    /// the answer without asking.
    fn admit(&self) -> Result<(u64, Caller, CancellationToken, Open), Answer> {
        let mut calls = self.lock();
        let call = calls.running.last_mut().ok_or(Answer::Decline)?;
        // Who wants no more questions has said no to none of them.
        if call.dismissed {
            return Err(Answer::Cancel);
        }
        if call.asked == MOST_PER_CALL {
            return Err(Answer::Decline);
        }
        call.asked += 1;
        call.open.send_modify(|open| *open += 1);
        Ok((call.id, call.caller.clone(), call.over.clone(), Open(call.open.clone())))
    }

    fn is_dismissed(&self, id: u64) -> bool {
        let calls = self.lock();
        calls.running.iter().find(|call| call.id == id).is_none_or(|call| call.dismissed)
    }

    /// A panic elsewhere leaves the list whole, so a poisoned lock is taken as it is.
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is open, until this is dropped.
struct Open(watch::Sender<usize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open = open.saturating_sub(1));
    }
}

impl Ongoing {
    /// Waits until the server has had `timeout` for its call. The time that a person takes for an
    /// answer is not the server's: after one, its time begins anew.
    pub async fn overdue(&self, timeout: Duration) {
        let mut open = self.open.clone();
        loop {
            // The sender lives as long as `self`.
            let _ = open.wait_for(|open| *open == 0).await;
            tokio::select! {
                () = tokio::time::sleep(timeout) => return,
                Ok(_) = open.wait_for(|open| *open > 0) => {}
            }
        }
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        let mut calls = self.all.lock();
        if let Some(at) = calls.running.iter().position(|call| call.id == self.id) {
            calls.running.remove(at).over.cancel();
        }
    }
}

#[cfg(test)]
mod tests;
