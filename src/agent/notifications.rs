//! What the model and the front ends are told of background tasks (agent-loop.md section 10).
//!
//! A task that is over becomes a notification once: on disk first, then to everybody who listens,
//! and to the model with its next request. Files of one notification are written by the one process
//! that has the session open.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::core::Core;
use crate::customize::hooks::Occasion;
use crate::llm::{Message, Role};
use crate::protocol::{ContentPart, Event, Notification};
use crate::store::{Delivery, NotificationRecord, NotificationStore, Session, StoreError};
use crate::tasks::{self, Kind, Runtime, Status, View};

/// What begins a turn that nobody has asked for, when tasks have ended.
pub const TASKS_HAVE_ENDED: &str =
    "<system-reminder>Background tasks have completed. Process their results.</system-reminder>";

/// What such a turn is called where the words of a user would stand.
pub const ANNOUNCED: &str = "[a background task has ended]";

/// Most notifications that the model gets with one request.
const PER_STEP: usize = 4;
/// How each begins, for the model.
const OPENING: &str = "<notification id=\"";

/// The notifications of a session.
pub(super) struct Notifications {
    store: NotificationStore,
    all: Mutex<Vec<(NotificationRecord, Delivery)>>,
    /// One delivery at a time is written.
    writing: Mutex<()>,
    /// One at a time looks for news: the same end must not be told twice.
    publishing: tokio::sync::Mutex<()>,
    /// Seconds after which a claim of another process no longer counts.
    stale_s: f64,
}

impl Notifications {
    /// Those of this session. Nothing is read yet.
    pub fn new(session: &Session, claim_stale_after_ms: u64) -> Self {
        Self {
            store: NotificationStore::new(&session.dir),
            all: Mutex::default(),
            writing: Mutex::default(),
            publishing: tokio::sync::Mutex::default(),
            stale_s: claim_stale_after_ms as f64 / 1000.0,
        }
    }

