//! What a command line means: checked, without contradictions, paths absolute.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::checks::{self, JsonObject};
use super::{Args, Command, UsageError, code};
use crate::agent::Budget;
use crate::customize::Builtin;
use crate::front::print::{Dialect, Format, PrintOptions};
use crate::platform::Env;

/// kimi-code's variable for the form of the output where the command line says nothing.
const OUTPUT_FORMAT: &str = "KIMI_MODEL_OUTPUT_FORMAT";

/// Which of the standard streams are terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminals {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

/// Everything the command line decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    pub front: Front,
    pub terminals: Terminals,
    /// Absolute, without `.` and `..`, symlinks left as they are: session records are found by it.
    pub work_dir: PathBuf,
    /// Real paths outside the work directory, each once.
    pub add_dirs: Vec<PathBuf>,
    pub session: SessionChoice,
    pub config: ConfigChoice,
    /// A key of `[models]`.
    pub model: Option<String>,
    /// `None` leaves it to the configuration.
    pub thinking: Option<bool>,
    /// Approve every call. False leaves it to the configuration and the session.
    pub yolo: bool,
    /// Nobody is there, remembered in the session. Print mode is unattended also without it.
    pub afk: bool,
    /// Begin in plan mode.
    pub plan: bool,
    pub agent: AgentChoice,
    pub mcp: McpServers,
    /// Directories that replace the search for skills; empty leaves it.
    pub skills_dirs: Vec<PathBuf>,
    pub max_steps_per_turn: Option<u32>,
    /// Attempts in all, not extra ones.
    pub max_retries_per_step: Option<u32>,
    /// How often a task is gone over again: 0 for not at all, -1 for as often as the model wants.
    pub max_ralph_iterations: Option<i64>,
    pub budget: Budget,
    pub debug: bool,
    pub verbose: bool,
    /// Lines for stderr about options that are accepted and do nothing in this version.
    pub notices: Vec<String>,
}

/// Which front end serves the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Front {
    Tui {
        /// Sent as the first message. Never blank.
        initial_prompt: Option<String>,
    },
    Print(PrintRequest),
    /// A program drives the session over JSON-RPC.
    Wire {
        /// A web server has started this and has made the session: stderr is shown to its user.
        worker: bool,
    },
    /// An editor drives sessions of its own over the Agent Client Protocol.
    Acp {
        /// As `--acp`, in whose place the subcommand is.
        deprecated: bool,
    },
}

/// What print mode was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintRequest {
    /// kimi-code's for a bare `-p`.
    pub dialect: Dialect,
    /// Never blank. `None`: stdin holds the prompt.
    pub prompt: Option<String>,
    pub input_format: Format,
    pub output_format: Format,
    pub final_only: bool,
}

/// Which session to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChoice {
    New,
    /// This one; made if it does not exist. A plain name, usable as that of a directory.
    Id(String),
    /// The last one of the work directory.
    Continue,
    /// Let the person choose.
    Picker,
}

/// Where the configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChoice {
    /// `config.toml` in the data directory.
    Default,
    /// Absolute path; JSON when it ends in `.json`, else TOML.
    File(PathBuf),
    /// JSON or TOML that was checked.
    Text(String),
}

/// Who works in the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentChoice {
    Builtin(Builtin),
    /// An agent file; absolute.
    File(PathBuf),
}

/// MCP servers that the command line names. Each value is the JSON object as it was given: with an
/// `mcpServers` wrapper or a plain map of name to server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct McpServers {
    /// Contents of the files, which replace the default file; empty leaves that one.
    pub files: Vec<(PathBuf, Map<String, Value>)>,
    /// Added to the files.
    pub inline: Vec<Map<String, Value>>,
}

impl Launch {
    /// Whether it is kimi-code's way to ask once.
    pub fn speaks_code(&self) -> bool {
        matches!(&self.front, Front::Print(request) if request.dialect != Dialect::Cli)
    }

