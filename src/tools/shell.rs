//! `Shell`: runs a command, in the foreground or as a background task.

mod terminal;

pub use terminal::{NoTerminal, Terminal, TerminalCommand, TerminalEnd, TerminalOutput, Terminals};

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::{Collected, Collector, Limits, last_lines};
use super::task_list::unavailable;
use super::{ApprovalAsk, CallContext, Effect, LiveOutput, Tool, ToolReturn, arguments, schema};
use crate::platform::process::{Attendance, End, GRACE, Output, Running};
use crate::platform::shell;
use crate::protocol::{DisplayBlock, ToolReturnValue};
use crate::tasks::{self, NewCommand, View};

/// Most seconds a command may take in the foreground.
const MAX_TIMEOUT: u64 = 300;
/// Most seconds a command may take in the background.
const MAX_BACKGROUND_TIMEOUT: u64 = 86_400;
/// Most bytes of one live piece; of a flood the end is shown.
const MAX_LIVE: usize = 16 << 10;

/// Runs a command.
pub struct Shell;

#[derive(Deserialize)]
struct Arguments {
    command: String,
    /// Seconds.
    timeout: u64,
    #[serde(default)]
    run_in_background: bool,
    #[serde(default)]
    description: String,
}

impl Arguments {
    /// What is wrong beyond the schema.
    fn fault(&self) -> Option<ToolReturnValue> {
        if self.command.trim().is_empty() {
            return Some(ToolReturnValue::error("Command cannot be empty.", "Empty command"));
        }
        let detail = if self.command.contains('\0') {
            "`command` must not contain a null character".to_owned()
        } else if self.run_in_background && self.description.trim().is_empty() {
            "`description` is required when `run_in_background` is true".to_owned()
        } else if !self.run_in_background && self.timeout > MAX_TIMEOUT {
            format!(
                "`timeout` must be at most {MAX_TIMEOUT} in the foreground; use \
                 `run_in_background` for what takes longer"
            )
        } else {
            return None;
        };
        Some(arguments::invalid(&detail))
    }
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
                        "maximum": MAX_BACKGROUND_TIMEOUT,
                        "description": "Seconds after which it is killed; at most 300 in the foreground."
                    }),
                ),
                (
                    "run_in_background",
                    schema::boolean("Start it as a background task and return at once.", false),
                ),
                (
                    "description",
                    json!({
                        "type": "string",
                        "default": "",
                        "description": "A few words on what a background task is for; required for one."
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
        let arguments: Arguments = match arguments::typed(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error.into(),
        };
        if let Some(fault) = arguments.fault() {
            return fault.into();
        }
        if arguments.run_in_background && cx.tasks.is_none() {
            return unavailable().into();
        }
        let (action, words) = if arguments.run_in_background {
            ("run background command", "Run background command")
        } else {
            ("run command", "Run command")
        };
        let ask = ApprovalAsk {
            call_id: cx.call_id.clone(),
            sender: self.name().to_owned(),
            action: action.to_owned(),
            description: format!("{words} `{}`", arguments.command),
            display: vec![DisplayBlock::Shell {
                language: "bash".to_owned(),
                command: arguments.command.clone(),
            }],
        };
        if let Err(refused) = cx.approved(ask).await {
            return refused;
        }
        if arguments.run_in_background {
            return start(arguments, cx).await.into();
        }
        let (line, timeout) = (arguments.command, Some(arguments.timeout));
        // What may only read is held to that here, where it is known what a command finds.
        let terminals = cx.terminals.as_ref().filter(|_| !cx.plan.is_on() && !cx.reads_only);
        if let Some(terminals) = terminals
            && let Some(value) = terminal::run(terminals, &line, timeout, cx).await
        {
            return value.into();
        }
        run(&line, timeout, cx).await.into()
    }
}

/// Runs a command of the person's own: unasked, and without a limit of time.
pub async fn run_for_person(command: &str, cx: &CallContext) -> ToolReturnValue {
    if command.contains('\0') {
        return ToolReturnValue::error("A command has no null character.", "Not a command");
    }
    run(command, None, cx).await
}

/// Starts a background task.
async fn start(arguments: Arguments, cx: &CallContext) -> ToolReturnValue {
    let Some(tasks) = &cx.tasks else { return unavailable() };
    let new = NewCommand {
        description: arguments.description.trim().to_owned(),
        timeout_s: Some(arguments.timeout),
        ..task_of(&arguments.command, cx)
    };
    match tasks.start_command(new).await {
        Ok(view) => {
            let brief = format!("Started {}", view.spec.id);
            told(&view, "Background task started.", &brief)
        }
        Err(error) => ToolReturnValue::error(error.to_string(), "Start failed"),
    }
}

/// The result of a call whose command goes on as a task.
fn told(view: &View, message: &str, brief: &str) -> ToolReturnValue {
    let output = format!(
        "{}\n\
         automatic_notification: true\n\
         next_step: Go on with other work; you are told when the task ends.\n\
         next_step: TaskOutput shows what it has written so far, TaskStop ends it.\n\
         next_step: Do not start it again, and do not wait in a loop.\n\
         human_shell_hint: The user sees it with /task.",
        tasks::block(view)
    );
    let mut value = ToolReturnValue::ok(output, message);
    value.display = vec![tasks::display(view), DisplayBlock::Brief { text: brief.to_owned() }];
    value
}

/// Runs a command in the foreground, for at most `timeout` seconds where there is a limit.
async fn run(command: &str, timeout: Option<u64>, cx: &CallContext) -> ToolReturnValue {
    let mut output = ShellOutput::new(cx);
    let mut running = match Running::start_bound(shell_command(command, cx)) {
        Ok(running) => running,
        Err(error) => return not_started(&error, cx),
    };
    let begun = cx.env.clock.instant();
    let mut let_go = cx.tasks.as_ref().map(|_| &cx.to_background);
    let ended = loop {
        let how = Attendance {
            timeout: timeout.map(|timeout| {
                Duration::from_secs(timeout)
                    .saturating_sub(cx.env.clock.instant().saturating_duration_since(begun))
            }),
            cancel: &cx.cancel,
            grace: GRACE,
            let_go,
        };
        match (running.attend(how, &mut output).await, &cx.tasks) {
            (Ok(End::LetGo), Some(tasks)) => {
                let so_far = output.collector.so_far();
                let new = NewCommand { description: first_line(command), ..task_of(command, cx) };
                match tasks.adopt(new, running, so_far).await {
                    Ok(view) => return moved(&view, output.collector.finish()),
                    // It stays where it is.
                    Err((back, error)) => {
                        output.live.send(format!("[not sent to the background: {error}]\n"));
                        (running, let_go) = (back, None);
                    }
                }
            }
            (ended, _) => break ended,
        }
    };
    tokio::spawn(running.drain());
    let collected = output.collector.finish();
    match ended {
        Ok(End::Exited(status)) => self::ended(collected, How::of_process(status), timeout),
        Ok(End::TimedOut) => self::ended(collected, How::TimedOut, timeout),
        Ok(End::Cancelled | End::LetGo) => self::ended(collected, How::Cancelled, timeout),
        Err(error) => not_started(&error, cx),
    }
}

/// How a command in the foreground has ended.
enum How {
    Succeeded,
    /// With an exit code, as a shell tells it.
    Failed(String),
    TimedOut,
    Cancelled,
}

impl How {
    fn of_process(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(0), _) => Self::Succeeded,
            (Some(code), _) => Self::Failed(code.to_string()),
            (None, Some(signal)) => Self::Failed(format!("{} (signal {signal})", 128 + signal)),
            (None, None) => Self::Failed("unknown".to_owned()),
        }
    }

    fn of_terminal(end: TerminalEnd) -> Self {
        match (end.signal, end.exit_code) {
            (Some(signal), _) => Self::Failed(format!("unknown (signal {signal})")),
            (None, Some(0)) => Self::Succeeded,
            (None, Some(code)) => Self::Failed(code.to_string()),
            (None, None) => Self::Failed("unknown".to_owned()),
        }
    }
}

