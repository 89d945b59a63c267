//! A question beside the conversation: the model sees what was said so far and answers, and nothing of
//! it is kept (agent-loop.md section 14). It may be asked while a turn runs.
//!
//! The request has the same beginning as every other one of the session, tools included, so that the
//! provider's prefix cache serves it.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::servers::offered;
use crate::llm::{Assembler, ChatRequest, Delta, Llm, LlmError, Message, RetryPolicy, Role};
use crate::protocol::{ContentPart, Event, ToolReturnValue};
use crate::store::open_calls;

/// Requests for one question: the second one is for a model that called tools instead of answering.
const MAX_REQUESTS: u32 = 2;

const REMINDER: &str = "<system-reminder>This is a question beside the conversation. Answer it directly, from \
     what you know and from what was said so far. No tool can be used for it: calls are refused. The answer \
     is not kept in the conversation, and it changes nothing about what you are doing there.</system-reminder>";
const REFUSED: &str = "Tools cannot be used for a question beside the conversation. Answer in words, with what \
     you know; say so if that is not enough.";
const STILL_RUNS: &str = "This call still runs; its result is not known yet.";

/// Asks the question and tells the answer between a begin and an end, which always come as a pair.
pub(super) async fn run(
    core: &Arc<Core>,
    id: String,
    question: String,
    cancel: &CancellationToken,
) {
    core.hub.event(Event::BtwBegin { id: id.clone(), question: question.clone() });
    let answer = tokio::select! {
        biased;
        () = cancel.cancelled() => Err("cancelled".to_owned()),
        answer = ask(core, &id, question, cancel) => answer,
    };
    let (response, error) = match answer {
        Ok(response) => (Some(response), None),
        Err(error) => (None, Some(error)),
    };
    core.hub.event(Event::BtwEnd { id, response, error });
}

/// The answer, or one line about why there is none.
async fn ask(
    core: &Arc<Core>,
    id: &str,
    question: String,
    cancel: &CancellationToken,
) -> Result<String, String> {
    let llm = core.llm().ok_or("LLM not set: choose a model with /model")?;
    let paid_for = || match core.meter.spent(core.env.clock.instant()) {
        Some(spent) => Err(spent.to_string()),
        None => Ok(()),
    };
    paid_for()?;
    let (system, mut messages, tokens) = {
        let context = core.context.lock().await;
        let mut messages = context.request_messages();
        // A call that runs has no result yet, and no provider takes a call without one.
        let open = open_calls(&messages);
        let still = ToolReturnValue::error(STILL_RUNS, "Still running");
        let ids = open.iter().filter_map(|result| result.tool_call_id.as_deref());
        messages.extend(ids.map(|id| Message::tool_result(id, &still)).collect::<Vec<_>>());
        (context.system_prompt().to_owned(), messages, context.tokens())
    };
    let asked = ContentPart::text(format!("{REMINDER}\n\n{question}"));
    match messages.last_mut() {
        Some(last) if last.role == Role::User => last.content.push(asked),
        _ => messages.push(Message::user(vec![asked])),
    }
    let offered = offered(core, system, cancel).await;
    for _ in 0..MAX_REQUESTS {
        paid_for()?;
        let request = ChatRequest {
            system: &offered.system,
            tools: &offered.tools,
            messages: &messages,
            context_tokens: tokens,
        };
        let answer = patiently(core, &llm, id, request).await.map_err(|error| error.to_string())?;
        let message = answer.message(|| core.env.ids.uuid());
        if message.tool_calls.is_empty() {
            return Ok(message.text().trim().to_owned());
        }
        let refused = ToolReturnValue::error(REFUSED, "Refused");
        let results: Vec<Message> = message
            .tool_calls
            .iter()
            .map(|call| Message::tool_result(&call.id, &refused))
            .collect();
        messages.push(message);
        messages.extend(results);
    }
    Err("the model called tools instead of answering".to_owned())
}

/// One request, with its retries.
async fn patiently(
    core: &Core,
    llm: &Llm,
    id: &str,
    request: ChatRequest<'_>,
) -> Result<Assembler, LlmError> {
    let policy = RetryPolicy { max_attempts: core.limits.max_retries_per_step };
    let mut failed_attempts = 0;
    loop {
        let error = match attempt(core, llm, id, request).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        failed_attempts += 1;
        match policy.wait_before(failed_attempts, &error, core.env.clock.jitter()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(error),
        }
    }
}

async fn attempt(
    core: &Core,
    llm: &Llm,
    id: &str,
    request: ChatRequest<'_>,
) -> Result<Assembler, LlmError> {
    let mut stream = llm.provider.stream(request).await?;
    let mut answer = Assembler::default();
    let mut fresh = true;
    while let Some(delta) = stream.next().await {
        let delta = delta?;
        if let Delta::Text(text) = &delta
            && !text.is_empty()
        {
            core.hub.event(Event::BtwText { id: id.to_owned(), text: text.clone(), fresh });
            fresh = false;
        }
        answer.push(&delta);
    }
    if let Some(usage) = &answer.usage {
        core.meter.count(usage, llm.prices.as_ref());
    }
    answer.check()?;
    Ok(answer)
}
