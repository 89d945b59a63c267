//! The command line: raw flags to a checked [`Launch`], subcommands, exit codes.
//!
//! [`main`] is the way through: `--version` first, because programs ask for it often, then the
//! parser, the checks, and [`run`] for everything that needs a session.

mod acp;
mod args;
mod checks;
mod code;
mod completions;
mod ctl;
mod doctor;
mod export;
mod info;
mod launch;
mod login;
mod mcp;
mod plugin;
mod run;
mod servers;
mod usage_error;
mod wire;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::time::Duration;

pub use crate::front::ending::ExitCode;
pub use args::{Args, Command, WorkerArgs};
pub use info::VERSION;
pub use launch::{
    AgentChoice, ConfigChoice, Front, Launch, McpServers, PrintRequest, SessionChoice, Terminals,
};
pub use usage_error::UsageError;

use crate::front::text::clean_line;
use crate::platform::{Env, logging};
use crate::tasks::worker;

/// Words that kimi-cli knows as subcommands and this version does not, with what to do instead.
const MISSING_COMMANDS: &[(&str, &str)] = &[
    ("term", "run kimi without a command: it is the terminal screen"),
    ("web", "run kimi without a command in a terminal"),
    ("vis", "the record of a session is wire.jsonl in its directory under ~/.kimi/sessions"),
];

/// Runs the program with the given arguments, the program's name first.
pub fn main(env: Env, argv: Vec<OsString>) -> ExitCode {
    if let [_, only] = argv.as_slice()
        && (only == "--version" || only == "-V")
    {
        return print(&info::version_line());
    }
    let as_agent = argv.first().is_some_and(|program| wire::is_agent(program));
    let mut args = match Args::read(argv) {
        Ok(args) => args,
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {
            return print(&error.to_string());
        }
        // `kimi mcp` without saying what.
        Err(error)
            if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand =>
        {
            complain(&error.to_string());
            return ExitCode::Usage;
        }
        Err(error) => return refuse(&UsageError::from_parser(&error)),
    };
    if args.version {
        return print(&info::version_line());
    }
    match &args.command {
        Some(Command::Info { json: false }) => return print(&info::text()),
        Some(Command::Info { json: true }) => return print(&info::json()),
        Some(Command::Ctl { command }) => return ctl::main(command.as_ref(), &env),
        Some(Command::Export(export)) => {
            return export::run(export, args.work_dir.as_deref(), &env);
        }
        Some(Command::Doctor(doctor)) => {
            let (file, text) = (args.config_file.as_deref(), args.config.as_deref());
            return doctor::run(doctor, file, text, &env);
        }
        Some(Command::Completions { shell }) => return completions::run(*shell),
        Some(Command::Login { json }) => return login::log_in(*json, &env),
        Some(Command::Logout { json }) => return login::log_out(*json, &env),
        Some(Command::Mcp { command }) => return servers::run(command, &env),
        Some(Command::Plugin { command }) => return plugin::run(command, &env),
        Some(Command::Worker(worker)) => return attend(worker, &env),
        Some(Command::WebWorker { session }) => return wire::worker(&session.clone(), env),
        Some(Command::Other(words)) => return other_command(words),
        Some(Command::Acp) | None => {}
    }
    args.wire |= as_agent && !wire::asks_for_something_else(&args);
    // The agent's own way to print is kimi-cli's.
    args.print |= as_agent && args.is_prompted();
    let speaks_code = code::is_asked_for(&args, terminals());
    let env = match speaks_code {
        true => code::at_home(env),
        false => code::at_home_of_session(env, &args),
    };
    let refuse = if speaks_code { refuse_as_code } else { refuse };
    if let Err(error) = launch::check_combinations(&args) {
        return refuse(&error);
    }
    if speaks_code && let Err(error) = code::check_combinations(&args) {
        return refuse(&error);
    }
    match Launch::from_args(args, &env, terminals()) {
        Ok(launch) => start(launch, env),
        Err(error) => refuse(&error),
    }
}

fn terminals() -> Terminals {
    Terminals {
        stdin: std::io::stdin().is_terminal(),
        stdout: std::io::stdout().is_terminal(),
        stderr: std::io::stderr().is_terminal(),
    }
}

/// Runs a session with its front end.
fn start(launch: Launch, env: Env) -> ExitCode {
    // The screen shows them itself.
    if matches!(launch.front, Front::Print(_)) {
        for notice in &launch.notices {
            complain(&format!("kimi: {notice}\n"));
        }
    }
    let logging = logging::start(&env, launch.debug);
    let speaks_code = launch.speaks_code();
    let code = match run::run(launch, env) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<UsageError>() {
            Some(usage) if speaks_code => refuse_as_code(usage),
            Some(usage) => refuse(usage),
            None => {
                match speaks_code {
                    true => complain(&code::failure(&error, &told(&error))),
                    false => complain(&format!("{}\n", clean_line(&told(&error)))),
                }
                if logging.has_written() {
                    complain(&format!("See logs: {}\n", logging.file().display()));
                }
                ExitCode::Failure
            }
        },
    };
    drop(logging);
    code
}

/// Attends a background command to its end.
fn attend(args: &WorkerArgs, env: &Env) -> ExitCode {
    let pace = worker::Pace {
        heartbeat: Duration::from_millis(args.heartbeat_interval_ms),
        poll: Duration::from_millis(args.control_poll_interval_ms.max(10)),
        grace: Duration::from_millis(args.kill_grace_period_ms),
    };
    match worker::run(&args.task_dir, pace, env) {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            complain(&format!("{}\n", clean_line(&error.to_string())));
            ExitCode::Failure
        }
    }
}

/// An error with its causes, each said once: many messages name their cause already.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match (told.is_empty(), told.contains(&cause)) {
            (true, _) => cause,
            (false, true) => told,
            (false, false) => format!("{told}: {cause}"),
        }
    })
}

fn other_command(words: &[OsString]) -> ExitCode {
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    match MISSING_COMMANDS.iter().find(|(name, _)| *name == word) {
        Some((name, instead)) => missing(name, instead),
        None => refuse(&UsageError::no_such_command(&word)),
    }
}

fn missing(what: &str, instead: &str) -> ExitCode {
    let instead = if instead.is_empty() { String::new() } else { format!("; {instead}") };
    complain(&format!("kimi: '{what}' is not part of this version yet{instead}\n"));
    ExitCode::Failure
}

fn refuse(error: &UsageError) -> ExitCode {
    complain(&error.report());
    ExitCode::Usage
}

/// kimi-code knows one status for everything that it does not do.
fn refuse_as_code(error: &UsageError) -> ExitCode {
    complain(&format!("error: {error}\n"));
    ExitCode::Failure
}

/// Writes to stdout. A reader that has gone away is no failure: `kimi --help | head -1`.
fn print(text: &str) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::Success,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::Success,
        Err(_) => ExitCode::Failure,
    }
}

/// Writes to stderr. When that fails there is nobody left to tell.
fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