/// The result of a command that has ended, `timeout` being its limit in seconds.
fn ended(collected: Collected, how: How, timeout: Option<u64>) -> ToolReturnValue {
    match how {
        How::Succeeded => {
            let message = collected.message("Command executed successfully.");
            ToolReturnValue::ok(collected.text, message)
        }
        How::Failed(code) => failure(
            collected,
            &format!("Command failed with exit code: {code}."),
            &format!("Failed with exit code: {code}"),
        ),
        How::TimedOut => {
            let timeout = timeout.unwrap_or_default();
            failure(
                collected,
                &format!("Command killed by timeout ({timeout}s)."),
                &format!("Killed by timeout ({timeout}s)"),
            )
        }
        How::Cancelled => failure(collected, "Command was cancelled and killed.", "Cancelled"),
    }
}

fn not_started(error: &std::io::Error, cx: &CallContext) -> ToolReturnValue {
    let message = format!(
        "The shell could not be started in `{}`: {error}.",
        cx.workspace.work_dir.display()
    );
    ToolReturnValue::error(message, "Execution failed")
}

/// The result of a call whose command a person has sent to the background.
fn moved(view: &View, so_far: Collected) -> ToolReturnValue {
    let message = "The user sent the command to the background, where it goes on.";
    let brief = format!("Sent to the background as {}", view.spec.id);
    let value = told(view, &so_far.message(message), &brief);
    let output = format!("{}\n\n[output so far]\n{}", value.output.text(), so_far.text);
    value.with_output(output)
}

/// A command as a task, in the same surroundings as in the foreground, without a limit of time.
fn task_of(line: &str, cx: &CallContext) -> NewCommand {
    let command = shell_command(line, cx);
    let environment = command.get_envs();
    let owned = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
        Some((name.to_owned(), value?.to_owned()))
    };
    NewCommand {
        command: line.to_owned(),
        description: String::new(),
        tool_call_id: cx.call_id.clone(),
        shell: shell::detect().to_path_buf(),
        cwd: cx.workspace.work_dir.clone(),
        timeout_s: None,
        environment: environment.filter_map(owned).collect::<Vec<(OsString, OsString)>>(),
    }
}

/// What a command is called that nobody has described.
fn first_line(command: &str) -> String {
    let line = command.trim().lines().next().unwrap_or_default();
    line.chars().take(60).collect()
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

impl ShellOutput {
    fn new(cx: &CallContext) -> Self {
        Self {
            collector: Collector::new(Limits::default(), &cx.spill_dir, &cx.call_id),
            live: cx.live.clone(),
            fresh: String::new(),
        }
    }
}

impl Output for ShellOutput {
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
