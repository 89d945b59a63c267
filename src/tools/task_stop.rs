//! `TaskStop`: ends a background task.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::task_list::{no_such_task, unavailable};
use super::{ApprovalAsk, CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::protocol::ToolReturnValue;
use crate::tasks;

/// Stops a background task.
pub struct TaskStop;

#[derive(Deserialize)]
struct Arguments {
    task_id: String,
    reason: String,
}

#[async_trait]
impl Tool for TaskStop {
    fn name(&self) -> &'static str {
        "TaskStop"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/task_stop.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("task_id", schema::string("The task.")),
                (
                    "reason",
                    json!({
                        "type": "string",
                        "default": "Stopped by TaskStop",
                        "description": "Why, in a few words."
                    }),
                ),
            ],
            &["task_id"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let Arguments { task_id, reason } = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        let Some(tasks) = &cx.tasks else { return unavailable().into() };
        let Some(view) = tasks.get(&task_id).await else { return no_such_task(&task_id).into() };
        if !view.is_active() {
            return ToolReturnValue::ok(tasks::block(&view), "The task is over already.")
                .with_display(tasks::display(&view))
                .into();
        }
        let ask = ApprovalAsk {
            call_id: cx.call_id.clone(),
            sender: self.name().to_owned(),
            action: "stop background task".to_owned(),
            description: format!("Stop background task `{task_id}` ({})", view.spec.description),
            display: vec![tasks::display(&view)],
        };
        if let Err(refused) = cx.approved(ask).await {
            return refused;
        }
        let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
        match tasks.stop(&task_id, reason.unwrap_or("Stopped by TaskStop")).await {
            Ok(Some(view)) => {
                let message = if view.is_active() {
                    "The task was asked to stop and has not ended yet."
                } else {
                    "The task is over."
                };
                ToolReturnValue::ok(tasks::block(&view), message)
                    .with_display(tasks::display(&view))
                    .into()
            }
            Ok(None) => no_such_task(&task_id).into(),
            Err(error) => {
                let message = format!("The task could not be stopped: {error}.");
                ToolReturnValue::error(message, "Stop failed").into()
            }
        }
    }
}

#[cfg(test)]
mod tests;
