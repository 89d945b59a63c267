//! A rewind as a turn of its own: files, then the conversation, then everybody is told.

use std::sync::Arc;

use serde_json::json;

use super::journal::Journal;
use super::plan::{Plan, Target};
use super::restore::Failed;
use super::{Rewinder, Trouble, lock, trouble};
use crate::agent::core::Core;
use crate::agent::turn::store_failure;
use crate::llm::Message;
use crate::protocol::{
    Event, Failure, FailureKind, Hand, Notification, Outcome, RewindRequest, RewindScope as Scope,
    StopReason, UserInput,
};
use crate::store::ContextMark;
use crate::store::snapshots::{Put, Rewound};

/// Files that are named when the rewind is told.
const NAMED: usize = 12;
/// Characters of the prompt in its title.
const TITLE: usize = 60;

/// Carries out a plan. Told as a turn, so that every reader of the record sees where the
/// conversation went.
pub(crate) async fn run(core: &Arc<Core>, request: RewindRequest) -> Outcome {
    let Some(rewinder) = core.rewinder.clone() else {
        return failed("this session keeps nothing to go back to: another kimi has it open");
    };
    rewinder.settle().await;
    let plan = lock(&rewinder.plan).take().filter(|plan| plan.id == request.plan);
    let Some(plan) = plan else { return failed("the files have changed; choose again") };
    let command = if plan.target == Target::Redo { "/redo" } else { "/undo" };
    core.hub.event(Event::TurnBegin { user_input: UserInput::Text(command.to_owned()) });
    let outcome = match carry_out(core, &rewinder, plan, &request).await {
        Ok(done) => {
            tell(core, &done).await;
            Outcome::Finished { stop: StopReason::Command }
        }
        Err(outcome) => outcome,
    };
    core.hub.event(Event::TurnEnd {});
    outcome
}

/// What was done.
struct Done {
    journal: Journal,
    shown: Vec<String>,
    kept: usize,
    failed: Vec<Failed>,
}

async fn carry_out(
    core: &Arc<Core>,
    rewinder: &Arc<Rewinder>,
    plan: Plan,
    request: &RewindRequest,
) -> Result<Done, Outcome> {
    let scope = plan.scope.unwrap_or(request.scope);
    let mut context = core.context.lock().await;
    let here = context.mark().map_err(|error| Outcome::Failed(store_failure(&error)))?;
    let state = core.settings.snapshot();
    let (puts, shown, kept) = chosen(&plan, scope, &request.keep);
    let journal = {
        let rewinder = Arc::clone(rewinder);
        let at = core.env.unix_now();
        let (todos, title) = (state.todos, state.custom_title);
        let prepare = move || -> Result<(Journal, Vec<Failed>), String> {
            let (puts, failed) = rewinder.before_putting(puts)?;
            let journal = rewinder.with_log(|log| {
                Ok(match plan.target {
                    Target::Redo => {
                        let rewound = log.redo().cloned().ok_or("there is nothing to redo")?;
                        let context = rewound.scope.conversation().then(|| rewound.context.clone());
                        let (todos, title) = (rewound.todos.clone(), rewound.title.clone());
                        Journal { redo: true, rewound, puts, context, todos, title }
                    }
                    Target::Point(id) => {
                        let point = log.point(id).cloned();
                        let point = point.ok_or("that turn cannot be undone any more")?;
                        let back = scope.conversation();
                        let gone =
                            log.points().map(|point| point.id).filter(|&of| back && of >= id);
                        let rewound = Rewound {
                            at,
                            to: id,
                            scope,
                            hidden: gone.collect(),
                            prompt: point.prompt,
                            files: puts.clone(),
                            context: here,
                            todos,
                            title,
                        };
                        let context: Option<ContextMark> = back.then_some(point.context);
                        let (todos, title) = (point.todos, point.title);
                        Journal { redo: false, rewound, puts, context, todos, title }
                    }
                })
            })?;
            Ok((journal, failed))
        };
        blocking(prepare).await?
    };
    let (journal, mut failures) = journal;
    if let Some(mark) = &journal.context
        && !context.has(mark).map_err(|error| Outcome::Failed(store_failure(&error)))?
    {
        return Err(failed("the conversation of that time is in no record any more"));
    }
    let (journal, restored) = {
        let rewinder = Arc::clone(rewinder);
        blocking(move || {
            journal.write(&rewinder.dir).map_err(|error| trouble(&error))?;
            let failed = rewinder.carry_out(&journal)?;
            Ok((journal, failed))
        })
        .await?
    };
    failures.extend(restored);
    if let Some(mark) = &journal.context {
        let back =
            context.return_to(mark).map_err(|error| Outcome::Failed(store_failure(&error)))?;
        if !back {
            return Err(failed("the conversation of that time is in no record any more"));
        }
        core.forget_shown();
    }
    if let Some(note) = note_for_model(&journal, &shown) {
        context.push(note).map_err(|error| Outcome::Failed(store_failure(&error)))?;
    }
    drop(context);
    core.settings.update(|state| journal.settle(state));
    let rewinder = Arc::clone(rewinder);
    let journal = blocking(move || {
        rewinder
            .with_log(|log| Ok(journal.note(log)?))
            .and_then(|()| rewinder.save())
            .and_then(|()| Journal::remove(&rewinder.dir).map_err(|error| trouble(&error)))?;
        Ok(journal)
    })
    .await?;
    Ok(Done { journal, shown, kept, failed: failures })
}

