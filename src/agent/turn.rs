//! One user input, to its end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::compaction::AutoCompact;
use super::core::Core;
use super::reminders;
use super::repeat::RepeatGuard;
use super::servers::Loading;
use super::slash;
use super::step::{self, StepEnd, StepError};
use crate::llm::{Llm, Message};
use crate::protocol::{ContentPart, Event, Failure, FailureKind, Outcome, ToolOutput, UserInput};
use crate::store::{StoreError, derive_title};

/// What a turn carries from step to step.
pub(super) struct Turn<'a> {
    pub core: &'a Arc<Core>,
    pub cancel: &'a CancellationToken,
    pub repeats: RepeatGuard,
    pub auto_compact: AutoCompact,
}

/// Runs a turn within the time that is left for it.
pub(super) async fn run(core: &Arc<Core>, input: UserInput, cancel: &CancellationToken) -> Outcome {
    let now = || core.env.clock.instant();
    core.meter.begin_turn(now());
    let outcome = match core.meter.time_left(now()) {
        None => run_whole(core, input, cancel).await,
        Some(left) => {
            let inner = cancel.child_token();
            let turn = run_whole(core, input, &inner);
            tokio::pin!(turn);
            tokio::select! {
                outcome = &mut turn => outcome,
                () = tokio::time::sleep(left) => {
                    let spent = core.meter.expire().filter(|_| !cancel.is_cancelled());
                    inner.cancel();
                    core.desk.cancel_all();
                    match (turn.await, spent) {
                        (Outcome::Cancelled, Some(spent)) => Outcome::BudgetSpent(spent),
                        (outcome, _) => outcome,
                    }
                }
            }
        }
    };
    core.meter.end_turn(now());
    outcome
}

/// Runs a turn. `TurnBegin` and `TurnEnd` always come as a pair, whatever happens between them.
async fn run_whole(core: &Arc<Core>, input: UserInput, cancel: &CancellationToken) -> Outcome {
    core.hub.event(Event::TurnBegin { user_input: input.clone() });
    let loading = Loading::begin(core);
    let text = input.text();
    let outcome = match slash::parse(&text) {
        Some(command) => slash::run(core, &command, cancel).await,
        None => {
            let outcome = run_plain(core, input, cancel).await;
            if matches!(outcome, Outcome::Finished { .. }) {
                set_first_title(core, &text);
            }
            outcome
        }
    };
    core.desk.cancel_all();
    loading.end();
    core.hub.event(Event::TurnEnd {});
    outcome
}

/// Runs what a subagent is told: a turn in its own record, within the time of the session's turn.
pub(super) async fn run_subagent(
    core: &Arc<Core>,
    input: UserInput,
    cancel: &CancellationToken,
) -> Outcome {
    core.hub.event(Event::TurnBegin { user_input: input.clone() });
    let outcome = run_plain(core, input, cancel).await;
    if let Some(source) = &core.source {
        core.desk.cancel_of(source);
    }
    core.hub.event(Event::TurnEnd {});
    outcome
}

/// Runs the model on `input`, without looking for commands in it.
pub(super) async fn run_plain(
    core: &Arc<Core>,
    input: UserInput,
    cancel: &CancellationToken,
) -> Outcome {
    let mut turn = Turn {
        core,
        cancel,
        repeats: RepeatGuard::default(),
        auto_compact: AutoCompact::default(),
    };
    turn.run(input).await
}

