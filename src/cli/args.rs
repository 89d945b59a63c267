//! The command line as it was typed: every option, unchecked. [`super::Launch`] is what it means.
//!
//! Names, aliases and value shapes are those of kimi-cli 1.49 (its option table), plus two of
//! kimi-code: `-c` without a text continues the last session, and `--auto` is understood. `--auto`
//! stays out of the help: programs that drive Kimi through tmux read the help to tell the two
//! dialects apart, and take a listed `--auto` for kimi-code.
//!
//! Values stay text here, also numbers and choices, so that all messages about them are worded in
//! one place.

use std::ffi::OsString;
use std::path::PathBuf;

use super::completions::Shell;
use super::ctl::{CtlCommand, EXIT_STATUS};
use super::doctor::DoctorArgs;
use super::export::ExportArgs;
use super::plugin::PluginCommand;
use super::servers::McpCommand;
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

/// Columns of the help text. Fixed, so that it reads the same in a pipe and on every terminal.
const HELP_WIDTH: usize = 80;

const PROMPTING: &str = "One-shot use";
const SESSION: &str = "Session";
const MODEL: &str = "Model and limits";
const APPROVAL: &str = "Approval";
const EXTEND: &str = "Customisation";
const CONFIG: &str = "Configuration";
const OTHER: &str = "Other";