/// What is put back, how it is called, and how many files the user wants to keep as they are.
fn chosen(plan: &Plan, scope: Scope, keep: &[Hand]) -> (Vec<Put>, Vec<String>, usize) {
    let (mut puts, mut shown, mut kept) = (Vec::new(), Vec::new(), 0);
    for file in plan.files.iter().filter(|file| scope.files() && file.problem.is_none()) {
        if keep.contains(&file.hand) {
            kept += 1;
        } else {
            puts.push(file.put.clone());
            if !file.directory {
                shown.push(file.shown.clone());
            }
        }
    }
    (puts, shown, kept)
}

/// What the model has to know: it remembers files that are others now.
fn note_for_model(journal: &Journal, shown: &[String]) -> Option<Message> {
    let text = match (journal.redo, journal.rewound.scope) {
        (false, Scope::Files) if !shown.is_empty() => {
            "The user has put these files back to an earlier state"
        }
        (true, Scope::Files) if !shown.is_empty() => {
            "The user has taken that back: these files are again as they were before"
        }
        _ => return None,
    };
    Some(Message::user_text(format!(
        "<system-reminder>{text}: {}. Read them again before relying on their content; do not redo \
         the changes unless asked.</system-reminder>",
        names(shown)
    )))
}

fn names(shown: &[String]) -> String {
    let mut text = shown.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if shown.len() > NAMED {
        text.push_str(&format!(" and {} more", shown.len() - NAMED));
    }
    text
}

async fn tell(core: &Arc<Core>, done: &Done) {
    let Done { journal, shown, kept, failed } = done;
    let rewound = &journal.rewound;
    let line: String = rewound.prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut prompt: String = line.chars().take(TITLE).collect();
    if line.chars().count() > TITLE {
        prompt.push('…');
    }
    let title = match (journal.redo, rewound.scope) {
        (true, _) => format!("Taken back: the rewind to before “{prompt}”"),
        (false, Scope::Files) => format!("Files rewound to before: {prompt}"),
        (false, Scope::Conversation) => format!("Conversation rewound to before: {prompt}"),
        (false, Scope::Both) => format!("Rewound to before: {prompt}"),
    };
    // What is long comes last: a screen shows the begin.
    let mut body = Vec::new();
    let count = |n: usize| if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
    if !journal.redo {
        body.push("/redo takes it back.".to_owned());
    }
    body.extend(failed.iter().map(|failed| format!("{}: {}.", failed.path.display(), failed.why)));
    if *kept > 0 {
        body.push(format!("{} kept as you wanted.", count(*kept)));
    }
    if rewound.scope.files() {
        body.push(match shown.len() {
            0 => "No file had to change.".to_owned(),
            n => format!("{} put back: {}.", count(n), names(shown)),
        });
    }
    let severity = if failed.is_empty() { "info" } else { "warning" };
    core.hub.event(Event::Notification(Notification {
        id: core.env.ids.uuid(),
        category: "session".to_owned(),
        kind: if journal.redo { "session.redone" } else { "session.rewound" }.to_owned(),
        source_kind: "session".to_owned(),
        source_id: core.session.id.clone(),
        title,
        body: body.join(" "),
        severity: severity.to_owned(),
        created_at: core.env.unix_now(),
        payload: json!({
            "point": rewound.to,
            "scope": rewound.scope,
            "undone_turns": rewound.hidden.len(),
            "files": shown,
            "failed": failed.iter().map(|f| f.path.display().to_string()).collect::<Vec<_>>(),
        }),
    }));
    let tokens = core.context.lock().await.tokens();
    let max = core.llm().map_or(0, |llm| llm.max_context);
    core.hub.event(Event::StatusUpdate(core.context_status(tokens, max)));
    core.tell_info();
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Outcome> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| failed(&error)),
        Err(error) => Err(failed(&format!("the rewind broke: {error}"))),
    }
}

fn failed(message: &str) -> Outcome {
    Outcome::Failed(Failure {
        kind: FailureKind::Internal,
        message: message.to_owned(),
        hint: None,
    })
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self(text)
    }
}
