//! `TaskList`: the background tasks of the session.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::protocol::ToolReturnValue;
use crate::tasks;

/// Lists background tasks.
pub struct TaskList;

#[derive(Deserialize)]
struct Arguments {
    active_only: bool,
    limit: usize,
}

#[async_trait]
impl Tool for TaskList {
    fn name(&self) -> &'static str {
        "TaskList"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/task_list.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("active_only", schema::boolean("Leave out the tasks that are over.", true)),
                (
                    "limit",
                    json!({
                        "type": "integer",
                        "default": 20,
                        "minimum": 1,
                        "maximum": 100,
                        "description": "Most tasks to list."
                    }),
                ),
            ],
            &[],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let Arguments { active_only, limit } = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        let Some(tasks) = &cx.tasks else { return unavailable().into() };
        tasks.load().await;
        let (name, views) = if active_only {
            ("active_background_tasks", tasks.active())
        } else {
            ("background_tasks", tasks.list())
        };
        let shown = views.len().min(limit);
        let mut output = format!("{name}: {}", views.len());
        if views.is_empty() {
            output.push_str("\n[no tasks]");
        }
        let mut display = Vec::with_capacity(shown);
        for (n, view) in views.iter().take(limit).enumerate() {
            display.push(tasks::display(view));
            output.push_str(&format!("\n[{}]\n{}", n + 1, tasks::block(view)));
        }
        if shown < views.len() {
            output.push_str(&format!("\n[{} more]", views.len() - shown));
        }
        let value = ToolReturnValue::ok(output, "");
        ToolReturnValue { display, ..value }.into()
    }
}

/// The result for an agent that has no background tasks.
pub(super) fn unavailable() -> ToolReturnValue {
    ToolReturnValue::error(
        "Background tasks belong to the main agent. Run the command in the foreground.",
        "Background task unavailable",
    )
}

/// The result for an id that no task has.
pub(super) fn no_such_task(id: &str) -> ToolReturnValue {
    let id: String = id.chars().take(60).collect();
    ToolReturnValue::error(
        format!("There is no task `{id}`. TaskList with active_only=false shows all of them."),
        "Task not found",
    )
}

#[cfg(test)]
mod tests;
