//! What hooks hear of a call, before it and after it.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use crate::customize::hooks::{Occasion, ToolUse};
use crate::protocol::{ToolCall, ToolReturnValue};
use crate::tools::{Tool, ToolReturn, parse_arguments};

/// A call that may run.
pub(super) struct Passed {
    /// What the tool gets.
    pub arguments: Value,
    call: ToolUse,
}

/// Why a call may not run.
pub(super) enum Stopped {
    /// This is its result.
    Answered(Box<ToolReturn>),
    Cancelled,
}

/// Asks the hooks about a call. It comes before everything that could let the call go ahead, whatever
/// the modes are and whoever makes the call.
pub(super) async fn before(
    core: &Core,
    cancel: &CancellationToken,
    call: &ToolCall,
    tool: &Arc<dyn Tool>,
    arguments: Value,
) -> Result<Passed, Stopped> {
    let answered = |value: ToolReturnValue| Stopped::Answered(Box::new(value.into()));
    let written = parse_arguments(call.arguments()).map_err(answered)?;
    let meant = match tool.meant(arguments, written.clone(), cancel).await {
        Ok(meant) => meant,
        Err(value) => {
            let name = tool.name().to_owned();
            let used = ToolUse { name, input: written, call_id: call.id.clone() };
            after(core, &used, Some(&value));
            return Err(answered(value));
        }
    };
    let call = ToolUse { name: meant.name, input: meant.input, call_id: call.id.clone() };
    allowed(core, cancel, &call).await?;
    Ok(Passed { arguments: meant.arguments, call })
}

/// A call whose arguments do not fit its tool, or whose tool there is not, so that `value` is its result.
/// Hooks hear of it as of any other that can be read, before it is held against the tool's schema
/// (tools.md section 2), and that it failed. `name` is what the tool is called.
pub(super) async fn unfit(
    core: &Core,
    cancel: &CancellationToken,
    call: &ToolCall,
    name: &str,
    value: ToolReturnValue,
) -> Stopped {
    let written = parse_arguments(call.arguments());
    let legible = written.is_ok();
    let input = written.unwrap_or_else(|_| Value::Object(Default::default()));
    let used = ToolUse { name: name.to_owned(), input, call_id: call.id.clone() };
    if legible && let Err(stopped) = allowed(core, cancel, &used).await {
        return stopped;
    }
    after(core, &used, Some(&value));
    Stopped::Answered(Box::new(value.into()))
}

/// Whether the hooks let a call through.
async fn allowed(core: &Core, cancel: &CancellationToken, call: &ToolUse) -> Result<(), Stopped> {
    let verdict = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(Stopped::Cancelled),
        verdict = core.hooks.fire(Occasion::pre_tool_use(call)) => verdict,
    };
    let Some(reason) = verdict.block else { return Ok(()) };
    let reason = match reason.is_empty() {
        true => format!("A hook does not allow this call of {}.", call.name),
        false => reason,
    };
    Err(Stopped::Answered(Box::new(ToolReturnValue::error(reason, "Hook blocked").into())))
}

impl Passed {
    /// The call as it was made, and what the tool gets.
    pub fn split(self) -> (ToolUse, Value) {
        (self.call, self.arguments)
    }
}

/// Tells the hooks how a call ended; nobody waits for them. `None`: it was cut off.
pub(super) fn after(core: &Core, call: &ToolUse, value: Option<&ToolReturnValue>) {
    let said = |value: &ToolReturnValue| {
        let output = value.output.text();
        match (value.is_error, output.is_empty()) {
            (true, _) if !value.message.is_empty() => value.message.clone(),
            (false, true) => value.message.clone(),
            _ => output,
        }
    };
    let occasion = match value {
        Some(value) if !value.is_error => Occasion::post_tool_use(call, &said(value)),
        Some(value) => Occasion::post_tool_use_failure(call, &said(value)),
        None => Occasion::post_tool_use_failure(call, "The user interrupted this call."),
    };
    core.hooks.fire_later(occasion);
}
