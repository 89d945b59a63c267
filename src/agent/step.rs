//! One model request with its retries, then the calls it asks for.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;

use super::compaction::{self, Compacted, CompactionError, Reason};
use super::dispatch;
use super::notifications;
use super::servers::offered;
use super::spending::Exhausted;
use super::turn::{Turn, store_failure};
use crate::llm::{
    Assembler, ChatRequest, Delta, FinishReason, Llm, LlmError, Message, RetryPolicy,
};
use crate::protocol::{
    ContentPart, Event, Failure, FailureKind, StatusUpdate, StopReason, TokenUsage, ToolCall,
};

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StepEnd {
    /// Tools ran: the model has to see what they returned.
    Continue,
    Stop(StopReason),
}

/// Why a step did not end.
#[derive(Debug)]
pub(super) enum StepError {
    Cancelled,
    /// Nothing is left for another request.
    Exhausted(Exhausted),
    Failed(Failure),
}

/// Runs step `n` of the turn.
pub(super) async fn run(turn: &mut Turn<'_>, n: u32) -> Result<StepEnd, StepError> {
    let Some(llm) = turn.core.llm() else {
        return Err(StepError::Failed(internal("the model went away during the turn")));
    };
    notifications::deliver(turn.core)
        .await
        .map_err(|error| StepError::Failed(store_failure(&error)))?;
    let (answer, message) = request(turn, &llm, n).await?;
    let counted = report_usage(turn, &llm, &answer).await;
    let calls = message.tool_calls.clone();
    turn.core
        .context
        .lock()
        .await
        .push_answer(message, counted)
        .map_err(|error| StepError::Failed(store_failure(&error)))?;
    if calls.is_empty() {
        if answer.finish == Some(FinishReason::Length) {
            turn.core.hub.event(Event::ContentPart(ContentPart::text(
                "\n\n[The answer was cut at the model's completion limit. Say \"continue\" to go on.]",
            )));
        }
        return Ok(StepEnd::Stop(StopReason::NoToolCalls));
    }
    dispatch::run(turn, calls).await
}

/// The message of a whole answer. Each call has an id of its own, also when the model gave none or
/// the same one twice: results are told apart by it.
fn message_of(turn: &Turn<'_>, answer: &Assembler) -> Message {
    let fresh = || format!("call_{}", turn.core.env.ids.uuid().replace('-', ""));
    let mut message = answer.message(fresh);
    let mut taken = HashSet::new();
    for call in &mut message.tool_calls {
        while !taken.insert(call.id.clone()) {
            call.id = fresh();
        }
    }
    message
}

/// Asks the model until it answers or there is no point in going on.
async fn request(
    turn: &mut Turn<'_>,
    llm: &Llm,
    n: u32,
) -> Result<(Assembler, Message), StepError> {
    let policy = RetryPolicy { max_attempts: turn.core.limits.max_retries_per_step };
    let mut failed_attempts = 0;
    let mut shorter = Shorter::default();
    loop {
        // Since the step began others may have spent the rest, or a summary has.
        if let Some(exhausted) = turn.core.exhausted() {
            leave_unanswered(turn).await;
            return Err(StepError::Exhausted(exhausted));
        }
        let error = match attempt(turn, llm).await {
            Ok(answer) => return Ok(answer),
            Err(AttemptError::Cancelled(partial)) => {
                keep_partial(turn, &partial).await;
                return Err(StepError::Cancelled);
            }
            Err(AttemptError::Llm(error)) => error,
        };
        if error.context_overflow() && shorter.again(turn).await? {
            continue;
        }
        failed_attempts += 1;
        let jitter = turn.core.env.clock.jitter();
        let Some(wait) = policy.wait_before(failed_attempts, &error, jitter) else {
            turn.error_class = Some(error.class());
            leave_unanswered(turn).await;
            return Err(StepError::Failed(provider_failure(llm, &error)));
        };
        turn.core.hub.event(Event::StepRetry {
            n,
            next_attempt: failed_attempts + 1,
            max_attempts: policy.attempts(&error),
            wait_s: wait.as_secs_f64(),
            error_type: error.class().to_owned(),
            status_code: error.status(),
        });
        sleep(turn, wait).await?;
    }
}

/// What is done, one after the other, about a conversation that the provider finds too long
/// (agent-loop.md sections 4 and 8). Each way is gone once for a request.
#[derive(Default)]
struct Shorter {
    summarised: bool,
    cut: bool,
    dropped: bool,
}

