//! Hooks: commands of the user that hear of what the agent does, and may forbid some of it.
//!
//! A `[[hooks]]` entry names an event, a matcher and a command (agents-skills-hooks.md section 5).
//! The command gets a JSON object on its standard input. Exit status 2 forbids, with the reason on
//! standard error; so does status 0 with a denial as JSON on standard output. Everything else allows,
//! failures too, unless the hook says `fail_closed = true`. A hook that has something to tell the
//! model puts it into `hookSpecificOutput.additionalContext`.
//!
//! | file | subject |
//! |---|---|
//! | `rule` | the configured hooks and what they want to hear of |
//! | `occasion` | what happens, field by field |
//! | `answer` | what a command says by its end and its outputs |
//! | `client` | subscriptions of clients beyond the process |
//! | `overview` | what a person may know of the hooks |

mod answer;
mod client;
mod occasion;
mod overview;
mod rule;

use std::collections::HashSet;
use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio_util::task::TaskTracker;

use self::answer::Answer;
use self::client::Subscriber;
use self::rule::Rule;
use crate::config::Hook;
use crate::platform::process::Leftovers;
use crate::platform::{Env, process};
use crate::protocol::{Event, HookAction, HookEvent, HookRequest};

pub use client::{HookClient, Subscription};
pub use occasion::{CompactTrigger, Occasion, ToolUse};
pub use overview::{HookView, LastRun};
pub use rule::HookSet;

/// The shell that hooks are given to, as other programs do: their commands are quoted for it.
const SHELL: &str = "/bin/sh";
/// Most bytes that are kept of each output of a command.
const MAX_OUTPUT: usize = 256 << 10;
/// How long the end of a session waits for hooks that nobody waited for.
pub const END_GRACE: Duration = Duration::from_secs(5);
/// How long the last event of a session waits for them.
const BEFORE_LAST: Duration = Duration::from_secs(2);
/// Texts for the model that wait for its next request; older ones give way.
const MOST_CONTEXTS: usize = 50;

/// The hooks of a session as one of its agents has them.
pub struct Hooks {
    shared: Arc<Shared>,
    /// What hooks have to tell this agent's model.
    contexts: Mutex<Vec<String>>,
}

/// What all agents of a session have in common.
struct Shared {
    set: Arc<HookSet>,
    clients: Mutex<Vec<Subscriber>>,
    place: Place,
    tell: Tell,
    /// How each command ended last.
    last: Mutex<Vec<LastRun>>,
    /// Hooks that run and that nobody waits for.
    running: TaskTracker,
}

type Tell = Box<dyn Fn(Event) + Send + Sync>;

/// Where hooks run and for whom.
#[derive(Clone)]
pub struct Place {
    pub env: Env,
    pub session_id: String,
    pub work_dir: PathBuf,
}

/// What the hooks of an event say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Forbidden, for this reason, which may be empty.
    pub block: Option<String>,
    /// Nobody forbids, and somebody said in so many words that it is allowed.
    pub allow: bool,
}

