//! What a person may know of the hooks: which there are, and how they ended last.

use super::answer::Answer;
use super::{Hooks, lock};
use crate::config::Hook;
use crate::protocol::HookEvent;

/// A hook as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookView {
    pub event: HookEvent,
    /// Empty for everything.
    pub matcher: String,
    /// The command; of a client's subscription its id.
    pub source: String,
    pub from_client: bool,
    pub fail_closed: bool,
    /// How it ended last, in a few words; `None` when it has not run.
    pub last: Option<String>,
}

/// How the hooks with this event and command ended last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    event: HookEvent,
    command: String,
    told: String,
}

impl Hooks {
    /// Every hook, in the order of the configuration, clients last.
    pub fn view(&self) -> Vec<HookView> {
        let last = lock(&self.shared.last).clone();
        let of = |hook: &Hook| {
            let ran = |run: &&LastRun| run.event == hook.event && run.command == hook.command;
            last.iter().find(ran).map(|run| run.told.clone())
        };
        let configured = self.shared.set.rules.iter().map(|rule| HookView {
            event: rule.hook.event,
            matcher: rule.hook.matcher.clone(),
            source: rule.hook.command.clone(),
            from_client: false,
            fail_closed: rule.hook.fail_closed,
            last: of(&rule.hook),
        });
        let clients = lock(&self.shared.clients);
        let subscribed = clients.iter().map(|client| HookView {
            event: client.of.event,
            matcher: client.of.matcher.clone(),
            source: client.of.id.clone(),
            from_client: true,
            fail_closed: false,
            last: None,
        });
        configured.chain(subscribed).collect()
    }

    /// How many hooks each event has, subscriptions of clients included (wire.md, the result of
    /// `initialize`).
    pub fn configured(&self) -> Vec<(HookEvent, usize)> {
        let clients = lock(&self.shared.clients);
        let count = |event| {
            let rules =
                self.shared.set.rules.iter().filter(|rule| rule.hook.event == event).count();
            rules + clients.iter().filter(|client| client.of.event == event).count()
        };
        let all = HookEvent::WIRE.into_iter().chain([HookEvent::PermissionRequest]);
        all.map(|event| (event, count(event))).filter(|(_, count)| *count > 0).collect()
    }

    /// Keeps how a command ended.
    pub(super) fn note(&self, hook: &Hook, answer: &Answer) {
        if let Some(fault) = &answer.fault {
            tracing::warn!(event = hook.event.name(), command = %hook.command, "a hook failed: {fault}");
        }
        let mut last = lock(&self.shared.last);
        last.retain(|run| run.event != hook.event || run.command != hook.command);
        last.push(LastRun {
            event: hook.event,
            command: hook.command.clone(),
            told: answer.told(),
        });
    }
}
