//! Hooks on the screen: one that takes its time is named in the spinner row, what one forbids gets a
//! row of its own.

use std::time::{Duration, Instant};

use super::{Look, Transcript, Update};
use crate::front::text::{clean_line, truncate};
use crate::front::tui::cells::Severity;
use crate::protocol::{Event, HookEvent};

/// A hook that takes longer is named.
const SLOW: Duration = Duration::from_secs(1);
/// Widest target that is named: names of tools come from the model.
const TARGET: usize = 40;
/// Widest reason that is shown; the model has the whole of it.
const REASON: usize = 400;

/// The hooks that run and that the agent waits for.
#[derive(Debug, Default)]
pub(super) struct RunningHooks(Vec<Running>);

#[derive(Debug)]
struct Running {
    event: HookEvent,
    target: String,
    since: Instant,
}

impl RunningHooks {
    pub fn triggered(&mut self, event: &str, target: &str, now: Instant) {
        if let Some(event) = HookEvent::from_name(event).filter(|event| event.is_awaited()) {
            self.0.push(Running { event, target: target.to_owned(), since: now });
        }
    }

    fn resolved(&mut self, event: &str, target: &str) {
        let ended = self.0.iter().position(|it| it.event.name() == event && it.target == target);
        if let Some(at) = ended {
            self.0.remove(at);
        }
    }

    /// What the spinner row says, when one takes long.
    pub fn words(&self, now: Instant) -> Option<String> {
        let slow = self.0.iter().find(|it| now.saturating_duration_since(it.since) >= SLOW)?;
        let name = slow.event.name();
        Some(match slow.event {
            HookEvent::PreToolUse | HookEvent::PermissionRequest => {
                let target = truncate(&clean_line(&slow.target), TARGET);
                format!("Waiting for a {name} hook ({target})…")
            }
            _ => format!("Waiting for a {name} hook…"),
        })
    }
}

impl Transcript {
    /// A hook begins or has had its say.
    pub(super) fn hook(&mut self, event: &Event, now: Instant, look: Look<'_>) -> Update {
        match event {
            Event::HookTriggered { event, target, .. } => {
                self.hooks.triggered(event, target, now);
                Update::default()
            }
            Event::HookResolved { event, target, action, reason, .. } => {
                self.hook_resolved((event, target), (action, reason), now, look)
            }
            _ => Update::default(),
        }
    }

    fn hook_resolved(
        &mut self,
        (event, target): (&str, &str),
        (action, reason): (&str, &str),
        now: Instant,
        look: Look<'_>,
    ) -> Update {
        self.hooks.resolved(event, target);
        let Some(event) = HookEvent::from_name(event) else { return Update::default() };
        if action != "block" || !event.can_block() {
            return Update::default();
        }
        // The calls may have waited for it; it is not their time.
        self.restart_clocks(now);
        let target = truncate(&clean_line(target), TARGET);
        let (title, reason) = match event {
            HookEvent::PreToolUse => (format!("A hook blocked {target}."), reason),
            HookEvent::PermissionRequest => (format!("A hook rejected {target}."), reason),
            // Their reasons follow in full.
            HookEvent::UserPromptSubmit => ("A hook blocked this prompt.".to_owned(), ""),
            _ if reason.is_empty() => return Update::default(),
            _ => ("A hook asks for one more turn.".to_owned(), ""),
        };
        let reason = truncate(&clean_line(reason), REASON);
        let mut rows = self.close_open(now, look);
        rows.extend(self.say(Severity::Warning, &title, &reason, look.columns, look.theme));
        Update::of(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slow_hook_that_is_waited_for_is_named() {
        let mut hooks = RunningHooks::default();
        let now = Instant::now();
        hooks.triggered("PostToolUse", "Shell", now);
        hooks.triggered("PreToolUse", "Shell\x1b[2J", now + Duration::from_millis(100));
        assert_eq!(hooks.words(now + Duration::from_millis(1_050)), None);
        let later = now + Duration::from_millis(1_200);
        let words = hooks.words(later).unwrap();
        assert!(words.starts_with("Waiting for a PreToolUse hook (Shell"), "{words}");
        assert!(!words.contains('\x1b'), "{words}");
        hooks.resolved("PreToolUse", "other");
        assert!(hooks.words(later).is_some());
        hooks.resolved("PreToolUse", "Shell\x1b[2J");
        assert_eq!(hooks.words(later), None);
        hooks.triggered("Stop", "", now);
        assert_eq!(hooks.words(later).unwrap(), "Waiting for a Stop hook…");
    }
}
