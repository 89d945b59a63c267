//! `TaskOutput`: where a background task stands, and the end of what it has written.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::task_list::{no_such_task, unavailable};
use super::{CallContext, Effect, Tool, ToolReturn, arguments, schema};
use crate::protocol::ToolReturnValue;
use crate::tasks::{self, Kind, Tail, View};

/// Bytes of the log that the model gets.
const PREVIEW: u64 = 32 << 10;

/// Shows the output of a background task.
pub struct TaskOutput;

#[derive(Deserialize)]
struct Arguments {
    task_id: String,
    block: bool,
    /// Seconds.
    timeout: u64,
}

#[async_trait]
impl Tool for TaskOutput {
    fn name(&self) -> &'static str {
        "TaskOutput"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/task_output.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("task_id", schema::string("The task.")),
                ("block", schema::boolean("Wait for the task to end.", false)),
                (
                    "timeout",
                    json!({
                        "type": "integer",
                        "default": 30,
                        "minimum": 0,
                        "maximum": 3600,
                        "description": "Most seconds to wait, with block."
                    }),
                ),
            ],
            &["task_id"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let Arguments { task_id, block, timeout } = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        let Some(tasks) = &cx.tasks else { return unavailable().into() };
        let found = if block {
            let timeout = Duration::from_secs(timeout);
            tokio::select! {
                view = tasks.wait(&task_id, timeout) => view,
                // A wait that is cut off is as good as one that was too short.
                () = cx.cancel.cancelled() => return super::file_access::cancelled().into(),
            }
        } else {
            tasks.get(&task_id).await
        };
        let Some(view) = found else { return no_such_task(&task_id).into() };
        let tail = match tasks.tail(&task_id, PREVIEW).await {
            Ok(tail) => tail,
            Err(error) => {
                let message = format!("The output of the task cannot be read: {error}.");
                return ToolReturnValue::error(message, "Output not readable").into();
            }
        };
        tasks.note_seen(&task_id, tail.size).await;
        let path = tasks.output_path(&task_id).display().to_string();
        let text = told(&view, &tail, block, &path);
        ToolReturnValue::ok(text, "").with_display(tasks::display(&view)).into()
    }
}

fn told(view: &View, tail: &Tail, blocked: bool, path: &str) -> String {
    let View { spec, runtime } = view;
    let mut lines = Vec::new();
    let mut tell = |name: &str, value: String| lines.push(format!("{name}: {value}"));
    let retrieval = match (view.is_active(), blocked) {
        (false, _) => "success",
        (true, true) => "timeout",
        (true, false) => "not_ready",
    };
    tell("retrieval_status", retrieval.to_owned());
    tell("task_id", spec.id.clone());
    tell("kind", spec.kind.word().to_owned());
    tell("status", runtime.status.word().to_owned());
    tell("description", spec.description.clone());
    if let Some(agent) = spec.agent().filter(|_| spec.kind == Kind::Agent) {
        tell("agent_id", agent.agent_id);
        tell("subagent_type", agent.subagent_type);
    }
    if let Some(command) = &spec.command {
        tell("command", command.clone());
    }
    tell("interrupted", runtime.interrupted.to_string());
    tell("timed_out", runtime.timed_out.to_string());
    tell("terminal_reason", runtime.terminal_reason().unwrap_or("none").to_owned());
    if let Some(code) = runtime.exit_code {
        tell("exit_code", code.to_string());
    }
    if let Some(reason) = &runtime.failure_reason {
        tell("reason", reason.clone());
    }
    lines.push(String::new());
    let mut tell = |name: &str, value: String| lines.push(format!("{name}: {value}"));
    tell("output_path", path.to_owned());
    tell("output_size_bytes", tail.size.to_string());
    tell("output_preview_bytes", tail.text.len().to_string());
    tell("output_truncated", tail.truncated.to_string());
    lines.push(String::new());
    let mut tell = |name: &str, value: String| lines.push(format!("{name}: {value}"));
    tell("full_output_available", (tail.size > 0 && !tail.cut).to_string());
    tell("full_output_tool", "ReadFile".to_owned());
    let mut hint =
        format!("ReadFile with path `{path}`, line_offset 1 and n_lines 300, page by page");
    if tail.cut {
        hint.push_str("; only its beginning and its end were kept");
    }
    tell("full_output_hint", hint);
    lines.push(String::new());
    lines.push("[output]".to_owned());
    if tail.truncated {
        lines.push(format!("[truncated: this is the end of `{path}`]"));
    }
    lines.push(if tail.size == 0 { "[no output]".to_owned() } else { tail.text.clone() });
    lines.join("\n")
}

#[cfg(test)]
mod tests;
