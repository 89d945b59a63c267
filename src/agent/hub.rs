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
    /// What was sent before the first subscriber came; `None` where nothing waits for one.
    early: Option<Vec<Arc<Message>>>,
    /// Whether the stream has ended.
    closed: bool,
}

impl Hub {
    /// A hub that records to `recorder`.
    pub fn new(env: Env, recorder: Option<Recorder>) -> Self {
        let inner = Inner { recorder, subscribers: Vec::new(), early: None, closed: false };
        Self { env, inner: Mutex::new(inner) }
    }

    /// What is sent from now on waits for the first subscriber.
    pub fn keep_for_the_first(&self) {
        self.lock().early = Some(Vec::new());
    }

    /// A new receiver of everything that is sent from now on, the first one also of what was sent
    /// before. Ends at once when the hub is closed.
    pub fn subscribe(&self) -> UnboundedReceiver<Arc<Message>> {
        let (sender, receiver) = unbounded_channel();
        let mut inner = self.lock();
        for message in inner.early.take().unwrap_or_default() {
            // Nobody has had the time to drop the receiver.
            let _ = sender.send(message);
        }
        if !inner.closed {
            inner.subscribers.push(sender);
        }
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
        inner.closed = true;
        inner.subscribers.clear();
    }

    fn send(&self, message: Message) {
        let now = self.env.unix_now();
        let mut inner = self.lock();
        if let Some(recorder) = &mut inner.recorder {
            recorder.record(now, &message);
        }
        let message = Arc::new(message);
        if let Some(early) = &mut inner.early {
            early.push(Arc::clone(&message));
        }
        inner.subscribers.retain(|subscriber| subscriber.send(Arc::clone(&message)).is_ok());
    }

    /// A panic elsewhere leaves nothing half done in here, so a poisoned lock is taken as it is.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::platform::env::fixed;

    fn a_hub() -> Hub {
        Hub::new(fixed::env(Path::new("/nowhere"), &[]), None)
    }

    fn told(receiver: &mut UnboundedReceiver<Arc<Message>>) -> Vec<String> {
        let next = || receiver.try_recv().ok();
        std::iter::from_fn(next)
            .map(|message| match &*message {
                Message::Outcome { op_id, .. } => op_id.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_is_sent_before_the_front_end_listens_waits_for_it() {
        let send = |hub: &Hub, id: &str| hub.outcome(id.to_owned(), Outcome::Cancelled);
        let hub = a_hub();
        hub.keep_for_the_first();
        send(&hub, "1");
        send(&hub, "2");
        let mut first = hub.subscribe();
        let mut second = hub.subscribe();
        send(&hub, "3");
        assert_eq!(
            (told(&mut first), told(&mut second)),
            (vec!["1".to_owned(), "2".to_owned(), "3".to_owned()], vec!["3".to_owned()],)
        );
        // A hub that nobody will ever listen to keeps nothing.
        let hub = a_hub();
        send(&hub, "1");
        assert!(told(&mut hub.subscribe()).is_empty());
    }

    #[test]
    fn who_comes_after_the_end_hears_that_it_is_the_end() {
        let hub = a_hub();
        hub.keep_for_the_first();
        hub.outcome("1".to_owned(), Outcome::Cancelled);
        hub.close();
        let mut late = hub.subscribe();
        assert_eq!(told(&mut late), ["1"]);
        assert!(late.is_closed());
    }
}
