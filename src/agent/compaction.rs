//! Makes a long conversation short: a summary takes the place of all but its end.

mod quote;
mod trim;

use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

pub(super) use self::quote::of_turn;
use self::trim::Reach;
use super::core::{Core, Limits};
use super::dmail::marked;
use super::spending::Exhausted;
use crate::customize::hooks::{CompactTrigger, Occasion};
use crate::llm::{Assembler, ChatRequest, Llm, LlmError, Message, RetryPolicy, Role, estimate};
use crate::protocol::{ContentPart, Event};
use crate::store::StoreError;
use crate::tasks::active_list;

const SYSTEM: &str = include_str!("../../assets/prompts/compaction_system.md");
const INSTRUCTION: &str = include_str!("../../assets/prompts/compaction.md");

/// User and assistant messages at the end that stay as they are, with the tool results after them.
const KEPT_MESSAGES: usize = 2;
/// Characters of one message that the summariser sees.
const MESSAGE_LIMIT: usize = 8_000;

/// How often the text for the summariser is halved when the provider finds it too long.
const MOST_SHORTENED: u32 = 3;

pub(super) const SUMMARY_PREFACE: &str =
    "<system>Previous context has been compacted. Here is the compaction output:</system>";
pub(super) const DROPPED_PREFACE: &str = "<system>The beginning of this conversation is gone: it was longer than the \
     context window, and no summary could be made. Look at the files again rather than guess.</system>";

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
    #[error("{0}")]
    Exhausted(Exhausted),
}

/// Tokens before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compacted {
    pub before: u64,
    pub after: u64,
}

/// Decides within a turn when to make room without being asked.
#[derive(Debug, Default)]
pub(super) struct AutoCompact {
    /// After an attempt that did not help, tokens below which there is no other one: without this
    /// a kept end that is too long would be summarised anew before every step.
    not_below: u64,
    /// Our own count right after the last summary, of all and of the messages alone.
    after: Option<(u64, u64)>,
}

impl AutoCompact {
    /// Makes room when the context is nearly full (agent-loop.md section 8): first long results lose
    /// their middle, which costs no request, and those that the model has not answered yet only when
    /// the others are not enough; only when all of them are not is there a summary.
    pub async fn when_full(
        &mut self,
        core: &Arc<Core>,
        cancel: &CancellationToken,
    ) -> Result<(), CompactionError> {
        let Some(llm) = core.llm().filter(|llm| llm.max_context > 0) else { return Ok(()) };
        let tokens = core.context.lock().await.tokens();
        let limit = compacts_at(&core.limits, llm.max_context);
        if tokens < limit || tokens < self.not_below {
            return Ok(());
        }
        // A provider that counts otherwise, or whose system prompt is what fills the window: what was
        // summarised a step ago would be summarised again before every step.
        if let Some((left, messages)) = self.after.take() {
            let grown = own_count(core).await.saturating_sub(messages);
            if left.saturating_add(grown) < limit {
                self.not_below = tokens.saturating_add(llm.max_context / 10);
                return Ok(());
            }
        }
        let target = limit / 5 * 3;
        let mut trimmed = trim_results(core, &llm, Reach::BeforeLastStep, target).await?;
        if trimmed.is_none() {
            trimmed = trim_results(core, &llm, Reach::All, target).await?;
        }
        let result = match trimmed {
            Some(_) => Ok(()),
            None => run(core, Reason::Full, cancel).await.map(drop),
        };
        let left = core.context.lock().await.tokens();
        if left >= limit {
            self.not_below = left.saturating_add(llm.max_context / 10);
        }
        self.after = Some((left, own_count(core).await));
        result
    }
}

/// Tokens of all messages, as we estimate them.
async fn own_count(core: &Core) -> u64 {
    estimate::messages_tokens(core.context.lock().await.messages())
}

/// Tokens from which on the conversation is compacted by itself, in a window of `max`. The reserve
/// only counts in windows of more than twice its size: in smaller ones nothing else would fit.
pub(super) fn compacts_at(limits: &Limits, max: u64) -> u64 {
    let by_share = (max as f64 * limits.compaction_trigger_ratio).ceil() as u64;
    let reserved = limits.reserved_context;
    if max > reserved.saturating_mul(2) { by_share.min(max - reserved) } else { by_share }
}

/// Takes the middle out of long results, if the context has at most `target` tokens then. Tells the
/// tokens that are left, or `None` when it was not worth it and nothing was changed.
async fn trim_results(
    core: &Arc<Core>,
    llm: &Llm,
    reach: Reach,
    target: u64,
) -> Result<Option<u64>, CompactionError> {
    let mut context = core.context.lock().await;
    // Nothing is written to a file that would not be named anywhere.
    let saving = trim::saving(context.messages(), reach);
    if context.tokens().saturating_sub(saving) > target {
        return Ok(None);
    }
    let Some(trimmed) = trim::trim(context.messages(), reach, &core.spill_dir()) else {
        return Ok(None);
    };
    let after = context.tokens().saturating_sub(trimmed.saved);
    if after > target {
        return Ok(None);
    }
    core.hub.event(Event::CompactionBegin {});
    let result = context.rewrite(trimmed.messages, after);
    drop(context);
    if result.is_ok() {
        core.forget_shown();
        core.hub.event(Event::StatusUpdate(core.context_status(after, llm.max_context)));
    }
    core.hub.event(Event::CompactionEnd {});
    result?;
    Ok(Some(after))
}

