//! The worker: the process that attends one command, apart from every screen.
//!
//! It is this program again, started with a hidden subcommand in a session of its own. It says on
//! its standard output, one line each, that something has changed, and closes it once the task is
//! over; whether anybody listens makes no difference to it.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::folder::{Folder, MARK};
use super::log::{Bounds, Log};
use super::record::{Conclusion, Kind, Runtime, Spec, Status};
use crate::platform::Env;
use crate::platform::process::{Attendance, End, Running};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__background-task-worker";

/// How often what must not be lost is tried to be written.
const WRITE_TRIES: u32 = 10;

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two signs of life.
    pub heartbeat: Duration,
    /// Between two looks whether the task shall stop.
    pub poll: Duration,
    /// Between asking a command to end and killing it.
    pub grace: Duration,
}

/// Attends the command of the task in `dir` to its end.
pub fn run(dir: &Path, pace: Pace, env: &Env) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(attend(&Folder::at(dir), pace, env))
}

async fn attend(folder: &Folder, pace: Pace, env: &Env) -> io::Result<()> {
    let refuse = |why: &str| Err(io::Error::other(why.to_owned()));
    let Some(spec) = folder.spec().filter(|spec| spec.kind == Kind::Bash) else {
        return refuse("There is no background command in this directory.");
    };
    let Some(lock) = folder.lock()? else { return refuse("The task is attended already.") };
    let mut runtime = folder.runtime();
    if !matches!(runtime.status, Status::Created | Status::Starting) {
        return refuse("The task has been started before.");
    }
    let mut voice = Some(io::stdout());
    runtime.worker_pid = i32::try_from(std::process::id()).ok();
    let started = command(&spec)
        .and_then(|command| Ok((Log::open(&folder.output(), Bounds::default())?, command)))
        .and_then(|(log, command)| Ok((log, Running::start(command)?)));
    let (mut log, mut running) = match started {
        Ok(started) => started,
        Err(error) => {
            let why = format!("The command could not be started: {error}");
            conclude(folder, &mut runtime, Conclusion::failed(None, why), env).await?;
            return Ok(());
        }
    };
    runtime.status = Status::Running;
    runtime.child_pid = running.id();
    runtime.child_pgid = running.id();
    runtime.started_at = Some(env.unix_now());
    beat(folder, &mut runtime, env);
    speak(&mut voice);

    let cancel = CancellationToken::new();
    let timeout = spec.timeout_s.map(Duration::from_secs);
    let end = {
        let how = Attendance { timeout, cancel: &cancel, grace: pace.grace, let_go: None };
        let end = running.attend(how, &mut log);
        tokio::pin!(end);
        let watch = watch(folder, &mut runtime, pace, env, &cancel);
        tokio::pin!(watch);
        tokio::select! {
            end = &mut end => end,
            () = &mut watch => end.await,
        }
    };
    let end = match end {
        Ok(End::Cancelled) => {
            let control = folder.control();
            let reason = control.kill_reason.filter(|_| control.kill_requested_at.is_some());
            let ended = || "The process that ran it was told to end".to_owned();
            Conclusion::killed(reason.unwrap_or_else(ended))
        }
        Ok(end) => conclusion(end, spec.timeout_s),
        Err(error) => Conclusion::failed(None, format!("It could not be waited for: {error}")),
    };
    conclude(folder, &mut runtime, end, env).await?;
    drop(lock);
    speak(&mut voice);
    hang_up();
    running.drain().await;
    Ok(())
}

/// Shows signs of life and looks whether the task shall stop. Returns when it shall.
async fn watch(
    folder: &Folder,
    runtime: &mut Runtime,
    pace: Pace,
    env: &Env,
    cancel: &CancellationToken,
) {
    let mut told_to_end =
        (signal(SignalKind::terminate()).ok(), signal(SignalKind::interrupt()).ok());
    let mut since = Duration::ZERO;
    loop {
        let told = async {
            match &mut told_to_end {
                (Some(terminate), Some(interrupt)) => {
                    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
                }
                _ => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            () = tokio::time::sleep(pace.poll) => false,
            () = told => true,
        };
        if told || folder.control().kill_requested_at.is_some() {
            cancel.cancel();
            return;
        }
        since += pace.poll;
        if since >= pace.heartbeat {
            since = Duration::ZERO;
            beat(folder, runtime, env);
        }
    }
}

fn beat(folder: &Folder, runtime: &mut Runtime, env: &Env) {
    runtime.heartbeat_at = Some(env.unix_now());
    runtime.updated_at = env.unix_now();
    if let Err(error) = folder.write_runtime(runtime) {
        tracing::warn!(%error, "a task shows no sign of life");
    }
}

async fn conclude(
    folder: &Folder,
    runtime: &mut Runtime,
    end: Conclusion,
    env: &Env,
) -> io::Result<()> {
    runtime.conclude(end, env.unix_now());
    let mut tries = 1;
    loop {
        match folder.write_runtime(runtime) {
            Err(_) if tries < WRITE_TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            written => return written,
        }
    }
}

/// How a command has ended, unless somebody stopped it.
pub(super) fn conclusion(end: End, timeout_s: Option<u64>) -> Conclusion {
    match end {
        End::Exited(status) if status.success() => Conclusion::completed(Some(0)),
        End::Exited(status) => {
            let code = exit_code(status);
            Conclusion::failed(code, format!("Failed with exit code {}", code.unwrap_or(-1)))
        }
        End::TimedOut => Conclusion::timed_out(timeout_s.unwrap_or_default()),
        End::Cancelled | End::LetGo => Conclusion::killed("Stopped".to_owned()),
    }
}

/// As a shell tells it: 128 and the number of the signal, where one has ended it.
fn exit_code(status: ExitStatus) -> Option<i32> {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}

fn command(spec: &Spec) -> io::Result<Command> {
    let missing = |what: &str| io::Error::other(format!("the task has no {what}"));
    let line = spec.command.as_ref().ok_or_else(|| missing("command"))?;
    let shell = spec.shell_path.as_ref().ok_or_else(|| missing("shell"))?;
    let mut command = Command::new(shell);
    command.arg("-c").arg(line).env(MARK, &spec.id);
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    Ok(command)
}

/// Says that something has changed, to whoever has started us, if they are still there.
fn speak(voice: &mut Option<io::Stdout>) {
    if let Some(stdout) = voice
        && stdout.write_all(b"\n").and_then(|()| stdout.flush()).is_err()
    {
        *voice = None;
    }
}

/// Closes the standard output: nothing more is coming.
fn hang_up() {
    if let Ok(nothing) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        // When it cannot be closed, it closes with the process.
        let _ = rustix::stdio::dup2_stdout(&nothing);
    }
}
