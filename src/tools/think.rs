//! `Think`: a place for the model to think aloud.

use async_trait::async_trait;
use serde_json::Value;

use super::{CallContext, Effect, Tool, ToolReturn, schema};
use crate::protocol::ToolReturnValue;

/// Takes a thought and does nothing with it.
pub struct Think;

#[async_trait]
impl Tool for Think {
    fn name(&self) -> &'static str {
        "Think"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/think.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(&[("thought", schema::string("The thought."))], &["thought"])
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, _: Value, _: &CallContext) -> ToolReturn {
        ToolReturnValue::ok("", "Thought logged").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::Bench;

    #[tokio::test]
    async fn a_thought_is_logged() {
        let value = Bench::new().run(&Think, serde_json::json!({"thought": "hm"})).await;
        assert_eq!(value, ToolReturnValue::ok("", "Thought logged"));
    }
}