impl Shorter {
    /// Makes the conversation shorter. False when there is nothing more that could be done.
    async fn again(&mut self, turn: &Turn<'_>) -> Result<bool, StepError> {
        let core = turn.core;
        if !self.summarised && !self.cut && compaction::results_weigh(core).await {
            self.cut = true;
            if helped(compaction::cut_results(core).await)? {
                return Ok(true);
            }
        }
        if !std::mem::replace(&mut self.summarised, true)
            && helped(compaction::run(core, Reason::Full, turn.cancel).await)?
        {
            return Ok(true);
        }
        if !std::mem::replace(&mut self.cut, true) && helped(compaction::cut_results(core).await)? {
            return Ok(true);
        }
        if !std::mem::replace(&mut self.dropped, true) {
            return helped(compaction::drop_oldest(core).await);
        }
        Ok(false)
    }
}

/// Whether the conversation is shorter now. A way that fails leaves the next one.
fn helped(result: Result<Option<Compacted>, CompactionError>) -> Result<bool, StepError> {
    match result {
        Ok(done) => Ok(done.is_some()),
        Err(CompactionError::Cancelled) => Err(StepError::Cancelled),
        Err(CompactionError::Exhausted(exhausted)) => Err(StepError::Exhausted(exhausted)),
        Err(error) => {
            tracing::warn!(%error, "the conversation could not be made shorter so");
            Ok(false)
        }
    }
}

