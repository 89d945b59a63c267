//! `Shell`: runs a command.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::file_access::cancelled;
use super::output::{Collected, Collector, Limits, last_lines};
use super::{
    ApprovalAsk, ApprovalVerdict, CallContext, Effect, LiveOutput, Tool, ToolReturn, arguments,
    schema,
};
use crate::platform::{process, shell};
use crate::protocol::{DisplayBlock, ToolReturnValue};

/// Most seconds a command may take.
const MAX_TIMEOUT: u64 = 300;
/// Most bytes of one live piece; of a flood the end is shown.
const MAX_LIVE: usize = 16 << 10;

/// Runs a command in the foreground.
pub struct Shell;

#[derive(Deserialize)]
struct Arguments {
    command: String,
    /// Seconds.
    timeout: u64,
}

#[async_trait]
impl Tool for Shell {
    fn name(&self) -> &'static str {
        "Shell"
    }

    fn description(&self) -> &str {
        include_str!("../../assets/tools/shell.md").trim_end()
    }

    fn parameters(&self) -> Value {
        schema::object(
            &[
                ("command", schema::string("The command line.")),
                (
                    "timeout",
                    json!({
                        "type": "integer",
                        "default": 60,
                        "minimum": 1,
                        "maximum": MAX_TIMEOUT,
                        "description": "Seconds after which it is killed."
                    }),
                ),
            ],
            &["command"],
        )
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        let Arguments { command, timeout } = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        if command.trim().is_empty() {
            return ToolReturnValue::error("Command cannot be empty.", "Empty command").into();
        }
        if command.contains('\0') {
            return arguments::invalid("`command` must not contain a null character").into();
        }
        let ask = ApprovalAsk {
            call_id: cx.call_id.clone(),
            sender: self.name().to_owned(),
            action: "run command".to_owned(),
            description: format!("Run command `{command}`"),
            display: vec![DisplayBlock::Shell {
                language: "bash".to_owned(),
                command: command.clone(),
            }],
        };
        let verdict = tokio::select! {
            verdict = cx.desk.approve(ask) => verdict,
            () = cx.cancel.cancelled() => return cancelled().into(),
        };
        match verdict {
            ApprovalVerdict::Approved => run(&command, timeout, cx).await.into(),
            ApprovalVerdict::Rejected { feedback } => ToolReturn::rejected(feedback.as_deref()),
        }
    }
}

async fn run(command: &str, timeout: u64, cx: &CallContext) -> ToolReturnValue {
    let mut output = ShellOutput {
        collector: Collector::new(Limits::default(), &cx.spill_dir, &cx.call_id),
        live: cx.live.clone(),
        fresh: String::new(),
    };
    let ended = process::run(
        shell_command(command, cx),
        Duration::from_secs(timeout),
        &cx.cancel,
        &mut output,
    )
    .await;
    let collected = output.collector.finish();
    match ended {
        Ok(process::End::Exited(status)) if status.success() => {
            let message = collected.message("Command executed successfully.");
            ToolReturnValue::ok(collected.text, message)
        }
        Ok(process::End::Exited(status)) => {
            let code = match (status.code(), status.signal()) {
                (Some(code), _) => code.to_string(),
                // As a shell tells it.
                (None, Some(signal)) => format!("{} (signal {signal})", 128 + signal),
                (None, None) => "unknown".to_owned(),
            };
            failure(
                collected,
                &format!("Command failed with exit code: {code}."),
                &format!("Failed with exit code: {code}"),
            )
        }
        Ok(process::End::TimedOut) => failure(
            collected,
            &format!("Command killed by timeout ({timeout}s)."),
            &format!("Killed by timeout ({timeout}s)"),
        ),
        Ok(process::End::Cancelled) => {
            failure(collected, "Command was cancelled and killed.", "Cancelled")
        }
        Err(error) => failure(
            collected,
            &format!(
                "The shell could not be started in `{}`: {error}.",
                cx.workspace.work_dir.display()
            ),
            "Execution failed",
        ),
    }
}

fn failure(collected: Collected, message: &str, brief: &str) -> ToolReturnValue {
    let tail = last_lines(&collected.text, 5, 200);
    let brief = if tail.is_empty() { brief.to_owned() } else { format!("{brief}\n{tail}") };
    ToolReturnValue::error(collected.message(message), brief).with_output(collected.text)
}

fn shell_command(line: &str, cx: &CallContext) -> Command {
    let shell = shell::detect();
    let mut command = Command::new(shell);
    command.arg("-c").arg(line).current_dir(&cx.workspace.work_dir);
    command.env_clear().envs(cx.env.child_vars());
    if cx.env.var("GIT_TERMINAL_PROMPT").is_none() {
        command.env("GIT_TERMINAL_PROMPT", "0");
    }
    command.env("SHELL", shell).envs(cx.child_env.iter().map(|(name, value)| (name, value)));
    command
}

struct ShellOutput {
    collector: Collector,
    live: LiveOutput,
    /// Not shown yet.
    fresh: String,
}

impl process::Output for ShellOutput {
    fn bytes(&mut self, bytes: &[u8]) {
        let text = self.collector.push_bytes(bytes);
        self.fresh.push_str(&text);
        if self.fresh.len() > 2 * MAX_LIVE {
            let start = (self.fresh.len() - MAX_LIVE..self.fresh.len())
                .find(|&at| self.fresh.is_char_boundary(at))
                .unwrap_or(self.fresh.len());
            self.fresh.drain(..start);
        }
    }

    fn pause(&mut self) {
        if !self.fresh.is_empty() {
            self.live.send(std::mem::take(&mut self.fresh));
        }
    }
}

#[cfg(test)]
mod tests;