impl Hooks {
    /// The hooks of a session; `tell` hears when some are triggered and what came of it.
    pub fn new(
        set: Arc<HookSet>,
        place: Place,
        tell: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            set,
            clients: Mutex::default(),
            place,
            tell: Box::new(tell),
            last: Mutex::default(),
            running: TaskTracker::new(),
        };
        Self { shared: Arc::new(shared), contexts: Mutex::default() }
    }

    /// The same hooks for another agent of the session: what they have to tell about its calls they
    /// tell it and nobody else.
    pub fn for_agent(&self) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(&self.shared), contexts: Mutex::default() })
    }

    /// Adds the subscriptions of a client to those that are there.
    pub fn subscribe(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        lock(&self.shared.clients).extend(subscriptions.into_iter().map(Subscriber::new));
    }

    /// Whether anybody wants to hear of some such event.
    pub fn has(&self, event: HookEvent) -> bool {
        self.shared.set.rules.iter().any(|rule| rule.hook.event == event)
            || lock(&self.shared.clients).iter().any(|client| client.of.event == event)
    }

    /// Asks everybody who wants to hear of it, all at once, and waits for all of them. The first of
    /// those that forbid, in the order of the configuration and clients last, gives the reason.
    ///
    /// When the future is dropped, the commands are killed.
    pub async fn fire(&self, occasion: Occasion) -> Verdict {
        let asked = self.asked(&occasion);
        if asked.is_empty() {
            return Verdict::default();
        }
        let (event, target) = (occasion.event.name().to_owned(), occasion.subject.target.clone());
        let count = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        (self.shared.tell)(Event::HookTriggered {
            event: event.clone(),
            target: target.clone(),
            hook_count: count,
        });
        let clock = &self.shared.place.env.clock;
        let since = clock.instant();
        // Also when it is given up: what was triggered is resolved.
        let mut resolved = Resolved { hooks: self, event, target, since, verdict: None };
        let answers = join_all(asked).await;
        let mut verdict = Verdict::default();
        for answer in answers {
            verdict.allow |= answer.allow;
            verdict.block = verdict.block.or(answer.block);
            if let Some(context) = answer.context {
                let mut contexts = lock(&self.contexts);
                if contexts.len() == MOST_CONTEXTS {
                    contexts.remove(0);
                }
                contexts.push(context);
            }
        }
        verdict.allow &= verdict.block.is_none();
        resolved.verdict = Some(verdict.clone());
        drop(resolved);
        verdict
    }

    /// The same without waiting: what such hooks forbid has happened already.
    pub fn fire_later(self: &Arc<Self>, occasion: Occasion) {
        if !self.has(occasion.event) {
            return;
        }
        let hooks = Arc::clone(self);
        self.shared.running.spawn(async move {
            hooks.fire(occasion).await;
        });
    }

    /// The end of what was fired without waiting, then the last event of a session: five seconds for
    /// all of it. What runs for longer than [`BEFORE_LAST`] does not keep the last event back.
    pub async fn end(self: &Arc<Self>) {
        let running = &self.shared.running;
        running.close();
        let all = async {
            let _ = tokio::time::timeout(BEFORE_LAST, running.wait()).await;
            self.fire_later(Occasion::session_end());
            running.wait().await;
        };
        if tokio::time::timeout(END_GRACE, all).await.is_err() {
            tracing::warn!("hooks still ran at the end of the session and are left behind");
        }
    }

    /// What hooks had to tell the model since it was last asked for.
    pub fn take_contexts(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.contexts))
    }

    /// Everybody who is asked. Of equal commands one runs; it fails closed if one of them does.
    fn asked<'a>(&'a self, occasion: &'a Occasion) -> Vec<BoxFuture<'a, Answer>> {
        let mut asked: Vec<BoxFuture<'a, Answer>> = Vec::new();
        let wanted =
            |rule: &&Rule| rule.hook.event == occasion.event && rule.wants(&occasion.subject);
        let mut commands = HashSet::new();
        for rule in self.shared.set.rules.iter().filter(wanted) {
            if !commands.insert(rule.hook.command.as_str()) {
                continue;
            }
            let mut equal = self.shared.set.rules.iter().filter(wanted);
            let closed = equal
                .any(|other| other.hook.command == rule.hook.command && other.hook.fail_closed);
            let input = self.input(occasion, rule.speaks_code);
            asked.push(Box::pin(async move {
                let answer = self.run(&rule.hook, input).await.closed(closed);
                self.note(&rule.hook, &answer);
                answer
            }));
        }
        let clients: Vec<Subscriber> = lock(&self.shared.clients)
            .iter()
            .filter(|client| client.wants(occasion))
            .cloned()
            .collect();
        for client in clients {
            let uuid = self.shared.place.env.ids.uuid().replace('-', "");
            let request = HookRequest {
                // The last digits: made-up ids differ there.
                id: uuid.get(uuid.len().saturating_sub(12)..).unwrap_or_default().to_owned(),
                subscription_id: client.of.id.clone(),
                event: occasion.event.name().to_owned(),
                target: occasion.subject.target.clone(),
                input_data: self.input(occasion, false),
            };
            asked.push(Box::pin(async move { client.ask(request).await }));
        }
        asked
    }

    fn input(&self, occasion: &Occasion, code: bool) -> serde_json::Map<String, serde_json::Value> {
        let Place { session_id, work_dir, .. } = &self.shared.place;
        occasion.input(session_id, &work_dir.to_string_lossy(), code)
    }

    fn run(
        &self,
        hook: &Hook,
        input: serde_json::Map<String, serde_json::Value>,
    ) -> impl Future<Output = Answer> + use<> {
        let mut command = Command::new(SHELL);
        command.arg("-c").arg(&hook.command).current_dir(&self.shared.place.work_dir);
        command.env_clear().envs(self.shared.place.env.child_vars());
        let input = serde_json::Value::Object(input).to_string().into_bytes();
        let timeout = hook.timeout;
        async move {
            let wait = Duration::from_secs(timeout);
            let ran = process::capture(command, input, wait, MAX_OUTPUT, Leftovers::Kept);
            answer::read(ran.await, timeout)
        }
    }
}

/// Tells what came of a triggered event, once.
struct Resolved<'a> {
    hooks: &'a Hooks,
    event: String,
    target: String,
    since: std::time::Instant,
    /// None when it was given up.
    verdict: Option<Verdict>,
}

impl Drop for Resolved<'_> {
    fn drop(&mut self) {
        let verdict = self.verdict.take().unwrap_or_default();
        let action = if verdict.block.is_some() { HookAction::Block } else { HookAction::Allow };
        let took =
            self.hooks.shared.place.env.clock.instant().saturating_duration_since(self.since);
        (self.hooks.shared.tell)(Event::HookResolved {
            event: std::mem::take(&mut self.event),
            target: std::mem::take(&mut self.target),
            action: action.word().to_owned(),
            reason: verdict.block.unwrap_or_default(),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// A panic elsewhere leaves these values whole, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
