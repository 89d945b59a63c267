//! One user input, to its end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::compaction::AutoCompact;
use super::core::Core;
use super::dmail;
use super::goal::{self, Goals, LastStep};
use super::notifications::{ANNOUNCED, TASKS_HAVE_ENDED};
use super::ralph;
use super::reminders;
use super::repeat::RepeatGuard;
use super::resources;
use super::rewind::Words;
use super::servers::Loading;
use super::slash;
use super::step::{self, StepEnd, StepError};
use crate::customize::hooks::Occasion;
use crate::llm::{Llm, Message, Role};
use crate::protocol::{
    ContentPart, Event, Failure, FailureKind, Outcome, StopReason, ToolOutput, UserInput,
};
use crate::store::{ContextMark, StoreError, derive_title};

/// What a turn carries from step to step.
pub(super) struct Turn<'a> {
    pub core: &'a Arc<Core>,
    pub cancel: &'a CancellationToken,
    pub repeats: RepeatGuard,
    pub auto_compact: AutoCompact,
    /// What the model's last error is called, for hooks.
    pub error_class: Option<&'static str>,
    /// The step that runs is the last one: its calls do not run.
    pub last_step: Option<LastStep>,
}

/// What a turn begins with.
pub(super) enum Opening {
    /// Somebody has sent it.
    Sent(UserInput),
    /// Background tasks have ended.
    Tasks,
    /// Work on a goal goes on or begins. The label stands where the words of a user would; the model gets the
    /// message, which is never a command.
    Goal { label: Words, message: String },
}

impl Opening {
    /// What everybody is told.
    fn shown(&self) -> UserInput {
        match self {
            Self::Sent(input) => input.clone(),
            Self::Tasks => TASKS_HAVE_ENDED.into(),
            Self::Goal { label, .. } => UserInput::Text(label.text.clone()),
        }
    }

    /// What a list of turns has of it.
    fn words(&self) -> Words {
        match self {
            Self::Sent(input) => input.text().into(),
            Self::Tasks => Words::of_nobody(ANNOUNCED.to_owned()),
            Self::Goal { label, .. } => label.clone(),
        }
    }
}

/// Runs a turn within the time that is left for it.
pub(super) async fn run(core: &Arc<Core>, opening: Opening, cancel: &CancellationToken) -> Outcome {
    let now = || core.env.clock.instant();
    core.meter.begin_turn(now());
    let inner = cancel.child_token();
    let turn = run_whole(core, opening, &inner);
    tokio::pin!(turn);
    let outcome = tokio::select! {
        outcome = &mut turn => outcome,
        () = core.meter.out_of_time(&*core.env.clock) => {
            let spent = core.meter.expire().filter(|_| !cancel.is_cancelled());
            inner.cancel();
            core.desk.cancel_all();
            match (turn.await, spent) {
                (Outcome::Cancelled, Some(spent)) => Outcome::BudgetSpent(spent),
                (outcome, _) => outcome,
            }
        }
    };
    core.meter.end_turn(now());
    outcome
}

/// Runs a turn. `TurnBegin` and `TurnEnd` always come as a pair, whatever happens between them.
async fn run_whole(core: &Arc<Core>, opening: Opening, cancel: &CancellationToken) -> Outcome {
    core.hub.event(Event::TurnBegin { user_input: opening.shown() });
    let loading = Loading::begin(core);
    // The turns of a goal are asked about one by one: a guard must not be walked around by a prompt
    // that nobody has written (agent-loop.md section 17).
    let allowed = match &opening {
        Opening::Goal { message, .. } => submitted(core, message, cancel).await,
        // Results that came by themselves: no hook for prompts may make them vanish (section 1.2).
        Opening::Tasks => {
            cancel.run_until_cancelled(core.begun()).await.ok_or(NotSubmitted::Cancelled)
        }
        Opening::Sent(input) => submitted(core, &input.text(), cancel).await,
    };
    let allowed = allowed.map_err(|stopped| match stopped {
        NotSubmitted::Cancelled => Outcome::Cancelled,
        NotSubmitted::Forbidden(reason) => {
            let typed = match &opening {
                Opening::Sent(input) => Some(input.text()),
                Opening::Tasks | Opening::Goal { .. } => None,
            };
            goal::forbidden(core, typed.as_deref(), &reason);
            core.hub.event(Event::ContentPart(ContentPart::text(reason)));
            Outcome::Finished { stop: StopReason::Command }
        }
    });
    let outcome = match allowed {
        Ok(()) => {
            let point = note_point(core, opening.words()).await;
            let outcome = run_submitted(core, opening, cancel).await;
            let outcome = stopping(core, outcome, cancel).await;
            note_silence(core, point).await;
            outcome
        }
        Err(outcome) => outcome,
    };
    core.desk.cancel_all();
    if let Some(rewinder) = &core.rewinder {
        rewinder.end_turn();
    }
    loading.end();
    core.hub.event(Event::TurnEnd {});
    outcome
}

/// Why a prompt does not go on to the model.
enum NotSubmitted {
    Cancelled,
    /// A hook forbids it, for this reason.
    Forbidden(String),
}

