//! Plan mode as tools see it, and the two tools that switch it.

mod enter;
mod exit;

use std::path::PathBuf;

pub use enter::EnterPlanMode;
pub use exit::ExitPlanMode;

use crate::protocol::ToolReturnValue;

/// The session's plan mode: only reading goes on until a person approves a plan. What an
/// implementation leaves out is as it is without a session: nobody to ask, nothing written.
pub trait PlanMode: Send + Sync {
    /// Whether it is on.
    fn is_on(&self) -> bool;

    /// Whether it is switched on without asking: everything is approved anyway.
    fn is_entered_unasked(&self) -> bool {
        false
    }

    /// Whether a plan is approved without asking: nobody is there.
    fn is_left_unasked(&self) -> bool {
        false
    }

    /// Switches it and tells everybody. Nothing happens when it is so already.
    fn switch(&self, _on: bool) {}

    /// The file that the plan goes into, absolute; `None` while plan mode is off.
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// The plan as it is written so far; `None` when nothing is. The error is a sentence for the
    /// model.
    fn read(&self) -> Result<Option<String>, String> {
        Ok(None)
    }

    /// Shows the plan to whoever is there.
    fn show(&self, _content: &str) {}
}

/// Where there is no session to plan in: always off.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPlanMode;

impl PlanMode for NoPlanMode {
    fn is_on(&self) -> bool {
        false
    }
}

/// The result of a call of this tool that plan mode does not let through. `reason` says what the call
/// does, as the end of "Plan mode is on: ".
pub fn restricted(tool: &str, reason: &str) -> ToolReturnValue {
    ToolReturnValue::error(
        format!(
            "Plan mode is on: {reason}. Until the user has approved the plan only reading goes on; do \
             not try the same in another way."
        ),
        // As kimi-cli has it.
        if tool == "TaskStop" { "Blocked in plan mode" } else { "Plan mode restriction" },
    )
}

/// The result of a call of an agent that is there to look. `reason` says what the call does, as above.
pub fn only_reads(reason: &str) -> ToolReturnValue {
    ToolReturnValue::error(
        format!(
            "Agents of your type only read: {reason}. Do not try the same in another way; say in your \
             answer what would have to be done."
        ),
        "This agent only reads",
    )
}

/// What the model has to know to plan: said when plan mode begins.
fn workflow(file: Option<PathBuf>) -> String {
    let file = file.map_or_else(|| "its file".to_owned(), |file| format!("`{}`", file.display()));
    format!(
        "Nothing may be changed now, except the plan in {file}. Read what bears on the task, ask with \
         AskUserQuestion where only the user can decide, and write the plan with WriteFile: what is to \
         be done, in which files, in which order, and how it will be checked. Then call ExitPlanMode; \
         the user reads the plan and decides."
    )
}

#[cfg(test)]
mod tests;
