//! Checkpoints that the model is told of, and the way back to one of them (agent-loop.md section 7).
//!
//! An agent that has `SendDMail` sees a mark at every checkpoint. A message it sends to one takes
//! the place of everything that was said after it. Files stay as they are.

use super::compaction;
use super::context::Context;
use super::core::Core;
use super::notifications::is_notification;
use super::repeat::RepeatGuard;
use super::step::StepEnd;
use super::turn::Turn;
use crate::llm::{Message, Role};
use crate::protocol::{Event, StopReason};
use crate::store::StoreError;
use crate::tools::SendDMail;

const MARK: &str = "<system>CHECKPOINT ";
const MARK_END: &str = "</system>";

const LETTER: &str = "A D-Mail from your future self has arrived: you were further than this and chose \
     to come back here. Files and other things outside the conversation may already be changed by what \
     you did. Go on with the user's request in the light of it, and do not mention it to the user. It \
     says:";

/// Marks a place that the conversation can return to, also for the model if it can send mail there.
pub(super) fn checkpoint(core: &Core, context: &mut Context) -> Result<(), StoreError> {
    let id = context.checkpoint()?;
    if core.registry.get(SendDMail::NAME).is_some() {
        context.push(Message::user_text(format!("{MARK}{id}{MARK_END}")))?;
        core.mail.open_to(context.messages().iter().filter_map(marked).collect());
    }
    Ok(())
}

/// The checkpoint that a message is the mark of.
pub(super) fn marked(message: &Message) -> Option<u64> {
    if message.role != Role::User {
        return None;
    }
    let [part] = message.content.as_slice() else { return None };
    part.as_text()?.strip_prefix(MARK)?.strip_suffix(MARK_END)?.parse().ok()
}

/// Delivers the mail of a step that ended, if there is any: the turn goes on at its checkpoint. A
/// rejection by the user outweighs it.
pub(super) async fn deliver(turn: &mut Turn<'_>, end: StepEnd) -> Result<StepEnd, StoreError> {
    let core = turn.core;
    let Some(mail) = core.mail.take() else { return Ok(end) };
    if end == StepEnd::Stop(StopReason::ToolRejected) {
        return Ok(end);
    }
    let tokens = {
        let mut context = core.context.lock().await;
        let before = context.messages().to_vec();
        let of_turn = compaction::of_turn(&before);
        context.revert(mail.checkpoint)?;
        let stays = context.messages().len();
        checkpoint(core, &mut context)?;
        // The model takes back what it has done itself: not what the user wants of it, nor what has
        // happened meanwhile.
        for (n, message) in before.into_iter().enumerate().skip(stays) {
            if of_turn.contains(&n) || is_notification(&message) {
                context.push(message)?;
            }
        }
        if let Some(running) = compaction::running_tasks(core) {
            context.push(running)?;
        }
        let letter = format!("<system>{LETTER}\n\n{}</system>", mail.message);
        context.push(Message::user_text(letter))?;
        context.tokens()
    };
    core.forget_shown();
    turn.repeats = RepeatGuard::default();
    let max = core.llm().map_or(0, |llm| llm.max_context);
    core.hub.event(Event::StatusUpdate(core.context_status(tokens, max)));
    Ok(StepEnd::Continue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ContentPart;

    #[test]
    fn only_whole_marks_of_ours_are_marks() {
        let said = |text: &str| marked(&Message::user_text(text));
        assert_eq!(said("<system>CHECKPOINT 7</system>"), Some(7));
        for other in
            ["CHECKPOINT 7", "<system>CHECKPOINT 7</system> x", "<system>CHECKPOINT -1</system>"]
        {
            assert_eq!(said(other), None, "{other}");
        }
        let parts = vec![ContentPart::text("<system>CHECKPOINT 7</system>")];
        assert_eq!(marked(&Message::assistant(parts, Vec::new())), None);
    }
}
