//! Makes a long conversation short: a summary takes the place of all but its end.

use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use crate::llm::{Assembler, ChatRequest, Llm, LlmError, Message, RetryPolicy, Role, estimate};
use crate::protocol::{ContentPart, Event};
use crate::store::StoreError;

const SYSTEM: &str = include_str!("../../assets/prompts/compaction_system.md");
const INSTRUCTION: &str = include_str!("../../assets/prompts/compaction.md");

/// User and assistant messages at the end that stay as they are, with the tool results after them.
const KEPT_MESSAGES: usize = 2;
/// Characters of one message that the summariser sees.
const MESSAGE_LIMIT: usize = 8_000;

/// Why a conversation could not be compacted.
#[derive(Debug, thiserror::Error)]
pub(super) enum CompactionError {
    #[error("no model is set")]
    NoModel,
    #[error("the summary failed: {0}")]
    Llm(#[from] LlmError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("interrupted")]
    Cancelled,
}

/// Tokens before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compacted {
    pub before: u64,
    pub after: u64,
}

/// Decides within a turn when to compact without being asked.
#[derive(Debug, Default)]
pub(super) struct AutoCompact {
    /// After an attempt that did not help, tokens below which there is no other one: without this
    /// a kept end that is too long would be summarised anew before every step.
    not_below: u64,
}

impl AutoCompact {
    /// Compacts when the context is nearly full (agent-loop.md section 8).
    pub async fn when_full(
        &mut self,
        core: &Arc<Core>,
        cancel: &CancellationToken,
    ) -> Result<(), CompactionError> {
        let Some(llm) = core.llm().filter(|llm| llm.max_context > 0) else { return Ok(()) };
        let (tokens, summarisable) = {
            let context = core.context.lock().await;
            (context.tokens(), split(context.messages()).0 > 0)
        };
        // With nothing before the kept end a summary would only add to it.
        if !is_full(core, tokens, llm.max_context) || !summarisable || tokens < self.not_below {
            return Ok(());
        }
        let result = run(core, None, cancel).await;
        let left = core.context.lock().await.tokens();
        if is_full(core, left, llm.max_context) {
            self.not_below = left.saturating_add(llm.max_context / 10);
        }
        result.map(drop)
    }
}

fn is_full(core: &Core, tokens: u64, max: u64) -> bool {
    let reserved = core.limits.reserved_context;
    tokens as f64 >= max as f64 * core.limits.compaction_trigger_ratio
        || (max > reserved * 2 && tokens.saturating_add(reserved) >= max)
}

/// Compacts now. `None` when there is nothing to summarise.
pub(super) async fn run(
    core: &Arc<Core>,
    focus: Option<&str>,
    cancel: &CancellationToken,
) -> Result<Option<Compacted>, CompactionError> {
    let llm = core.llm().ok_or(CompactionError::NoModel)?;
    let (old, kept, before) = {
        let context = core.context.lock().await;
        let messages = context.messages();
        let (at, _) = split(messages);
        (messages[..at].to_vec(), messages[at..].to_vec(), context.tokens())
    };
    if old.is_empty() {
        return Ok(None);
    }
    core.hub.event(Event::CompactionBegin {});
    let result = summarise(core, &llm, &old, focus, cancel).await;
    let result = match result {
        Ok(summary) => replace(core, &llm, &summary, kept).await,
        Err(error) => Err(error),
    };
    core.hub.event(Event::CompactionEnd {});
    result.map(|after| Some(Compacted { before, after }))
}

async fn replace(
    core: &Arc<Core>,
    llm: &Llm,
    summary: &str,
    kept: Vec<Message>,
) -> Result<u64, CompactionError> {
    let preface =
        "<system>Previous context has been compacted. Here is the compaction output:</system>";
    let mut messages =
        vec![Message::user(vec![ContentPart::text(preface), ContentPart::text(summary)])];
    messages.extend(kept);
    // It would otherwise start them again.
    messages.extend(crate::tasks::active_list(&core.tasks.active()).map(|list| {
        Message::user_text(format!(
            "<system>These background tasks are still running. Do not start them again.</system>\n{list}"
        ))
    }));
    let mut context = core.context.lock().await;
    let after = estimate::request_tokens(&ChatRequest {
        system: context.system_prompt(),
        tools: &core.specs,
        messages: &messages,
        context_tokens: 0,
    });
    context.rewrite(messages, after)?;
    drop(context);
    core.forget_shown();
    core.hub.event(Event::StatusUpdate(core.context_status(after, llm.max_context)));
    Ok(after)
}