/// Why the conversation is compacted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason<'a> {
    /// There is no room left.
    Full,
    /// The user asked for it, and said what to keep unless it is empty.
    Asked { focus: &'a str },
}

impl<'a> Reason<'a> {
    fn focus(self) -> Option<&'a str> {
        match self {
            Self::Asked { focus } if !focus.is_empty() => Some(focus),
            _ => None,
        }
    }

    fn trigger(self) -> CompactTrigger {
        match (self, self.focus()) {
            (Self::Full, _) => CompactTrigger::Auto,
            (Self::Asked { .. }, None) => CompactTrigger::Manual,
            (Self::Asked { .. }, Some(_)) => CompactTrigger::ManualWithPrompt,
        }
    }
}

/// Compacts now: a summary takes the place of all but the end. `None` when there is nothing to
/// summarise.
pub(super) async fn run(
    core: &Arc<Core>,
    reason: Reason<'_>,
    cancel: &CancellationToken,
) -> Result<Option<Compacted>, CompactionError> {
    let llm = core.llm().ok_or(CompactionError::NoModel)?;
    let (old, kept, quoted, before) = {
        let context = core.context.lock().await;
        let messages = context.messages();
        let at = split_to_fit(messages, llm.max_context);
        let quoted = quote::before(messages, at);
        (messages[..at].to_vec(), messages[at..].to_vec(), quoted, context.tokens())
    };
    if old.is_empty() {
        return match reason {
            Reason::Full => Ok(None),
            // All that is there may still be too long.
            Reason::Asked { .. } => cut_results(core).await,
        };
    }
    core.hub.event(Event::CompactionBegin {});
    let result = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(CompactionError::Cancelled),
        _ = core.hooks.fire(Occasion::pre_compact(reason.trigger(), before)) => {
            summarise(core, &llm, &old, reason.focus(), cancel).await
        }
    };
    let result = match result {
        Ok(summary) => {
            let begin = vec![ContentPart::text(SUMMARY_PREFACE), ContentPart::text(summary)];
            replace(core, &llm, opening(begin, &quoted), kept).await
        }
        Err(error) => Err(error),
    };
    core.hub.event(Event::CompactionEnd {});
    if let Ok(after) = &result {
        core.hooks.fire_later(Occasion::post_compact(reason.trigger(), *after));
    }
    result.map(|after| Some(Compacted { before, after }))
}

/// Leaves out the beginning without a summary: the last resort when the provider refuses the
/// conversation for its length and cannot summarise it either. `None` when there is nothing to leave
/// out.
pub(super) async fn drop_oldest(core: &Arc<Core>) -> Result<Option<Compacted>, CompactionError> {
    let llm = core.llm().ok_or(CompactionError::NoModel)?;
    let (begin, kept, before) = {
        let context = core.context.lock().await;
        let messages = context.messages();
        let at = last_step(messages);
        let note = vec![ContentPart::text(DROPPED_PREFACE)];
        let begin = opening(note, &quote::before(messages, at));
        // The user's words stay, and so does the note: where there is little else, nothing would be gained.
        let gone = estimate::messages_tokens(&messages[..at]);
        if estimate::messages_tokens(std::slice::from_ref(&begin)) >= gone {
            return Ok(None);
        }
        (begin, messages[at..].to_vec(), context.tokens())
    };
    core.hub.event(Event::CompactionBegin {});
    let result = replace(core, &llm, begin, kept).await;
    core.hub.event(Event::CompactionEnd {});
    if result.is_ok() {
        tell_of_the_loss(core);
    }
    result.map(|after| Some(Compacted { before, after }))
}

/// What the user would not see otherwise: the model no longer knows what was said.
fn tell_of_the_loss(core: &Core) {
    let title = "The beginning of the conversation was left out.".to_owned();
    let body = "The provider found it too long, and no summary could be made. /undo brings it back; set the \
                model's max_context_size to what the provider takes.";
    let payload = serde_json::json!({});
    core.tell("session.beginning_left_out", title, body.to_owned(), "warning", payload);
}

/// Takes the middle out of all long results, also of those that the model has not seen yet: what one
/// can do about a conversation whose end is what makes it too long. `None` when there are none.
pub(super) async fn cut_results(core: &Arc<Core>) -> Result<Option<Compacted>, CompactionError> {
    let llm = core.llm().ok_or(CompactionError::NoModel)?;
    let before = core.context.lock().await.tokens();
    let after = trim_results(core, &llm, Reach::All, u64::MAX).await?;
    Ok(after.map(|after| Compacted { before, after }))
}

