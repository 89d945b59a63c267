//! Hooks that are not commands: a client of the wire protocol subscribes to events and is asked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::answer::Answer;
use super::occasion::Occasion;
use super::rule::Matcher;
use crate::protocol::{HookAction, HookEvent, HookRequest, HookResponse};

/// Somebody who can be asked about an event.
#[async_trait]
pub trait HookClient: Send + Sync {
    /// Asks. `None` when the client is gone or has nothing to say; both allow. It is given up after
    /// the subscription's timeout by dropping the future.
    async fn ask(&self, request: HookRequest) -> Option<HookResponse>;
}

/// What a client wants to hear of (wire.md, `initialize.hooks`).
#[derive(Clone)]
pub struct Subscription {
    /// The client's own name for it.
    pub id: String,
    pub event: HookEvent,
    /// A regular expression searched for; empty for everything, and one that cannot be read for
    /// nothing.
    pub matcher: String,
    /// Seconds.
    pub timeout: u64,
    pub client: Arc<dyn HookClient>,
}

/// A subscription with its matcher ready.
#[derive(Clone)]
pub(super) struct Subscriber {
    pub of: Subscription,
    matcher: Matcher,
}

impl Subscriber {
    pub fn new(of: Subscription) -> Self {
        Self { matcher: Matcher::new(&of.matcher), of }
    }

    pub fn wants(&self, occasion: &Occasion) -> bool {
        self.of.event == occasion.event && self.matcher.fits(&occasion.subject)
    }

    /// Asks the client; whoever is silent allows.
    pub async fn ask(&self, request: HookRequest) -> Answer {
        let id = request.id.clone();
        let timeout = Duration::from_secs(self.of.timeout.clamp(1, 600));
        match tokio::time::timeout(timeout, self.of.client.ask(request)).await {
            Ok(Some(answer)) if answer.request_id == id => match answer.action {
                HookAction::Block => {
                    Answer { block: Some(answer.reason.trim().to_owned()), ..Answer::default() }
                }
                HookAction::Allow => Answer::default(),
            },
            _ => Answer::default(),
        }
    }
}
