//! A tool of a plugin: a program of the plugin's, fed with the arguments as JSON.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::inject::Secrets;
use super::manifest::{Manifest, ToolEntry};
use crate::mcp::schema;
use crate::platform::process::{self, Captured, End, Leftovers};
use crate::platform::shell::{in_a_line, quoted};
use crate::protocol::{DisplayBlock, ToolReturnValue};
use crate::tools::{ApprovalAsk, CallContext, Effect, Tool, ToolReturn};

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Most characters of a result.
const MAX_RESULT: usize = 50_000;

/// The tool.
pub(super) struct PluginTool {
    entry: ToolEntry,
    /// Where the plugin is.
    dir: PathBuf,
    manifest: Arc<Manifest>,
    secrets: Secrets,
}

impl PluginTool {
    pub fn new(entry: ToolEntry, dir: PathBuf, manifest: Arc<Manifest>, secrets: Secrets) -> Self {
        Self { entry, dir, manifest, secrets }
    }

    /// The question for a person: which plugin, which program, with what.
    fn ask(&self, arguments: &Value, cx: &CallContext) -> ApprovalAsk {
        let name = &self.entry.name;
        let pretty = match arguments {
            Value::Object(fields) if fields.is_empty() => "(no arguments)".to_owned(),
            arguments => serde_json::to_string_pretty(arguments).unwrap_or_default(),
        };
        ApprovalAsk {
            call_id: cx.call_id.clone(),
            sender: name.clone(),
            action: format!("plugin:{name}"),
            description: format!("Run tool `{name}` of plugin `{}`.", self.manifest.name),
            // No block of a command: that would be one that runs in the work directory, and all there is.
            display: vec![DisplayBlock::Brief { text: format!("{pretty}\n{}", self.runs()) }],
        }
    }

    /// What is started, and where.
    fn runs(&self) -> String {
        let words: Vec<String> = self.entry.command.iter().map(|word| quoted(word)).collect();
        let dir = in_a_line(&self.dir.display().to_string());
        format!("runs {}\nin {dir}", words.join(" "))
    }

    fn command(&self, cx: &CallContext) -> Command {
        let mut words = self.entry.command.iter();
        let program = words.next().map(String::as_str).unwrap_or_default();
        // A path is the plugin's own; a bare name is looked for as usual.
        let mut command = match program.contains('/') {
            true => Command::new(self.dir.join(program)),
            false => Command::new(program),
        };
        command.args(words).current_dir(&self.dir);
        command.env_clear().envs(cx.env.child_vars()).envs(self.secrets.variables(&self.manifest));
        command
    }

    async fn run(&self, arguments: &Value, cx: &CallContext) -> ToolReturnValue {
        let name = &self.entry.name;
        let (secrets, dir) = (self.secrets.clone(), self.dir.clone());
        let manifest = Arc::clone(&self.manifest);
        let written = tokio::task::spawn_blocking(move || secrets.write(&dir, &manifest)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, plugin = self.manifest.name, "the plugin's file was not written");
        }
        let input = arguments.to_string().into_bytes();
        // A character has four bytes at most.
        let most = 4 * MAX_RESULT;
        let work = process::capture(self.command(cx), input, TIMEOUT, most, Leftovers::Killed);
        let ran = tokio::select! {
            ran = work => ran,
            () = cx.cancel.cancelled() => {
                return ToolReturnValue::error("The call was cancelled and killed.", "Cancelled");
            }
        };
        match ran {
            Ok(captured) => returned(name, &captured),
            Err(error) => ToolReturnValue::error(
                format!(
                    "The program of the plugin `{}` could not be started: {error}. The user can see \
                     what it needs with `kimi plugin info {}`.",
                    self.manifest.name, self.manifest.name
                ),
                "Execution failed",
            ),
        }
    }
}

fn returned(name: &str, captured: &Captured) -> ToolReturnValue {
    let (out, cut) = bounded(&captured.stdout.text(), captured.stdout.cut);
    let note = if cut { "The output is cut." } else { "" };
    match captured.end {
        End::Exited(status) if status.success() => ToolReturnValue::ok(out, note),
        End::Exited(status) => {
            let (err, _) = bounded(&captured.stderr.text(), captured.stderr.cut);
            let said = [err, out].into_iter().find(|text| !text.is_empty());
            let code = status.code().map_or("unknown".to_owned(), |code| code.to_string());
            let brief = format!("Failed with exit code: {code}");
            ToolReturnValue::error(said.unwrap_or_else(|| format!("Exit code: {code}.")), brief)
        }
        End::TimedOut | End::Cancelled | End::LetGo => ToolReturnValue::error(
            format!("`{name}` was killed by its timeout ({}s).", TIMEOUT.as_secs()),
            "Killed by timeout",
        )
        .with_output(out),
    }
}

/// The text without blank ends, and whether something of it is missing.
fn bounded(text: &str, cut: bool) -> (String, bool) {
    let text = text.trim();
    match text.char_indices().nth(MAX_RESULT) {
        Some((end, _)) => (text.get(..end).unwrap_or_default().to_owned(), true),
        None => (text.to_owned(), cut),
    }
}

#[async_trait]
impl Tool for PluginTool {
    fn name(&self) -> &str {
        &self.entry.name
    }

    fn description(&self) -> &str {
        match self.entry.description.as_str() {
            "" => "A tool of a plugin. It has no description.",
            description => description,
        }
    }

    fn parameters(&self) -> Value {
        schema::offered(&self.entry.parameters)
    }

    fn check(&self, arguments: Value) -> Result<Value, String> {
        schema::fitting(&self.entry.parameters, arguments)
    }

    fn effect(&self, _: &Value) -> Effect {
        Effect::Write
    }

    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn {
        match cx.approved(self.ask(&arguments, cx)).await {
            Ok(()) => self.run(&arguments, cx).await.into(),
            Err(refused) => refused,
        }
    }
}

#[cfg(test)]
mod tests;