async fn sleep(turn: &Turn<'_>, wait: Duration) -> Result<(), StepError> {
    tokio::select! {
        () = turn.cancel.cancelled() => Err(StepError::Cancelled),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}

enum AttemptError {
    /// Cancelled, with what had come until then.
    Cancelled(Assembler),
    Llm(LlmError),
}

/// Sends the request once and streams the answer to the hub.
async fn attempt(turn: &Turn<'_>, llm: &Llm) -> Result<(Assembler, Message), AttemptError> {
    let _work = turn.core.works();
    let (system, messages, context_tokens) = {
        let context = turn.core.context.lock().await;
        (context.system_prompt().to_owned(), context.request_messages(), context.tokens())
    };
    let offered = offered(turn.core, system, turn.cancel).await;
    let request = ChatRequest {
        system: &offered.system,
        tools: &offered.tools,
        messages: &messages,
        context_tokens,
    };
    let mut answer = Assembler::default();
    let mut stream = tokio::select! {
        biased;
        () = turn.cancel.cancelled() => return Err(AttemptError::Cancelled(answer)),
        stream = llm.provider.stream(request) => stream.map_err(AttemptError::Llm)?,
    };
    let mut calls = CallStream::default();
    loop {
        let delta = tokio::select! {
            biased;
            () = turn.cancel.cancelled() => {
                calls.tell_held(turn);
                return Err(AttemptError::Cancelled(answer));
            }
            delta = stream.next() => delta,
        };
        match delta {
            Some(Ok(delta)) => {
                tell(turn, &mut calls, &delta);
                answer.push(&delta);
            }
            Some(Err(error)) => return Err(AttemptError::Llm(error)),
            None => break,
        }
    }
    answer.check().map_err(AttemptError::Llm)?;
    let message = message_of(turn, &answer);
    calls.finish(turn, &message);
    Ok((answer, message))
}

/// Shows the calls of an answer while they stream.
///
/// `ToolCallPart` names no call, so only the first call can stream; the others are told whole when
/// the answer is complete, and pieces that interleave cannot mix (wire.md section 11). For the same
/// reason content that comes after it is held back until the call is whole.
#[derive(Default)]
struct CallStream {
    /// Index and id of the call that streams.
    first: Option<(usize, String)>,
    held: Vec<ContentPart>,
}

impl CallStream {
    fn push(
        &mut self,
        turn: &Turn<'_>,
        index: usize,
        id: Option<&str>,
        name: Option<&str>,
        arguments: &str,
    ) {
        match &self.first {
            Some((first, _)) if *first == index => {
                if !arguments.is_empty() {
                    turn.core
                        .hub
                        .event(Event::ToolCallPart { arguments_part: Some(arguments.to_owned()) });
                }
            }
            Some(_) => {}
            None => {
                // A call that starts without id or name is told whole at the end.
                if let (Some(id), Some(name)) = (id, name)
                    && !id.is_empty()
                    && !name.is_empty()
                {
                    self.first = Some((index, id.to_owned()));
                    turn.core.hub.event(Event::ToolCall(ToolCall::new(id, name, arguments)));
                }
            }
        }
    }

    fn content(&mut self, turn: &Turn<'_>, part: ContentPart) {
        if self.first.is_some() {
            self.held.push(part);
        } else {
            turn.core.hub.event(Event::ContentPart(part));
        }
    }

    fn tell_held(&mut self, turn: &Turn<'_>) {
        for part in self.held.drain(..) {
            turn.core.hub.event(Event::ContentPart(part));
        }
    }

    fn finish(mut self, turn: &Turn<'_>, message: &Message) {
        self.tell_held(turn);
        let streamed = self.first.map(|(_, id)| id);
        for call in &message.tool_calls {
            if streamed.as_deref() != Some(&call.id) {
                turn.core.hub.event(Event::ToolCall(call.clone()));
            }
        }
    }
}

fn tell(turn: &Turn<'_>, calls: &mut CallStream, delta: &Delta) {
    let part = match delta {
        Delta::Text(text) if !text.is_empty() => ContentPart::text(text),
        Delta::Think(think) if !think.is_empty() => ContentPart::think(think),
        Delta::Part(part) => part.clone(),
        Delta::ToolCall { index, id, name, arguments } => {
            calls.push(turn, *index, id.as_deref(), name.as_deref(), arguments);
            return;
        }
        _ => return,
    };
    calls.content(turn, part);
}

/// Reports the token counts of an answer; without any from the provider, our own estimate stands in.
/// Returns what the provider has told: input and total.
async fn report_usage(turn: &Turn<'_>, llm: &Llm, answer: &Assembler) -> Option<(u64, u64)> {
    let (input, total) = match answer.usage {
        Some(usage) => (usage.input(), usage.total()),
        None => {
            let known = turn.core.context.lock().await.tokens();
            let message = answer.message(String::new);
            (known, known.saturating_add(crate::llm::estimate::message_tokens(&message)))
        }
    };
    let estimated = TokenUsage {
        input_other: input,
        output: total.saturating_sub(input),
        ..TokenUsage::default()
    };
    turn.core.charge(&answer.usage.unwrap_or(estimated), llm);
    // Programs get what the provider has told, as from kimi-cli: the tokens of the request, or nothing.
    let mut status = match answer.usage {
        Some(_) => turn.core.context_status(input, llm.max_context),
        None => StatusUpdate::default(),
    };
    status.plan_mode = Some(turn.core.desk.plan().is_on());
    status.counted = Some((total, llm.max_context));
    status.token_usage = answer.usage;
    status.message_id.clone_from(&answer.message_id);
    turn.core.hub.event(Event::StatusUpdate(status));
    answer.usage.map(|_| (input, total))
}

/// Keeps what a cancelled answer had said. Its calls never ran and are left out.
async fn keep_partial(turn: &Turn<'_>, partial: &Assembler) {
    let mut message = partial.message(String::new);
    message.tool_calls.clear();
    if message.text().trim().is_empty() {
        leave_unanswered(turn).await;
        return;
    }
    if let Err(error) = turn.core.context.lock().await.push(message) {
        tracing::warn!(%error, "a cancelled answer could not be stored");
    }
}

/// Closes a request that has brought nothing.
async fn leave_unanswered(turn: &Turn<'_>) {
    if let Err(error) = turn.core.context.lock().await.answer_unanswered() {
        tracing::warn!(%error, "the end of a request could not be stored");
    }
}

/// The class of a model request that failed for good.
pub(super) fn failure_kind(error: &LlmError) -> FailureKind {
    match error {
        LlmError::SignIn(_) => FailureKind::SignIn,
        _ => FailureKind::Provider { status: error.status(), retryable: error.temporary() },
    }
}

/// What a person is told of a model request that failed for good.
fn provider_failure(llm: &Llm, error: &LlmError) -> Failure {
    let hint = match error.status() {
        _ if matches!(error, LlmError::SignIn(_)) => {
            Some("sign in with /login, or with kimi login in a shell")
        }
        _ if error.quota_exhausted() => {
            Some("check the account's plan and balance at the provider")
        }
        Some(401 | 403) => {
            Some("check the API key of the provider in config.toml or in the environment")
        }
        Some(402) => Some("check the account's plan and balance at the provider"),
        Some(404) => Some("check base_url and the model's name in config.toml"),
        Some(429) => Some("wait a while, then send the message again"),
        Some(500..) => Some("the provider has a problem; send the message again later"),
        // Whatever makes it shorter has been tried.
        _ if error.context_overflow() => {
            Some("start afresh with /new, or choose a model with a longer window with /model")
        }
        _ => match error {
            LlmError::Connection(_) => Some("check the network and the provider's base_url"),
            LlmError::Timeout(_) | LlmError::Empty(_) => Some("send the message again"),
            _ => None,
        },
    };
    Failure {
        kind: failure_kind(error),
        message: format!("{}: {error}", llm.display_name),
        hint: hint.map(str::to_owned),
    }
}

fn internal(message: &str) -> Failure {
    Failure { kind: FailureKind::Internal, message: message.to_owned(), hint: None }
}
