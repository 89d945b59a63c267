//! Commands in terminals of the program that a session works in, such as an editor: its user sees them run,
//! and may answer what they ask.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::{How, ended};
use crate::platform::shell;
use crate::protocol::ToolReturnValue;
use crate::tools::CallContext;
use crate::tools::output::{Collector, Limits};

/// How long a program may take to open a terminal.
const OPENING: Duration = Duration::from_secs(10);
/// How long is waited for it to end a command, and to say what that has printed.
const ENDING: Duration = Duration::from_secs(5);
/// The same for a call that was cancelled, which has to return soon.
const CANCELLED: Duration = Duration::from_secs(1);

/// A command for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalCommand {
    /// The shell, a path.
    pub program: String,
    pub arguments: Vec<String>,
    /// Beyond what the program's terminals have by themselves.
    pub environment: Vec<(String, String)>,
    /// Absolute.
    pub work_dir: String,
}

/// Why there is no terminal. Half a sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTerminal {
    /// The program opens none, and nothing runs.
    Refused(String),
    /// Nobody knows whether the command runs.
    Lost(String),
}

/// How a command has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TerminalEnd {
    pub exit_code: Option<i64>,
    /// The name of the signal that has ended it.
    pub signal: Option<String>,
}

/// What a command has printed: clean text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TerminalOutput {
    pub text: String,
    /// The beginning is gone.
    pub truncated: bool,
}

/// Opens terminals.
#[async_trait]
pub trait Terminals: Send + Sync {
    /// Starts a command in a terminal of its own, shown as that of a call. Not to be dropped before it has
    /// returned: nobody would know of the terminal.
    async fn open(
        &self,
        call_id: &str,
        command: TerminalCommand,
    ) -> Result<Box<dyn Terminal>, NoTerminal>;
}

/// A terminal with a command. The errors are half a sentence.
#[async_trait]
pub trait Terminal: Send + Sync {
    /// Waits until the command has ended.
    async fn wait(&self) -> Result<TerminalEnd, String>;

    /// What it has printed so far.
    async fn output(&self) -> Result<TerminalOutput, String>;

    /// Ends the command with all it has started.
    async fn kill(&self);

    /// Nothing more is wanted of it. What it shows stays.
    async fn release(&self);
}

/// Runs a command in a terminal. `None` when the program opens none: it is to be run here then.
pub(super) async fn run(
    terminals: &Arc<dyn Terminals>,
    line: &str,
    timeout: Option<u64>,
    cx: &CallContext,
) -> Option<ToolReturnValue> {
    let mut collector = Collector::new(Limits::default(), &cx.spill_dir, &cx.call_id);
    let terminal = match open(terminals, line, cx).await {
        Ok(Some(terminal)) => terminal,
        Ok(None) => return Some(ended(collector.finish(), How::Cancelled, timeout)),
        Err(NoTerminal::Refused(why)) => {
            tracing::debug!(why, "the program opens no terminal");
            return None;
        }
        Err(NoTerminal::Lost(why)) => return Some(lost(&why)),
    };
    cx.live.send("[runs in a terminal of the editor]\n");
    let limit = async {
        match timeout {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let how = tokio::select! {
        biased;
        end = terminal.wait() => end.map(How::of_terminal),
        () = cx.cancel.cancelled() => Ok(How::Cancelled),
        () = limit => Ok(How::TimedOut),
    };
    let runs = !matches!(how, Ok(How::Succeeded | How::Failed(_)));
    let output = put_away(terminal, runs, cx).await;
    let how = match how {
        Ok(how) => how,
        Err(why) => return Some(lost(&why)),
    };
    let unknown = match output {
        Ok(output) => {
            if output.truncated {
                collector.push_str("[the beginning is gone: the editor keeps the end alone]\n");
            }
            collector.push_str(&output.text);
            None
        }
        Err(why) => Some(why),
    };
    let mut value = ended(collector.finish(), how, timeout);
    if let Some(why) = unknown {
        value.message = format!("{} What it has printed is not known: {why}.", value.message);
    }
    Some(value)
}

/// Opens a terminal; `None` when the call was cancelled meanwhile. What is opened then, or too late, is
/// closed.
async fn open(
    terminals: &Arc<dyn Terminals>,
    line: &str,
    cx: &CallContext,
) -> Result<Option<Box<dyn Terminal>>, NoTerminal> {
    let (command, call_id, terminals) =
        (command(line, cx), cx.call_id.clone(), Arc::clone(terminals));
    let mut opening = tokio::spawn(async move { terminals.open(&call_id, command).await });
    let given_up = tokio::select! {
        biased;
        opened = &mut opening => return match opened {
            Ok(opened) => opened.map(Some),
            Err(error) => Err(NoTerminal::Lost(error.to_string())),
        },
        () = cx.cancel.cancelled() => Ok(None),
        () = tokio::time::sleep(OPENING) => {
            let seconds = OPENING.as_secs();
            Err(NoTerminal::Lost(format!("it did not open one within {seconds} s")))
        }
    };
    tokio::spawn(async move {
        if let Ok(Ok(terminal)) = opening.await {
            terminal.kill().await;
            terminal.release().await;
        }
    });
    given_up
}

/// What a command has printed, which is ended first if it `runs`; nothing more is wanted of its terminal
/// then. Nobody waits long for that, and it is done all the same: a program may take its time.
async fn put_away(
    terminal: Box<dyn Terminal>,
    runs: bool,
    cx: &CallContext,
) -> Result<TerminalOutput, String> {
    let (told, output) = oneshot::channel();
    tokio::spawn(async move {
        if runs {
            terminal.kill().await;
        }
        // A program that never says what was printed lets go of it nevertheless.
        let output = tokio::time::timeout(ENDING, terminal.output()).await;
        let late = || Err("it did not answer in time".to_owned());
        // Fails when nobody wants to know any more.
        let _ = told.send(output.unwrap_or_else(|_| late()));
        terminal.release().await;
    });
    let patience = if cx.cancel.is_cancelled() { CANCELLED } else { ENDING };
    match tokio::time::timeout(patience, output).await {
        Ok(Ok(output)) => output,
        Ok(Err(_)) | Err(_) => Err("it did not answer in time".to_owned()),
    }
}

/// The command line with what a command that nobody may be watching needs: no pager, no question of git's.
fn command(line: &str, cx: &CallContext) -> TerminalCommand {
    let shell = shell::detect().display().to_string();
    let own = [("GIT_TERMINAL_PROMPT", "0"), ("PAGER", "cat"), ("GIT_PAGER", "cat")];
    let mut environment: Vec<(String, String)> = own
        .iter()
        .filter(|(name, _)| *name != "GIT_TERMINAL_PROMPT" || cx.env.var(name).is_none())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    environment.push(("SHELL".to_owned(), shell.clone()));
    environment.extend(cx.child_env.iter().cloned());
    TerminalCommand {
        program: shell,
        arguments: vec!["-c".to_owned(), line.to_owned()],
        environment,
        work_dir: cx.workspace.work_dir.display().to_string(),
    }
}

fn lost(why: &str) -> ToolReturnValue {
    let message = format!(
        "The editor's terminal cannot be asked about: {why}. Find out what the command has done before \
         running it again."
    );
    ToolReturnValue::error(message, "Execution failed")
}