    /// How to run print mode, if that is what was asked for.
    pub fn print_options(&self, session_id: &str) -> Option<PrintOptions> {
        let Front::Print(request) = &self.front else {
            return None;
        };
        Some(PrintOptions {
            dialect: request.dialect,
            columns: None,
            prompt: request.prompt.clone(),
            input_format: request.input_format,
            output_format: request.output_format,
            final_only: request.final_only,
            stdin_is_terminal: self.terminals.stdin,
            stdout_is_terminal: self.terminals.stdout,
            stderr_is_terminal: self.terminals.stderr,
            session_id: session_id.to_owned(),
        })
    }

    /// Checks a command line. The rules and the wording of their messages are kimi-cli's, with
    /// three differences, all where kimi-cli has an error or waits for a keyboard that is not
    /// there: `-p` with `--output-format` is print mode, as in kimi-code; so is `-p` when stdout is
    /// not a terminal; and a work directory need not be writable.
    pub fn from_args(args: Args, env: &Env, terminals: Terminals) -> Result<Self, UsageError> {
        check_combinations(&args)?;
        let speaks_code = code::is_asked_for(&args, terminals);
        let (short_prompt, short_continue) = match args.command_or_continue {
            Some(Some(text)) => (Some(text), false),
            Some(None) => (None, true),
            None => (None, false),
        };
        let prompt = match args.prompt.or(short_prompt) {
            Some(text) if text.trim().is_empty() => {
                return Err(UsageError::invalid("--prompt", "Prompt cannot be empty"));
            }
            Some(text) => Some(text.trim().to_owned()),
            None => None,
        };
        let input_format = args.input_format.as_deref();
        let input_format =
            input_format.map(|name| checks::format("--input-format", name)).transpose()?;
        let output_format = args.output_format.as_deref();
        let output_format =
            output_format.map(|name| checks::format("--output-format", name)).transpose()?;
        let by_default = env.var(OUTPUT_FORMAT).filter(|_| speaks_code && output_format.is_none());
        let by_default = by_default.map(|name| checks::format(OUTPUT_FORMAT, name.trim()));
        let output_format = output_format.or(by_default.transpose()?);
        let subcommand = matches!(args.command, Some(Command::Acp));
        let front = if args.acp || subcommand {
            Front::Acp { deprecated: !subcommand }
        } else if args.wire {
            if prompt.is_some() {
                tracing::warn!("the prompt of the command line is left out: --wire has its own");
            }
            Front::Wire { worker: false }
        } else if args.print || args.quiet || speaks_code {
            Front::Print(PrintRequest {
                dialect: if speaks_code { code::dialect(env) } else { Dialect::Cli },
                prompt,
                input_format: input_format.unwrap_or(Format::Text),
                output_format: output_format.unwrap_or(Format::Text),
                final_only: args.final_message_only || args.quiet,
            })
        } else {
            Front::Tui { initial_prompt: prompt }
        };

        let session = match args.session {
            None if args.continue_last || short_continue => SessionChoice::Continue,
            None => SessionChoice::New,
            Some(Some(id)) if !id.trim().is_empty() => SessionChoice::Id(checks::session_id(&id)?),
            Some(_) => SessionChoice::Picker,
        };
        if session == SessionChoice::Picker && !matches!(front, Front::Tui { .. }) {
            return Err(UsageError::invalid(
                "--session",
                "--session without a session ID is only supported for shell UI",
            ));
        }

        let work_dir = match &args.work_dir {
            Some(dir) => checks::directory("'--work-dir' / '-w'", dir, env)?,
            None => env.cwd.clone(),
        };
        let add_dirs = checks::additional_dirs(&args.add_dir, &work_dir, env)?;
        let config = match (args.config, &args.config_file) {
            (Some(text), _) => ConfigChoice::Text(checks::config_text(text)?),
            (None, Some(file)) => ConfigChoice::File(checks::file("'--config-file'", file, env)?),
            (None, None) => ConfigChoice::Default,
        };
        let agent = match (&args.agent_file, &args.agent) {
            (Some(file), _) => AgentChoice::File(checks::file("'--agent-file'", file, env)?),
            (None, Some(name)) => checks::agent(name, &work_dir, env)?,
            (None, None) => AgentChoice::Builtin(Builtin::Default),
        };
        let mut mcp = McpServers::default();
        for file in &args.mcp_config_file {
            let path = checks::file("'--mcp-config-file'", file, env)?;
            let text = checks::read("--mcp-config-file", &path)?;
            let JsonObject(servers) = checks::json("--mcp-config-file", &text)?;
            mcp.files.push((path, servers));
        }
        for text in &args.mcp_config {
            let JsonObject(servers) = checks::json("--mcp-config", text)?;
            mcp.inline.push(servers);
        }
        let skills_dirs = args.skills_dir.iter();
        let skills_dirs = skills_dirs
            .map(|dir| checks::directory("'--skills-dir'", dir, env))
            .collect::<Result<_, _>>()?;

        let notices = Vec::new();
        let ralph = args.max_ralph_iterations.as_deref();
        let ralph =
            ralph.map(|n| checks::at_least("'--max-ralph-iterations'", n, -1)).transpose()?;
        let renewed_by_prompts = matches!(front, Front::Tui { .. } | Front::Acp { .. });
        Ok(Self {
            front,
            terminals,
            work_dir,
            add_dirs,
            session,
            config,
            model: args.model.filter(|name| !name.trim().is_empty()),
            thinking: match (args.thinking, args.no_thinking) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
            yolo: args.yolo,
            afk: args.afk || args.auto,
            plan: args.plan,
            agent,
            mcp,
            skills_dirs,
            max_steps_per_turn: checks::count("'--max-steps-per-turn'", args.max_steps_per_turn)?,
            max_retries_per_step: checks::count(
                "'--max-retries-per-step'",
                args.max_retries_per_step,
            )?,
            max_ralph_iterations: ralph,
            budget: Budget {
                tokens: checks::tokens("'--max-tokens-total'", args.max_tokens_total.as_deref())?,
                usd: checks::dollars("'--max-budget-usd'", args.max_budget_usd.as_deref())?,
                time: checks::time("'--timeout'", args.timeout.as_deref())?,
                renewed_by_prompts,
            },
            debug: args.debug,
            verbose: args.verbose,
            notices,
        })
    }
}