/// Lets the hooks see what the turn begins with. One that forbids it ends the turn with its reason as
/// the answer; nothing enters the conversation.
async fn submitted(
    core: &Arc<Core>,
    prompt: &str,
    cancel: &CancellationToken,
) -> Result<(), NotSubmitted> {
    let asked = async {
        core.begun().await;
        core.hooks.fire(Occasion::user_prompt_submit(prompt)).await
    };
    let verdict = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(NotSubmitted::Cancelled),
        verdict = asked => verdict,
    };
    match verdict.block {
        None => Ok(()),
        Some(reason) if reason.is_empty() => {
            Err(NotSubmitted::Forbidden("A hook does not allow this prompt.".to_owned()))
        }
        Some(reason) => Err(NotSubmitted::Forbidden(reason)),
    }
}

/// Runs a command or the model.
async fn run_submitted(core: &Arc<Core>, opening: Opening, cancel: &CancellationToken) -> Outcome {
    let input = match opening {
        Opening::Goal { message, .. } => {
            return run_plain(core, message.as_str().into(), cancel).await;
        }
        Opening::Tasks => return ralph::run(core, TASKS_HAVE_ENDED.into(), cancel).await,
        Opening::Sent(input) => input,
    };
    let text = input.text();
    if let Some(command) = slash::parse(&text) {
        return slash::run(core, &command, &input, cancel).await;
    }
    let input = resources::attached(core, input, cancel).await;
    let outcome = ralph::run(core, input, cancel).await;
    if matches!(outcome, Outcome::Finished { .. }) {
        set_first_title(core, &text);
    }
    outcome
}

/// Lets the hooks see that the turn is about to end well. One that forbids it makes its reason the
/// input of one more turn, and no other one (agent-loop.md section 1).
async fn stopping(core: &Arc<Core>, outcome: Outcome, cancel: &CancellationToken) -> Outcome {
    let asked = async |active| {
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            verdict = core.hooks.fire(Occasion::stop(active)) => verdict.block,
        }
    };
    if !matches!(outcome, Outcome::Finished { .. }) {
        return outcome;
    }
    let Some(reason) = asked(false).await.filter(|reason| !reason.is_empty()) else {
        return outcome;
    };
    let input = UserInput::from(reason.as_str());
    core.hub.event(Event::TurnBegin { user_input: input.clone() });
    let outcome = run_plain(core, input, cancel).await;
    if matches!(outcome, Outcome::Finished { .. }) {
        // It may look on; another turn is not to be had.
        asked(true).await;
    }
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

/// Notes where one can return to: the end of the conversation as it is now.
pub(super) async fn note_point(core: &Arc<Core>, words: Words) -> Option<ContextMark> {
    let rewinder = core.rewinder.as_ref()?;
    let mark = async {
        let mut context = core.context.lock().await;
        context.answer_open_calls()?;
        context.mark()
    };
    match mark.await {
        Ok(mark) => {
            let state = core.settings.snapshot();
            let (todos, title) = (state.todos, state.custom_title);
            rewinder.begin_turn(words, mark.clone(), todos, title).await;
            Some(mark)
        }
        Err(error) => {
            warn!(%error, "this turn cannot be undone");
            None
        }
    }
}

