//! The one ordered stream from the agent to every front end and to the record on disk.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::recorder::Recorder;
use crate::platform::Env;
use crate::protocol::{Event, Message, Outcome, Request};

/// Hands each message to the record on disk first, then to every subscriber, in one order.
///
/// Queues are unbounded: a slow front end never loses the end of a fast answer and never holds the
/// agent back.
pub struct Hub {
    env: Env,
    inner: Mutex<Inner>,
}

struct Inner {
    recorder: Option<Recorder>,
    subscribers: Vec<UnboundedSender<Arc<Message>>>,
}

impl Hub {
    /// A hub that records to `recorder`.
    pub fn new(env: Env, recorder: Option<Recorder>) -> Self {
        Self { env, inner: Mutex::new(Inner { recorder, subscribers: Vec::new() }) }
    }

    /// A new receiver of everything that is sent from now on.
    pub fn subscribe(&self) -> UnboundedReceiver<Arc<Message>> {
        let (sender, receiver) = unbounded_channel();
        self.lock().subscribers.push(sender);
        receiver
    }

    /// Sends an event.
    pub fn event(&self, event: Event) {
        self.send(Message::Event(event));
    }

    /// Sends a request.
    pub fn request(&self, request: Request) {
        self.send(Message::Request(request));
    }

    /// Sends the end of a prompt.
    pub fn outcome(&self, op_id: String, outcome: Outcome) {
        self.send(Message::Outcome { op_id, outcome });
    }

    /// Writes streamed text to the record that waits there for more.
    pub fn flush_old(&self) {
        let now = self.env.unix_now();
        if let Some(recorder) = &mut self.lock().recorder {
            recorder.flush_when_old(now);
        }
    }

    /// Ends every subscriber's stream.
    pub fn close(&self) {
        let mut inner = self.lock();
        if let Some(recorder) = &mut inner.recorder {
            recorder.flush();
        }
        inner.subscribers.clear();
    }

    fn send(&self, message: Message) {
        let now = self.env.unix_now();
        let mut inner = self.lock();
        if let Some(recorder) = &mut inner.recorder {
            recorder.record(now, &message);
        }
        let message = Arc::new(message);
        inner.subscribers.retain(|subscriber| subscriber.send(Arc::clone(&message)).is_ok());
    }

    /// A panic elsewhere leaves nothing half done in here, so a poisoned lock is taken as it is.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