impl Turn<'_> {
    async fn run(&mut self, input: UserInput) -> Outcome {
        let Some(llm) = self.core.llm() else {
            return Outcome::Failed(Failure {
                kind: FailureKind::LlmNotSet,
                message: "LLM not set".to_owned(),
                hint: Some("choose a model with --model or /model, or set KIMI_API_KEY".to_owned()),
            });
        };
        let parts = input.into_parts();
        if let Some(failure) = missing_capability(&llm, &parts) {
            return Outcome::Failed(failure);
        }
        match self.begin(parts).await {
            Ok(()) => self.steps().await,
            Err(error) => Outcome::Failed(store_failure(&error)),
        }
    }

    /// Puts the user's message into the conversation, after all that belongs before it.
    async fn begin(&self, parts: Vec<ContentPart>) -> Result<(), StoreError> {
        self.core.context.lock().await.answer_open_calls()?;
        let mut context = self.core.context.lock().await;
        context.checkpoint()?;
        context.push(Message::user(parts))
    }

    async fn steps(&mut self) -> Outcome {
        let limit = self.core.limits.max_steps_per_turn;
        let mut n = 0;
        loop {
            if self.cancel.is_cancelled() {
                self.note_interruption().await;
                return Outcome::Cancelled;
            }
            if let Some(spent) = self.core.meter.spent(self.core.env.clock.instant()) {
                return Outcome::BudgetSpent(spent);
            }
            if n == limit {
                return Outcome::MaxStepsReached { steps: limit };
            }
            n += 1;
            self.core.hub.event(Event::StepBegin { n });
            if let Err(error) = self.auto_compact.when_full(self.core, self.cancel).await {
                // The request may still fit; if it does not, the provider says so.
                warn!(%error, "automatic compaction failed");
            }
            let end = match self.prepare().await {
                Ok(()) => step::run(self, n).await,
                Err(error) => Err(StepError::Failed(store_failure(&error))),
            };
            let mut steered = false;
            let end = match end {
                Ok(end) => match self.take_steers().await {
                    Ok(any) => {
                        steered = any;
                        Ok(end)
                    }
                    Err(error) => Err(StepError::Failed(store_failure(&error))),
                },
                Err(error) => Err(error),
            };
            match end {
                Ok(StepEnd::Continue) => {}
                Ok(StepEnd::Stop(_)) if steered => {}
                Ok(StepEnd::Stop(reason)) => return Outcome::Finished { stop: reason },
                Err(StepError::Cancelled) => {
                    self.note_interruption().await;
                    return Outcome::Cancelled;
                }
                Err(StepError::Failed(failure)) => {
                    self.core.hub.event(Event::StepInterrupted {});
                    return Outcome::Failed(failure);
                }
            }
        }
    }

    /// What belongs before a request.
    async fn prepare(&self) -> Result<(), StoreError> {
        self.core.context.lock().await.checkpoint()?;
        reminders::add_due(self.core).await
    }

    /// Gives the waiting messages to the model. True when there were any.
    async fn take_steers(&self) -> Result<bool, StoreError> {
        let mut any = false;
        while let Some(input) = self.core.next_steer() {
            let input = match self.core.llm() {
                Some(llm) => without_unsupported(&llm, input),
                None => input,
            };
            let message = Message::user(input.clone().into_parts());
            // When this fails it is not told to be taken in, and the front end still has it.
            self.core.context.lock().await.push(message)?;
            self.core.hub.event(Event::SteerInput { user_input: input });
            any = true;
        }
        Ok(any)
    }

    /// Tells the model, for its next request, that the user stopped it here.
    async fn note_interruption(&self) {
        let who = match self.core.meter.spent(self.core.env.clock.instant()) {
            Some(_) => "The time limit ended",
            None => "The user interrupted",
        };
        let note = Message::user_text(format!(
            "<system-reminder>{who} the previous turn. Nothing after this point ran; do not resume it \
             unless asked.</system-reminder>"
        ));
        if let Err(error) = self.core.context.lock().await.push(note) {
            warn!(%error, "the interruption could not be stored");
        }
    }
}

/// A failure to write the record: going on would leave a conversation that is not on disk.
pub(super) fn store_failure(error: &StoreError) -> Failure {
    Failure {
        kind: FailureKind::Internal,
        message: format!("the conversation cannot be recorded: {error}"),
        hint: None,
    }
}

/// The capability that this part needs and the model lacks.
fn lacking(llm: &Llm, part: &ContentPart) -> Option<&'static str> {
    let (name, have) = match part {
        ContentPart::ImageUrl { .. } => ("image_in", llm.capabilities.image_in),
        ContentPart::VideoUrl { .. } => ("video_in", llm.capabilities.video_in),
        _ => return None,
    };
    (!have).then_some(name)
}

/// A steer without what the model cannot take: failing the turn for it would throw away the work
/// that the steer is about. A sentence says what is missing.
fn without_unsupported(llm: &Llm, input: UserInput) -> UserInput {
    let parts = match input {
        UserInput::Parts(parts) if parts.iter().any(|part| lacking(llm, part).is_some()) => parts,
        input => return input,
    };
    let (mut kept, mut dropped) = (Vec::new(), 0);
    for part in parts {
        match lacking(llm, &part) {
            Some(_) => dropped += 1,
            None => kept.push(part),
        }
    }
    kept.push(ContentPart::text(format!(
        "[{dropped} attached media left out: the model {} does not take them]",
        llm.display_name
    )));
    UserInput::Parts(kept)
}

/// Takes out of a result what the model cannot take: it would spoil every later request.
pub(super) fn fit_result(llm: &Llm, output: &mut ToolOutput) {
    let ToolOutput::Parts(parts) = output else { return };
    for part in parts {
        if lacking(llm, part).is_some() {
            *part = ContentPart::text(format!(
                "[A picture or film is left out: the model {} does not take it]",
                llm.display_name
            ));
        }
    }
}

fn missing_capability(llm: &Llm, parts: &[ContentPart]) -> Option<Failure> {
    let mut missing = Vec::new();
    for name in parts.iter().filter_map(|part| lacking(llm, part)) {
        if !missing.contains(&name) {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return None;
    }
    let word = if missing.len() == 1 { "capability" } else { "capabilities" };
    Some(Failure {
        kind: FailureKind::LlmNotSupported,
        message: format!(
            "LLM model '{}' does not support required {word}: {}.",
            llm.name,
            missing.join(", ")
        ),
        hint: Some("choose a model that takes it with /model or --model".to_owned()),
    })
}

/// The first turn names the session, unless it has a name.
fn set_first_title(core: &Core, text: &str) {
    if core.settings.snapshot().custom_title.is_some() {
        return;
    }
    let title = derive_title(text);
    core.settings.update(|state| state.custom_title = Some(title));
    core.tell_info();
}