/// Notes that the conversation ends where it did when the turn began, if it does: most commands only
/// tell or switch something.
pub(super) async fn note_silence(core: &Arc<Core>, began: Option<ContextMark>) {
    let (Some(rewinder), Some(began)) = (&core.rewinder, began) else { return };
    let now = core.context.lock().await.mark();
    if now.is_ok_and(|now| now == began) {
        rewinder.silent_turn().await;
    }
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
        error_class: None,
        last_step: None,
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
        let begun = match self.begin(parts).await {
            // What came between two turns of a goal.
            Ok(()) => self.take_steers().await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(_) => self.steps().await,
            Err(error) => Outcome::Failed(store_failure(&error)),
        }
    }

    /// Puts the user's message into the conversation, after all that belongs before it.
    async fn begin(&self, parts: Vec<ContentPart>) -> Result<(), StoreError> {
        self.core.context.lock().await.answer_open_calls()?;
        let mut context = self.core.context.lock().await;
        // Mail of a turn that was cut off.
        self.core.mail.take();
        dmail::checkpoint(self.core, &mut context)?;
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
            if let Some(exhausted) = self.core.exhausted() {
                return exhausted.into();
            }
            if n == limit {
                let message = format!("The limit of {limit} steps was reached.");
                let failure = Occasion::stop_failure("MaxStepsReached", &message);
                self.core.hooks.fire_later(failure);
                return Outcome::MaxStepsReached { steps: limit };
            }
            n += 1;
            self.last_step = self.core.own_goals().and_then(Goals::last_step);
            self.core.hub.event(Event::StepBegin { n });
            if let Err(error) = self.auto_compact.when_full(self.core, self.cancel).await {
                // The request may still fit; if it does not, the provider says so.
                warn!(%error, "automatic compaction failed");
            }
            let end = match self.before_step().await {
                Ok(()) => step::run(self, n).await,
                Err(error) => Err(StepError::Failed(store_failure(&error))),
            };
            let end = match end {
                Ok(end) => dmail::deliver(self, end)
                    .await
                    .map_err(|error| StepError::Failed(store_failure(&error))),
                Err(error) => Err(error),
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
                Ok(_) if steered => {}
                Ok(StepEnd::Continue) if self.last_step.is_some() => {
                    return Outcome::Finished { stop: StopReason::NoToolCalls };
                }
                Ok(StepEnd::Continue) => {}
                Ok(StepEnd::Stop(reason)) => return Outcome::Finished { stop: reason },
                Err(StepError::Cancelled) => {
                    self.note_interruption().await;
                    return Outcome::Cancelled;
                }
                Err(StepError::Exhausted(exhausted)) => {
                    self.core.hub.event(Event::StepInterrupted {});
                    return exhausted.into();
                }
                Err(StepError::Failed(failure)) => {
                    self.core.hub.event(Event::StepInterrupted {});
                    let class = self.error_class.unwrap_or_else(|| class_of(&failure.kind));
                    let occasion = Occasion::stop_failure(class, &failure.message);
                    self.core.hooks.fire_later(occasion);
                    return Outcome::Failed(failure);
                }
            }
        }
    }

    /// Marks the place, and gives the model what hooks had to tell it since its last request.
    async fn before_step(&self) -> Result<(), StoreError> {
        let mut context = self.core.context.lock().await;
        dmail::checkpoint(self.core, &mut context)?;
        let told = self.core.hooks.take_contexts();
        if told.is_empty() {
            drop(context);
            return reminders::add_due(self.core).await;
        }
        let told: Vec<String> = told
            .iter()
            .map(|text| format!("<system-reminder>A hook says: {text}</system-reminder>"))
            .collect();
        context.push(Message::user_text(told.join("\n")))?;
        drop(context);
        reminders::add_due(self.core).await
    }

    /// Gives the waiting messages to the model. True when there were any.
    async fn take_steers(&self) -> Result<bool, StoreError> {
        let mut any = false;
        self.core.ops_taken(self.cancel).await;
        while let Some(input) = self.core.next_steer() {
            let input = match self.core.llm() {
                Some(llm) => without_unsupported(&llm, input),
                None => input,
            };
            let whole = resources::attached(self.core, input.clone(), self.cancel).await;
            let message = Message::user(whole.into_parts());
            // When this fails it is not told to be taken in, and the front end still has it.
            self.core.context.lock().await.push(message)?;
            self.core.hub.event(Event::SteerInput { user_input: input });
            any = true;
        }
        Ok(any)
    }

    /// Tells the model, for its next request, that the user stopped it here.
    async fn note_interruption(&self) {
        let spent = self.core.meter.spent(self.core.env.clock.instant()).is_some();
        let who = match spent || self.core.goals.time_is_up() {
            true => "The time limit ended",
            false => "The user interrupted",
        };
        let note =
            Message::user_text(format!("<system-reminder>{who}{INTERRUPTED}</system-reminder>"));
        if let Err(error) = self.core.context.lock().await.push(note) {
            warn!(%error, "the interruption could not be stored");
        }
    }
}

const INTERRUPTED: &str =
    " the previous turn. Nothing after this point ran; do not resume it unless asked.";

/// Whether a message tells the model that a turn was stopped there.
pub(super) fn is_interruption(message: &Message) -> bool {
    message.role == Role::User && message.text().contains(INTERRUPTED)
}

/// What kimi-cli calls such a failure.
fn class_of(kind: &FailureKind) -> &'static str {
    match kind {
        FailureKind::LlmNotSet => "LLMNotSet",
        FailureKind::LlmNotSupported => "LLMNotSupported",
        FailureKind::SignIn | FailureKind::Provider { status: Some(_), .. } => "APIStatusError",
        FailureKind::Provider { status: None, .. } => "ChatProviderError",
        FailureKind::Command => "CommandError",
        FailureKind::Internal => "RuntimeError",
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
pub(super) fn lacking(llm: &Llm, part: &ContentPart) -> Option<&'static str> {
    let (name, have) = match part {
        ContentPart::ImageUrl { .. } => ("image_in", llm.capabilities.image_in),
        ContentPart::VideoUrl { .. } => ("video_in", llm.capabilities.video_in),
        _ => return None,
    };
    (!have).then_some(name)
}

/// A message without what the model cannot take: failing the turn would throw away the rest of it,
/// and with a steer the work that it is about. A sentence says what is missing.
pub(super) fn without_unsupported(llm: &Llm, input: UserInput) -> UserInput {
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
            llm.model,
            missing.join(", ")
        ),
        hint: Some("choose a model that takes it with /model or --model".to_owned()),
    })
}

/// The first turn names the session, unless it has a name.
pub(super) fn set_first_title(core: &Core, text: &str) {
    if core.settings.snapshot().custom_title.is_some() {
        return;
    }
    let title = derive_title(text);
    core.settings.update(|state| state.custom_title = Some(title));
    core.tell_info();
}
