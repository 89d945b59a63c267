//! What the model is reminded of before a request: the state of modes that bear on its work
//! (agent-loop.md section 9). A reminder is a user message of the history like any other, so that
//! requests only grow at their end.
//!
//! Whether one is due is read off the history itself. That holds through a resume, and once the
//! history is cleared or summarised the reminder is due again.

use crate::llm::{Message, Role};
use crate::store::StoreError;

use super::core::Core;

/// A kind of reminder: its text when it is due.
type Kind = fn(&Core, &[Message]) -> Option<String>;

const KINDS: [Kind; 3] = [unattended, super::plan::reminder::due, super::goal::due];

const AFK_ON: &str = "Unattended mode is on: nobody is at the terminal. Every action is approved without a \
     question, and questions are not answered. Decide for yourself, prefer what can be undone, and say \
     at the end what you decided and what is left for a person.";
const AFK_OFF: &str = "Unattended mode is off: somebody is at the terminal again. Questions are answered, \
     and actions may be refused.";

/// Adds the reminders that are due, as one message. A subagent has its task and no others: what a mode
/// keeps it from it is told by the call that tries.
pub(super) async fn add_due(core: &Core) -> Result<(), StoreError> {
    if core.source.is_some() {
        return Ok(());
    }
    let mut context = core.context.lock().await;
    let due: Vec<String> = KINDS
        .iter()
        .filter_map(|kind| kind(core, context.messages()))
        .map(|text| format!("<system-reminder>{text}</system-reminder>"))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    context.push(Message::user_text(due.join("\n")))
}

/// Unattended mode, where a person chose it for the session; print mode is unattended by nature and
/// its prompts know it.
fn unattended(core: &Core, messages: &[Message]) -> Option<String> {
    if !core.afk_reminder {
        return None;
    }
    let told = last_told(messages, &[AFK_OFF, AFK_ON]).unwrap_or(0) == 1;
    let is = core.desk.modes().afk;
    (is != told).then(|| if is { AFK_ON } else { AFK_OFF }.to_owned())
}

/// Which of these texts the history told last.
fn last_told(messages: &[Message], texts: &[&str]) -> Option<usize> {
    let reminders = messages.iter().rev().filter(|message| message.role == Role::User);
    reminders
        .map(Message::text)
        .filter(|text| text.contains("<system-reminder>"))
        .find_map(|text| texts.iter().position(|wanted| text.contains(wanted)))
}