/// Where the kept end begins, and how many messages count for it.
fn split(messages: &[Message]) -> (usize, usize) {
    let mut counted = 0;
    for (at, message) in messages.iter().enumerate().rev() {
        if matches!(message.role, Role::User | Role::Assistant) {
            counted += 1;
            if counted == KEPT_MESSAGES {
                return (at, counted);
            }
        }
    }
    (0, counted)
}

async fn summarise(
    core: &Arc<Core>,
    llm: &Llm,
    old: &[Message],
    focus: Option<&str>,
    cancel: &CancellationToken,
) -> Result<String, CompactionError> {
    let budget = if llm.max_context == 0 { 400_000 } else { llm.max_context as usize * 3 };
    let messages = [Message::user_text(transcript(old, focus, budget))];
    let policy = RetryPolicy { max_attempts: core.limits.max_retries_per_step };
    let mut failed_attempts = 0;
    loop {
        let work = async {
            let request =
                ChatRequest { system: SYSTEM, tools: &[], messages: &messages, context_tokens: 0 };
            let mut stream = llm.provider.stream(request).await?;
            let mut answer = Assembler::default();
            while let Some(delta) = stream.next().await {
                answer.push(&delta?);
            }
            answer.check()?;
            Ok::<_, LlmError>(answer.message(String::new).text())
        };
        let error = tokio::select! {
            () = cancel.cancelled() => return Err(CompactionError::Cancelled),
            result = work => match result {
                Ok(summary) => return Ok(summary),
                Err(error) => error,
            },
        };
        failed_attempts += 1;
        let Some(wait) = policy.wait_before(failed_attempts, &error, core.env.clock.jitter())
        else {
            return Err(error.into());
        };
        tokio::select! {
            () = cancel.cancelled() => return Err(CompactionError::Cancelled),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The conversation as one text of at most `budget` bytes or so: when it is longer, the oldest
/// messages give way.
fn transcript(messages: &[Message], focus: Option<&str>, budget: usize) -> String {
    let mut entries = Vec::with_capacity(messages.len());
    let mut size = 0;
    for (n, message) in messages.iter().enumerate().rev() {
        let mut entry = format!("## Message {} ({})\n", n + 1, role_word(message.role));
        push_cut(&mut entry, &message.text());
        for call in &message.tool_calls {
            let _ = write!(entry, "\n[call {} ", call.function.name);
            push_cut(&mut entry, call.arguments());
            entry.push(']');
        }
        size += entry.len();
        if size > budget && !entries.is_empty() {
            entries.push("(older messages left out: too long)".to_owned());
            break;
        }
        entries.push(entry);
    }
    entries.reverse();
    let mut text = entries.join("\n\n");
    text.push_str("\n\n---\n\n");
    text.push_str(INSTRUCTION);
    if let Some(focus) = focus {
        let _ =
            write!(text, "\n\nThe user asks that the summary keeps this above all else: {focus}");
    }
    text
}

/// The text, with the middle of a very long one left out.
fn push_cut(out: &mut String, text: &str) {
    let count = text.chars().count();
    if count <= MESSAGE_LIMIT {
        out.push_str(text);
        return;
    }
    let half = MESSAGE_LIMIT / 2;
    out.extend(text.chars().take(half));
    let _ = write!(out, "\n[... {} characters left out ...]\n", count - MESSAGE_LIMIT);
    out.extend(text.chars().skip(count - half));
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool result",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToolCall;

    #[test]
    fn the_end_is_kept_with_its_tool_results() {
        let messages = [
            Message::user_text("one"),
            Message::assistant(vec![ContentPart::text("two")], vec![]),
            Message::user_text("three"),
            Message::assistant(vec![], vec![ToolCall::new("c", "Glob", "{}")]),
            Message::tool_result("c", &crate::protocol::ToolReturnValue::ok("x", "")),
        ];
        assert_eq!(split(&messages), (2, 2));
        assert_eq!(split(&messages[..1]), (0, 1));
    }

    #[test]
    fn a_long_conversation_loses_its_oldest_messages() {
        let messages: Vec<_> =
            (0..100).map(|n| Message::user_text(format!("{n} {}", "x".repeat(100)))).collect();
        let text = transcript(&messages, Some("the tests"), 2_000);
        assert!(text.len() < 4_500, "{}", text.len());
        assert!(text.contains("99 xxx") && !text.contains("\n1 xxx"));
        assert!(text.contains("older messages left out") && text.contains("the tests"));
    }
}