/// The options of `kimi`.
#[derive(Debug, Default, Parser)]
#[command(
    name = "kimi",
    bin_name = "kimi",
    about = "A coding assistant for the terminal. Without options it opens the full screen.",
    override_usage = "kimi [OPTIONS] [COMMAND] [ARGS]...",
    args_override_self = true,
    disable_help_flag = true,
    disable_help_subcommand = true,
    max_term_width = HELP_WIDTH,
    term_width = HELP_WIDTH
)]
pub struct Args {
    /// Ask TEXT. On a terminal it becomes the first message; in a pipe it is answered on stdout.
    #[arg(
        short = 'p',
        long,
        visible_alias = "command",
        value_name = "TEXT",
        allow_hyphen_values = true,
        help_heading = PROMPTING
    )]
    pub prompt: Option<String>,

    /// Like -p TEXT. Without TEXT: like -C.
    #[arg(short = 'c', value_name = "TEXT", num_args = 0..=1, help_heading = PROMPTING)]
    pub command_or_continue: Option<Option<String>>,

    /// Answer on stdout without a screen, approve every tool call, exit.
    #[arg(long, help_heading = PROMPTING)]
    pub print: bool,

    /// Like --print, but only the last message, as text.
    #[arg(long, help_heading = PROMPTING)]
    pub quiet: bool,

    /// With --print: stdin is text or stream-json.
    #[arg(long, value_name = "FORMAT", help_heading = PROMPTING)]
    pub input_format: Option<String>,

    /// With --print or -p: text or stream-json out.
    #[arg(long, value_name = "FORMAT", help_heading = PROMPTING)]
    pub output_format: Option<String>,

    /// With --print: only the last message.
    #[arg(long, help_heading = PROMPTING)]
    pub final_message_only: bool,

    /// Resume session ID; a new ID is created. Without ID: choose from a list.
    #[arg(
        short = 'S',
        long,
        visible_alias = "resume",
        visible_short_alias = 'r',
        value_name = "ID",
        num_args = 0..=1,
        help_heading = SESSION
    )]
    pub session: Option<Option<String>>,

    /// Resume the last session of the working directory.
    #[arg(short = 'C', long = "continue", help_heading = SESSION)]
    pub continue_last: bool,

    /// Work in DIR instead of the current directory.
    #[arg(short = 'w', long, value_name = "DIR", help_heading = SESSION)]
    pub work_dir: Option<PathBuf>,

    /// Also work in DIR. Repeatable.
    #[arg(long, value_name = "DIR", action = ArgAction::Append, help_heading = SESSION)]
    pub add_dir: Vec<PathBuf>,

    /// Use model NAME of the configuration.
    #[arg(short = 'm', long, value_name = "NAME", help_heading = MODEL)]
    pub model: Option<String>,

    /// Let the model think before it answers.
    #[arg(long, overrides_with = "no_thinking", help_heading = MODEL)]
    pub thinking: bool,

    /// Do not let it think.
    #[arg(long, overrides_with = "thinking", help_heading = MODEL)]
    pub no_thinking: bool,

    /// Stop a turn after N model requests.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = MODEL)]
    pub max_steps_per_turn: Option<String>,

    /// Try a failing model request N times in all.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = MODEL)]
    pub max_retries_per_step: Option<String>,

    /// Stop when N tokens are used, in and out.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = MODEL)]
    pub max_tokens_total: Option<String>,

    /// Stop when so many US dollars are spent.
    #[arg(long, value_name = "USD", allow_negative_numbers = true, help_heading = MODEL)]
    pub max_budget_usd: Option<String>,

    /// Stop after this time: 90s, 15m, 2h30m.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, help_heading = MODEL)]
    pub timeout: Option<String>,

    /// Go over a task again N times, -1 without end.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = MODEL)]
    pub max_ralph_iterations: Option<String>,

    /// Approve every tool call.
    #[arg(
        short = 'y',
        long,
        visible_alias = "yes",
        visible_alias = "auto-approve",
        help_heading = APPROVAL
    )]
    pub yolo: bool,

    /// Nobody is there: approve every tool call and ask no questions.
    #[arg(long, help_heading = APPROVAL)]
    pub afk: bool,

    /// Kimi-code's word for unattended mode.
    #[arg(long, hide = true)]
    pub auto: bool,

    /// Plan first, change nothing until the plan is approved.
    #[arg(long, help_heading = APPROVAL)]
    pub plan: bool,

    /// Use the agent described in FILE (YAML, .md).
    #[arg(long, value_name = "FILE", help_heading = EXTEND)]
    pub agent_file: Option<PathBuf>,

    /// Use an agent: default, okabe, or one of yours.
    #[arg(long, value_name = "NAME", help_heading = EXTEND)]
    pub agent: Option<String>,

    /// Add the MCP servers of this JSON text. Repeatable.
    #[arg(long, value_name = "JSON", action = ArgAction::Append, help_heading = EXTEND)]
    pub mcp_config: Vec<String>,

    /// Use the MCP servers of FILE instead of ~/.kimi/mcp.json. Repeatable.
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = EXTEND)]
    pub mcp_config_file: Vec<PathBuf>,

    /// Look for skills in DIR instead of the usual places. Repeatable.
    #[arg(long, value_name = "DIR", action = ArgAction::Append, help_heading = EXTEND)]
    pub skills_dir: Vec<PathBuf>,

    /// Read the configuration from FILE (TOML, or JSON by its suffix) instead of
    /// ~/.kimi/config.toml.
    #[arg(long, value_name = "FILE", help_heading = CONFIG)]
    pub config_file: Option<PathBuf>,

    /// Take this text (JSON or TOML) as the configuration.
    #[arg(long, value_name = "TEXT", help_heading = CONFIG)]
    pub config: Option<String>,

    /// Speak JSON-RPC on stdin and stdout, for programs.
    #[arg(long, help_heading = OTHER)]
    pub wire: bool,

    /// The old name of kimi acp.
    #[arg(long, help_heading = OTHER)]
    pub acp: bool,

    /// Write a detailed log to ~/.kimi/logs/kimi.log.
    #[arg(long, help_heading = OTHER)]
    pub debug: bool,

    /// Taken for old scripts; --debug writes the log.
    #[arg(long, help_heading = OTHER)]
    pub verbose: bool,

    /// Print the version.
    #[arg(short = 'V', long, help_heading = OTHER)]
    pub version: bool,

    /// Print this help.
    #[arg(short = 'h', long, action = ArgAction::Help, global = true, help_heading = OTHER)]
    help: Option<bool>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print versions of the program and its protocols.
    #[command(override_usage = "kimi info [OPTIONS]")]
    Info {
        /// As one line of JSON.
        #[arg(long, help_heading = "Options")]
        json: bool,
    },
    /// See what the instances that run do, and drive them.
    #[command(override_usage = "kimi ctl [OPTIONS] <COMMAND>", after_help = EXIT_STATUS)]
    Ctl {
        #[command(subcommand)]
        command: Option<CtlCommand>,
    },
    /// Pack a session into a ZIP file, for a report.
    #[command(override_usage = "kimi export [OPTIONS] [SESSION_ID]")]
    Export(ExportArgs),
    /// See whether everything is as it has to be.
    #[command(override_usage = "kimi doctor [OPTIONS]")]
    Doctor(DoctorArgs),
    /// Print what a shell needs to complete kimi's words.
    #[command(
        override_usage = "kimi completions <SHELL>",
        after_help = "Put it where your shell looks for completions, or into its start-up file:\n  \
            source <(kimi completions bash)\n  source <(kimi completions zsh)\n  \
            kimi completions fish | source"
    )]
    Completions {
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Serve an editor over the Agent Client Protocol on stdin and stdout.
    #[command(override_usage = "kimi acp")]
    Acp,
    /// Sign in to your Kimi account, in the browser.
    #[command(override_usage = "kimi login [OPTIONS]")]
    Login {
        /// Tell what happens as lines of JSON.
        #[arg(long, help_heading = "Options")]
        json: bool,
    },
    /// Sign out of your Kimi account.
    #[command(override_usage = "kimi logout [OPTIONS]")]
    Logout {
        /// Tell what happens as lines of JSON.
        #[arg(long, help_heading = "Options")]
        json: bool,
    },
    /// Add, list, remove and test MCP servers.
    #[command(override_usage = "kimi mcp COMMAND [ARGS]...", subcommand_required = true)]
    Mcp {
        #[command(subcommand)]
        command: McpCommand,
    },
    /// Install, list and remove plugins.
    #[command(override_usage = "kimi plugin COMMAND [ARGS]...", subcommand_required = true)]
    Plugin {
        #[command(subcommand)]
        command: PluginCommand,
    },
    /// Attends a background command; this program starts it by itself.
    #[command(name = "__background-task-worker", hide = true)]
    Worker(WorkerArgs),
    /// Serves one session of kimi-cli's web server, which starts this.
    #[command(name = "__web-worker", hide = true)]
    WebWorker {
        /// The session's id.
        session: String,
    },
    /// A word that is none of the above, with what follows it.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// How a worker is told to work. Numbers are milliseconds.
#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    #[arg(long)]
    pub task_dir: PathBuf,
    #[arg(long, default_value_t = 5_000)]
    pub heartbeat_interval_ms: u64,
    #[arg(long, default_value_t = 500)]
    pub control_poll_interval_ms: u64,
    #[arg(long, default_value_t = 2_000)]
    pub kill_grace_period_ms: u64,
}

impl Args {
    /// Reads a command line; the first word is the program's name.
    pub fn read(argv: Vec<OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(argv)
    }

    /// Whether there is a prompt, blank or not.
    pub(super) fn is_prompted(&self) -> bool {
        self.prompt.is_some() || matches!(self.command_or_continue, Some(Some(_)))
    }

    /// Whether the help names this long option, given with its dashes.
    pub(super) fn lists(option: &str) -> bool {
        let name = option.trim_start_matches('-');
        let command = Self::command();
        command.get_arguments().filter(|arg| !arg.is_hide_set()).any(|arg| {
            arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&name))
        })
    }
}