/// Whether long results, wherever they are, make up a good part of the conversation: then they are cut
/// first, which costs no request and leaves what was said as it is.
pub(super) async fn results_weigh(core: &Core) -> bool {
    let context = core.context.lock().await;
    let messages = context.messages();
    trim::saving(messages, Reach::All).saturating_mul(3)
        >= estimate::messages_tokens(messages).max(1)
}

/// What stands for the part that goes: `begin`, and the user's messages that the kept end lacks.
fn opening(mut begin: Vec<ContentPart>, quoted: &[String]) -> Message {
    begin.extend(quoted.iter().map(|words| quote::part(words)));
    Message::user(begin)
}

/// Puts `begin` and the kept end in place of the conversation. Where that is still too long for the
/// window, long results lose their middle.
async fn replace(
    core: &Arc<Core>,
    llm: &Llm,
    begin: Message,
    kept: Vec<Message>,
) -> Result<u64, CompactionError> {
    let mut messages = vec![begin];
    messages.extend(kept);
    messages.extend(running_tasks(core));
    let mut context = core.context.lock().await;
    context.renew_prompt();
    let tools = core.specs();
    let tokens = |messages: &[Message]| context.estimated(&tools, messages);
    let mut after = tokens(&messages);
    if llm.max_context > 0
        && after >= compacts_at(&core.limits, llm.max_context)
        && let Some(trimmed) = trim::trim(&messages, Reach::All, &core.spill_dir())
    {
        messages = trimmed.messages;
        after = tokens(&messages);
    }
    context.rewrite(messages, after)?;
    drop(context);
    core.forget_shown();
    core.hub.event(Event::StatusUpdate(core.context_status(after, llm.max_context)));
    Ok(after)
}

/// Tells a model that no longer knows what it has started: it would otherwise do it again.
pub(super) fn running_tasks(core: &Core) -> Option<Message> {
    let list = active_list(&core.own_tasks()?.active())?;
    Some(Message::user_text(format!(
        "<system>These background tasks are still running. Do not start them again.</system>\n{list}"
    )))
}

/// Where the kept end begins: usually the last two messages with what follows them. When these alone
/// fill half of the window, as one long turn does, it is the last step.
fn split_to_fit(messages: &[Message], max: u64) -> usize {
    let (at, _) = split(messages);
    let kept = estimate::messages_tokens(&messages[at..]);
    if max > 0 && kept.saturating_mul(2) >= max { last_step(messages) } else { at }
}

/// Whether the user or the model says something in it; marks of checkpoints are not said.
fn is_said(message: &Message) -> bool {
    matches!(message.role, Role::User | Role::Assistant) && marked(message).is_none()
}

/// Where the last message of the user or the model is.
fn last_step(messages: &[Message]) -> usize {
    messages.iter().rposition(is_said).unwrap_or(0)
}

/// Where the kept end begins, and how many messages count for it.
fn split(messages: &[Message]) -> (usize, usize) {
    let mut counted = 0;
    for (at, message) in messages.iter().enumerate().rev() {
        if is_said(message) {
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
    let mut budget = if llm.max_context == 0 { 400_000 } else { llm.max_context as usize * 3 };
    let mut messages = [Message::user_text(transcript(old, focus, budget))];
    let mut shortened = 0;
    let policy = RetryPolicy { max_attempts: core.limits.max_retries_per_step };
    let mut failed_attempts = 0;
    loop {
        if let Some(exhausted) = core.exhausted() {
            return Err(CompactionError::Exhausted(exhausted));
        }
        let work = async {
            let request =
                ChatRequest { system: SYSTEM, tools: &[], messages: &messages, context_tokens: 0 };
            let mut stream = llm.provider.stream(request).await?;
            let mut answer = Assembler::default();
            while let Some(delta) = stream.next().await {
                answer.push(&delta?);
            }
            if let Some(usage) = &answer.usage {
                core.charge(usage, llm);
            }
            answer.check()?;
            let summary = answer.message(String::new).text();
            // A call of a tool that it was not offered is no summary of anything.
            match summary.trim().is_empty() {
                true => Err(LlmError::Empty("the summary is empty".to_owned())),
                false => Ok(summary),
            }
        };
        let error = tokio::select! {
            () = cancel.cancelled() => return Err(CompactionError::Cancelled),
            result = work => match result {
                Ok(summary) => return Ok(summary),
                Err(error) => error,
            },
        };
        if error.context_overflow() && shortened < MOST_SHORTENED {
            shortened += 1;
            // Half of what was refused: the window may be much smaller than it is said to be.
            budget = budget.min(messages[0].text().len()) / 2;
            messages = [Message::user_text(transcript(old, focus, budget))];
            continue;
        }
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
    match trim::ends(text, MESSAGE_LIMIT) {
        None => out.push_str(text),
        Some((head, left_out, tail)) => {
            let _ = write!(out, "{head}\n[... {left_out} characters left out ...]\n{tail}");
        }
    }
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
