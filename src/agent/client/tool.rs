//! A tool that the program on the other side runs.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::BroughtTool;
use super::asking::Asking;
use crate::mcp::schema;
use crate::protocol::{ContentPart, ToolCallRequest, ToolOutput, ToolReturnValue};
use crate::store::to_spaced_json;
use crate::tools::output::{Collector, Limits};
use crate::tools::{CallContext, Effect, Tool, ToolReturn};

/// Most characters of a result that the model gets.
const LIMITS: Limits = Limits { total: 100_000, line: 100_000 };
/// Most characters of the remark about a result.
const MAX_MESSAGE: usize = 10_000;

/// The tool. The program does what it does under its own roof, so that nobody is asked for an approval
/// here; what it may do to the world is unknown.
pub(super) struct ExternalTool {
    tool: BroughtTool,
    asking: Arc<Asking>,
}

impl ExternalTool {
    pub fn new(tool: BroughtTool, asking: Arc<Asking>) -> Self {
        Self { tool, asking }
    }
}

#[async_trait]
impl Tool for ExternalTool {
    fn name(&self) -> &str {
        &self.tool.name
    }

    fn description(&self) -> &str {
        &self.tool.description
    }

    fn parameters(&self) -> Value {
        schema::offered(&self.tool.parameters)
    }

    fn check(&self, arguments: Value) -> Result<Value, String> {
        schema::fitting(&self.tool.parameters, arguments)
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let request = ToolCallRequest {
            id: cx.call_id.clone(),
            name: self.tool.name.clone(),
            // As kimi-cli writes it.
            arguments: Some(to_spaced_json(&arguments).trim_end().to_owned()),
        };
        let answer = tokio::select! {
            answer = self.asking.call(request) => answer,
            () = cx.cancel.cancelled() => None,
        };
        let value = answer.unwrap_or_else(|| {
            ToolReturnValue::error(
                "Agent turn ended before tool result was received.",
                "No result was received",
            )
        });
        fitted(value, cx).into()
    }
}

/// A result as the model can take it: bounded, and an error has words.
fn fitted(mut value: ToolReturnValue, cx: &CallContext) -> ToolReturnValue {
    let mut room = Collector::new(LIMITS, &cx.spill_dir, &cx.call_id);
    match &mut value.output {
        ToolOutput::Text(text) if text.len() > LIMITS.total => {
            room.push_str(text);
            let collected = room.finish();
            value.message = collected.message(&value.message);
            *text = collected.text;
        }
        ToolOutput::Text(_) => {}
        ToolOutput::Parts(parts) => {
            let texts = parts.iter().filter_map(ContentPart::as_text);
            if texts.clone().map(str::len).sum::<usize>() > LIMITS.total {
                texts.for_each(|text| room.push_str(text));
                let collected = room.finish();
                value.message = collected.message(&value.message);
                parts.retain(|part| part.as_text().is_none());
                parts.insert(0, ContentPart::text(collected.text));
            }
        }
    }
    if let Some((end, _)) = value.message.char_indices().nth(MAX_MESSAGE) {
        value.message.truncate(end);
    }
    if value.is_error && value.message.is_empty() {
        "The tool failed without saying why.".clone_into(&mut value.message);
    }
    value
}
