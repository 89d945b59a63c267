//! Requests that only a program answers: calls of its tools, and hooks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::agent::hub::Hub;
use crate::customize::hooks::HookClient;
use crate::protocol::{
    Event, HookRequest, HookResponse, Request, Response, ToolCallRequest, ToolReturnValue,
};

/// Puts requests into the stream of messages, where they keep their place among the events, and waits
/// for the answers.
pub(super) struct Asking {
    hub: Arc<Hub>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Response>>>,
}

impl Asking {
    /// Nothing was asked yet.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, waiting: Mutex::default() }
    }

    /// Has a call run by the program. `None` when it cannot be asked. Waits for as long as it takes; the
    /// request is withdrawn when the future is dropped.
    pub async fn call(&self, request: ToolCallRequest) -> Option<ToolReturnValue> {
        match self.put(Request::ToolCallRequest(request)).await? {
            Response::ToolCall(answer) => Some(answer.return_value),
            _ => None,
        }
    }

    /// Takes an answer. One that nobody waits for changes nothing.
    pub fn answer(&self, response: Response) {
        let id = match &response {
            Response::ToolCall(answer) => &answer.tool_call_id,
            Response::Hook(answer) => &answer.request_id,
            Response::Approval(_) | Response::Question(_) => return,
        };
        let waiting = self.lock().remove(id);
        if let Some(waiting) = waiting {
            // Whoever asked may be gone; then nobody misses the answer.
            let _ = waiting.send(response);
        }
    }

    async fn put(&self, request: Request) -> Option<Response> {
        let id = request.id().to_owned();
        let answer = {
            let mut waiting = self.lock();
            // Answers are told apart by the id: of two requests with the same one, the second is not put.
            if waiting.contains_key(&id) {
                return None;
            }
            let (sender, answer) = oneshot::channel();
            waiting.insert(id.clone(), sender);
            // Under the lock: an answer cannot come before the request is known.
            self.hub.request(request);
            answer
        };
        let _withdrawn = Withdrawn { asking: self, id };
        answer.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Response>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HookClient for Asking {
    async fn ask(&self, request: HookRequest) -> Option<HookResponse> {
        match self.put(Request::HookRequest(request)).await? {
            Response::Hook(answer) => Some(answer),
            _ => None,
        }
    }
}

/// Closes a request when whoever made it goes before there is an answer.
struct Withdrawn<'a> {
    asking: &'a Asking,
    id: String,
}

impl Drop for Withdrawn<'_> {
    fn drop(&mut self) {
        if self.asking.lock().remove(&self.id).is_some() {
            let request_id = std::mem::take(&mut self.id);
            self.asking.hub.event(Event::RequestWithdrawn { request_id });
        }
    }
}