    /// How many wait for the model.
    pub fn pending(&self, now: f64) -> usize {
        self.lock().iter().filter(|(_, told)| told.sinks.llm.is_due(now, self.stale_s)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(NotificationRecord, Delivery)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes who has been told of one, in memory and on disk. A write that fails is logged: at
    /// worst it is told again in the next session.
    fn note(&self, id: &str, change: impl FnOnce(&mut Delivery)) {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // The list is free while the disk is written: front ends look at it at every key.
        let told = {
            let mut all = self.lock();
            let Some((_, told)) = all.iter_mut().find(|(record, _)| record.event.id == id) else {
                return;
            };
            change(told);
            told.clone()
        };
        if let Err(error) = self.store.write_delivery(id, &told) {
            warn!(%error, "the delivery of a notification cannot be written");
        }
    }
}

/// Takes in what is on disk and tells what became of tasks since.
pub(super) async fn begin(core: &Arc<Core>) {
    core.tasks.load().await;
    let shown: HashSet<String> = {
        let context = core.context.lock().await;
        context.messages().iter().filter_map(shown_id).collect()
    };
    let store = core.notifications.store.clone();
    let found = tokio::task::spawn_blocking(move || store.load()).await.unwrap_or_default();
    *core.notifications.lock() = found;
    let now = core.env.unix_now();
    let all: Vec<_> = core.notifications.lock().clone();
    for (record, told) in all {
        let id = &record.event.id;
        if shown.contains(id) && told.sinks.llm.is_due(now, 0.0) {
            core.notifications.note(id, |told| told.sinks.llm.ack(now));
        }
        if told.sinks.wire.is_due(now, core.notifications.stale_s) {
            tell(core, &record.event);
        }
    }
    publish(core).await;
}

/// Makes notifications of the tasks that are over and not told of.
pub(super) async fn publish(core: &Arc<Core>) {
    let _one = core.notifications.publishing.lock().await;
    let known: HashSet<String> = {
        let all = core.notifications.lock();
        all.iter().filter_map(|(record, _)| record.dedupe_key.clone()).collect()
    };
    let mut over: Vec<_> = core.tasks.list().into_iter().filter(|view| !view.is_active()).collect();
    over.sort_by(|a, b| a.runtime.updated_at.total_cmp(&b.runtime.updated_at));
    for view in over {
        let Some(record) = record(&view, core.env.unix_now()) else { continue };
        if record.dedupe_key.as_ref().is_some_and(|key| known.contains(key)) {
            continue;
        }
        let added = {
            let (store, record) = (core.notifications.store.clone(), record.clone());
            let add = move || store.add(&record, &Delivery::default());
            tokio::task::spawn_blocking(add).await
        };
        if let Ok(Err(error)) = &added {
            // It is told all the same, and again in the next session.
            warn!(%error, "a notification cannot be kept");
        }
        if matches!(added, Ok(Ok(false))) {
            continue;
        }
        core.notifications.lock().push((record.clone(), Delivery::default()));
        tell(core, &record.event);
    }
}

/// Tells everybody who listens; the record is written before.
fn tell(core: &Core, event: &Notification) {
    core.hub.event(Event::Notification(event.clone()));
    let now = core.env.unix_now();
    core.notifications.note(&event.id, |told| {
        told.sinks.wire.ack(now);
        told.sinks.shell.ack(now);
    });
}

/// Puts what waits for the model into the conversation, the oldest first.
pub(super) async fn deliver(core: &Arc<Core>) -> Result<(), StoreError> {
    let now = core.env.unix_now();
    let due: Vec<Notification> = {
        let all = core.notifications.lock();
        let due =
            all.iter().filter(|(_, told)| told.sinks.llm.is_due(now, core.notifications.stale_s));
        due.take(PER_STEP).map(|(record, _)| record.event.clone()).collect()
    };
    for event in due {
        core.hooks.fire_later(Occasion::notification("llm", &event));
        let text = for_model(core, &event).await;
        core.context.lock().await.push(Message::user_text(text))?;
        core.notifications.note(&event.id, |told| told.sinks.llm.ack(now));
    }
    Ok(())
}

/// Whether a message tells the model of something that happened: it stays a message of its own.
pub(super) fn is_notification(message: &Message) -> bool {
    shown_id(message).is_some()
}

fn shown_id(message: &Message) -> Option<String> {
    let text = message.content.first().and_then(ContentPart::as_text)?;
    let rest = text.strip_prefix(OPENING).filter(|_| message.role == Role::User)?;
    rest.split_once('"').map(|(id, _)| id.to_owned())
}

/// A notification as the model gets it, with the end of the task's output.
async fn for_model(core: &Core, event: &Notification) -> String {
    let settings = core.tasks.settings();
    let mut text = format!(
        "{OPENING}{}\" category=\"{}\" type=\"{}\" source_kind=\"{}\" source_id=\"{}\">\n\
         Title: {}\nSeverity: {}\n{}\n",
        attribute(&event.id),
        attribute(&event.category),
        attribute(&event.kind),
        attribute(&event.source_kind),
        attribute(&event.source_id),
        defused(&event.title),
        event.severity,
        defused(&event.body),
    );
    if event.source_kind == "background_task" {
        let tail = core.tasks.tail(&event.source_id, settings.notification_tail_chars).await;
        let tail = tail.map(|tail| tail.text).unwrap_or_default();
        let most = usize::try_from(settings.notification_tail_lines).unwrap_or(usize::MAX);
        let lines: Vec<&str> = tail.lines().collect();
        let last = lines.get(lines.len().saturating_sub(most)..).unwrap_or_default();
        let _ = write!(
            text,
            "<task-notification>\nEnd of the output (TaskOutput shows more):\n{}\n\
             </task-notification>\n",
            if last.is_empty() { "[no output]".to_owned() } else { defused(&last.join("\n")) }
        );
    }
    text.push_str("</notification>");
    text
}

/// What a command writes must not end the notification it is in.
fn defused(text: &str) -> String {
    text.replace("</notification", "&lt;/notification")
        .replace("</task-notification", "&lt;/task-notification")
}

/// Text as the value of an attribute.
pub(super) fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('\n', " ")
}

/// The notification of a task that is over.
fn record(view: &View, now: f64) -> Option<NotificationRecord> {
    let View { spec, runtime } = view;
    let reason = runtime.terminal_reason()?;
    let key = format!("background_task:{}:{reason}", spec.id);
    let digest = format!("{:x}", Sha256::digest(key.as_bytes()));
    let (word, severity) = match reason {
        "completed" => ("completed", "success"),
        "killed" => ("stopped", "warning"),
        "lost" => ("lost", "warning"),
        "timed_out" => ("timed out", "error"),
        _ => ("failed", "error"),
    };
    let seconds = view.seconds(now);
    let event = Notification {
        // The same for the same thing: of two processes only one gets to tell it.
        id: format!("n{}", digest.get(..8).unwrap_or_default()),
        category: "task".to_owned(),
        kind: format!("task.{reason}"),
        source_kind: "background_task".to_owned(),
        source_id: spec.id.clone(),
        title: format!("Background task {word}: {}", spec.description),
        body: body(view, seconds),
        severity: severity.to_owned(),
        created_at: now,
        payload: json!({
            "task_id": spec.id,
            "task_kind": spec.kind.word(),
            "status": runtime.status.word(),
            "description": spec.description,
            "exit_code": runtime.exit_code,
            "interrupted": runtime.interrupted,
            "timed_out": runtime.timed_out,
            "terminal_reason": reason,
            "failure_reason": runtime.failure_reason,
            "finished_at": runtime.finished_at,
            "duration_s": seconds,
        }),
    };
    let targets = ["llm", "wire", "shell"].map(str::to_owned).to_vec();
    Some(NotificationRecord { version: 1, event, targets, dedupe_key: Some(key) })
}

fn body(view: &View, seconds: f64) -> String {
    let View { spec, runtime } = view;
    let mut lines = vec![format!("Task ID: {}", spec.id)];
    let when = runtime.finished_at.and_then(clock_time);
    lines.push(format!(
        "Status: {}{}",
        runtime.status.word(),
        when.map(|when| format!(
            " ({} at: {when}, Duration: {})",
            ended(runtime),
            tasks::duration(seconds)
        ))
        .unwrap_or_default()
    ));
    lines.push(format!("Description: {}", spec.description));
    if let Some(agent) = spec.agent().filter(|_| spec.kind == Kind::Agent) {
        lines.push(format!("Agent ID: {}", agent.agent_id));
    }
    lines.extend(runtime.exit_code.map(|code| format!("Exit code: {code}")));
    lines.extend(runtime.failure_reason.as_ref().map(|why| format!("Failure reason: {why}")));
    lines.join("\n")
}

fn ended(runtime: &Runtime) -> &'static str {
    if runtime.status == Status::Completed { "Completed" } else { "Ended" }
}

/// Unix seconds as local time, to the second.
fn clock_time(unix: f64) -> Option<String> {
    let time = jiff::Timestamp::from_second(unix as i64).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests;