/// Finds options that exclude each other or that need print mode.
pub(super) fn check_combinations(args: &Args) -> Result<(), UsageError> {
    if args.quiet && (args.acp || args.wire) {
        return Err(UsageError::invalid(
            "--quiet",
            "Quiet mode cannot be combined with ACP or Wire UI",
        ));
    }
    if args.quiet && args.output_format.as_deref().is_some_and(|format| format != "text") {
        return Err(UsageError::invalid("--quiet", "Quiet mode implies `--output-format text`"));
    }
    let print = args.print || args.quiet;
    let short_continue = args.command_or_continue == Some(None);
    let groups: [&[(&str, bool)]; 4] = [
        &[("--print", print), ("--acp", args.acp), ("--wire", args.wire)],
        &[("--agent", args.agent.is_some()), ("--agent-file", args.agent_file.is_some())],
        &[
            ("--continue", args.continue_last || short_continue),
            ("--session", args.session.is_some()),
        ],
        &[("--config", args.config.is_some()), ("--config-file", args.config_file.is_some())],
    ];
    for group in groups {
        let given: Vec<&str> =
            group.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        if let [first, _, ..] = given.as_slice() {
            return Err(UsageError::invalid(
                first,
                format!("Cannot combine {}.", given.join(", ")),
            ));
        }
    }
    let prompted = args.is_prompted();
    let print_only = [
        ("--input-format", args.input_format.is_some() && !prompted, "Input format is"),
        ("--output-format", args.output_format.is_some() && !prompted, "Output format is"),
        ("--final-message-only", args.final_message_only, "Final-message-only output is"),
    ];
    for (option, given, subject) in print_only {
        if given && !print {
            let message = format!("{subject} only supported for print UI");
            return Err(UsageError::invalid(option, message));
        }
    }
    Ok(())
}
