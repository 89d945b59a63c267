//! A tool of a server as a tool of its own.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::invoke::{Invoker, Target};
use crate::mcp::{catalog, schema};
use crate::tools::{CallContext, Effect, Tool, ToolReturn};

/// The tool.
pub(super) struct DirectTool {
    /// The name that the model knows.
    qualified: String,
    target: Target,
    description: String,
    invoker: Arc<Invoker>,
}

impl DirectTool {
    pub fn new(tool: &catalog::Tool<'_>, invoker: Arc<Invoker>) -> Self {
        let said =
            if tool.description.is_empty() { "It has no description." } else { tool.description };
        let description = format!("A tool of the MCP server `{}`. {said}", tool.server);
        let qualified = tool.qualified.to_owned();
        Self { qualified, target: Target::new(tool), description, invoker }
    }
}

#[async_trait]
impl Tool for DirectTool {
    fn name(&self) -> &str {
        &self.qualified
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        schema::offered(&self.target.schema)
    }

    fn check(&self, arguments: Value) -> Result<Value, String> {
        match arguments {
            // The call itself holds them against the schema, and mends nothing.
            Value::Object(_) => Ok(arguments),
            _ => Err("expected an object".to_owned()),
        }
    }

    fn effect(&self, _: &Value) -> Effect {
        self.target.effect()
    }

    fn in_plan_mode(&self, _: &Value) -> Option<Result<(), String>> {
        Some(Ok(()))
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let Value::Object(arguments) = arguments else {
            return ToolReturn::from(crate::protocol::ToolReturnValue::error(
                "The arguments are no object.",
                "Invalid arguments",
            ));
        };
        self.invoker.run(&self.target, arguments, cx).await
    }
}
