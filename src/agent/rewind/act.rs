//! A rewind as a turn of its own: files, then the conversation, then everybody is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use super::plan::{Plan, Target};
use super::restore::Failed;
use super::told::{Chosen, chosen, for_model};
use super::{Rewinder, Trouble, lock, trouble};
use crate::agent::core::Core;
use crate::agent::turn::store_failure;
use crate::llm::Message;
use crate::protocol::{Event, Failure, FailureKind, Outcome, RewindRequest, StopReason, UserInput};
use crate::store::ContextMark;
use crate::store::snapshots::{Put, Rewound};

/// Carries out a plan. Told as a turn, so that every reader of the record sees where the
/// conversation went. One that is stopped stops between two files: the conversation stays, and what is
/// back by then can be taken back.
pub(crate) async fn run(
    core: &Arc<Core>,
    request: RewindRequest,
    cancel: &CancellationToken,
) -> Outcome {
    let Some(rewinder) = core.rewinder.clone() else {
        return failed("this session keeps nothing to go back to: another kimi has it open");
    };
    rewinder.settle().await;
    let plan = lock(&rewinder.plan).take().filter(|plan| plan.id == request.plan);
    let Some(plan) = plan else { return failed("the files have changed; choose again") };
    let command = if plan.target == Target::Redo { "/redo" } else { "/undo" };
    core.hub.event(Event::TurnBegin { user_input: UserInput::Text(command.to_owned()) });
    let outcome = match carry_out(core, &rewinder, plan, &request, cancel).await {
        Ok(done) => {
            tell(core, &done).await;
            if done.left.is_empty() {
                Outcome::Finished { stop: StopReason::Command }
            } else {
                Outcome::Cancelled
            }
        }
        Err(outcome) => outcome,
    };
    core.hub.event(Event::TurnEnd {});
    outcome
}

/// What was done.
struct Done {
    journal: Journal,
    chosen: Chosen,
    failed: Vec<Failed>,
    /// Not begun when it was stopped.
    left: Vec<Put>,
}

async fn carry_out(
    core: &Arc<Core>,
    rewinder: &Arc<Rewinder>,
    plan: Plan,
    request: &RewindRequest,
    cancel: &CancellationToken,
) -> Result<Done, Outcome> {
    let scope = plan.scope.unwrap_or(request.scope);
    let mut context = core.context.lock().await;
    let here = context.mark().map_err(|error| Outcome::Failed(store_failure(&error)))?;
    let state = core.settings.snapshot();
    let (puts, chosen) = chosen(&plan, scope, &request.keep, &request.keep_files);
    let journal = {
        let rewinder = Arc::clone(rewinder);
        let at = core.env.unix_now();
        let (todos, title) = (state.todos, state.custom_title);
        let cancel = cancel.clone();
        let prepare = move || -> Result<Option<(Journal, Vec<Failed>)>, String> {
            let ready = rewinder.before_putting(puts, &|| cancel.is_cancelled())?;
            let Some((puts, failed)) = ready else { return Ok(None) };
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
            Ok(Some((journal, failed)))
        };
        blocking(prepare).await?
    };
    let Some((journal, mut failures)) = journal else {
        let title = "Stopped: no file was touched, the conversation stays.".to_owned();
        core.tell("session.rewind_stopped", title, String::new(), "info", json!({}));
        return Err(Outcome::Cancelled);
    };
    if let Some(mark) = &journal.context
        && !context.has(mark).map_err(|error| Outcome::Failed(store_failure(&error)))?
    {
        return Err(failed("the conversation of that time is in no record any more"));
    }
    let carried = {
        let (rewinder, cancel) = (Arc::clone(rewinder), cancel.clone());
        blocking(move || {
            journal.write(&rewinder.dir).map_err(|error| trouble(&error))?;
            let done = rewinder.carry_out(&journal, &|| cancel.is_cancelled())?;
            if done.left.is_empty() {
                return Ok(Some((journal, done)));
            }
            if rewinder.closing.load(Ordering::Relaxed) {
                return Ok(None);
            }
            // From now on the rest is not promised any more. A redo that was stopped is still open.
            let journal = journal.cut_off(&done.left);
            if journal.redo {
                Journal::remove(&rewinder.dir).map_err(|error| trouble(&error))?;
            } else {
                journal.write(&rewinder.dir).map_err(|error| trouble(&error))?;
            }
            Ok(Some((journal, done)))
        })
        .await?
    };
    // The next opening finishes it.
    let Some((journal, done)) = carried else { return Err(Outcome::Cancelled) };
    failures.extend(done.failed);
    if let Some(mark) = &journal.context {
        let back =
            context.return_to(mark).map_err(|error| Outcome::Failed(store_failure(&error)))?;
        if !back {
            return Err(failed("the conversation of that time is in no record any more"));
        }
        core.forget_shown();
    }
    if let Some(note) = for_model(&journal, &chosen.back(&failures, &done.left)) {
        context
            .push(Message::user_text(note))
            .map_err(|error| Outcome::Failed(store_failure(&error)))?;
    }
    drop(context);
    core.settings.update(|state| journal.settle(state));
    let rewinder = Arc::clone(rewinder);
    let unfinished_redo = journal.redo && !done.left.is_empty();
    let journal = blocking(move || {
        rewinder
            .with_log(|log| if unfinished_redo { Ok(()) } else { Ok(journal.note(log)?) })
            .and_then(|()| rewinder.save())
            .and_then(|()| Journal::remove(&rewinder.dir).map_err(|error| trouble(&error)))?;
        Ok(journal)
    })
    .await?;
    Ok(Done { journal, chosen, failed: failures, left: done.left })
}

async fn tell(core: &Arc<Core>, done: &Done) {
    let told = done.chosen.told(&done.journal, &done.failed, &done.left);
    let kind = if done.journal.redo { "session.redone" } else { "session.rewound" };
    let severity = if told.whole { "info" } else { "warning" };
    core.tell(kind, told.title, told.body, severity, told.payload);
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
