//! The words of `kimi ctl`, as they were typed. Numbers stay text here, so that all messages about
//! them are worded in one place; see [`super::values`].

use std::path::PathBuf;

use clap::Subcommand;

use super::EXIT_STATUS;

const INSTANCE: &str = "Which instance (without: the only one that runs)";
const OPTIONS: &str = "Options";

/// What may be asked of a running instance.
#[derive(Debug, Subcommand)]
pub enum CtlCommand {
    /// List the instances that run.
    #[command(override_usage = "kimi ctl list [OPTIONS]")]
    List {
        /// As one JSON array.
        #[arg(long, help_heading = OPTIONS)]
        json: bool,
    },

    /// Say what an instance does. The first word is idle, busy, ask or error.
    #[command(override_usage = "kimi ctl state [OPTIONS]")]
    State {
        #[command(flatten)]
        target: Target,
        /// As one line of JSON: the content of its state file.
        #[arg(long, help_heading = OPTIONS)]
        json: bool,
    },

    /// Wait until an instance is no longer busy; print the word for what it is then.
    #[command(override_usage = "kimi ctl wait [OPTIONS]", after_help = EXIT_STATUS)]
    Wait {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        bounds: Bounds,
    },

    /// Print what an instance does, a line for each change, until it ends.
    #[command(override_usage = "kimi ctl watch [OPTIONS]")]
    Watch {
        #[command(flatten)]
        target: Target,
        /// JSON lines.
        #[arg(long, help_heading = OPTIONS)]
        json: bool,
    },

    /// Print the newest answer, byte for byte.
    #[command(override_usage = "kimi ctl last [OPTIONS]")]
    Last {
        #[command(flatten)]
        target: Target,
        /// As one line of JSON.
        #[arg(long, help_heading = OPTIONS)]
        json: bool,
    },

    /// Send a message, as if it had been typed.
    #[command(
        override_usage = "kimi ctl send [OPTIONS] [--] [TEXT | -]",
        after_help = EXIT_STATUS
    )]
    Send {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: SendOptions,
    },

    /// Answer the open question.
    #[command(
        override_usage = "kimi ctl answer [OPTIONS] CHOICE...",
        after_help = "CHOICE, for an approval: a number of the list that `kimi ctl state` prints, \
                      approve, approve_for_session or reject. For questions one CHOICE for each, \
                      in their order: a number, numbers joined by commas where several may be \
                      chosen, a whole label, or =WORDS for an answer of your own."
    )]
    Answer {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        options: AnswerOptions,
    },

    /// Stop the running turn.
    #[command(override_usage = "kimi ctl interrupt [OPTIONS]")]
    Interrupt {
        #[command(flatten)]
        target: Target,
        /// As one line of JSON.
        #[arg(long, help_heading = OPTIONS)]
        json: bool,
    },
}

// Doc comments on the following would replace the lines above in the help.

// Which instance is meant; everything that is given has to fit.
#[derive(Debug, Default, clap::Args)]
pub struct Target {
    /// The one in this tmux pane, as %3.
    #[arg(long, value_name = "PANE", help_heading = INSTANCE)]
    pub pane: Option<String>,

    /// The one with this process ID.
    #[arg(long, value_name = "N", help_heading = INSTANCE)]
    pub pid: Option<String>,

    /// The one with this session open; the beginning of the ID is enough.
    #[arg(long, value_name = "ID", help_heading = INSTANCE)]
    pub session: Option<String>,

    /// The one that works in DIR.
    #[arg(long, value_name = "DIR", help_heading = INSTANCE)]
    pub cwd: Option<PathBuf>,
}

// How long `wait` waits.
#[derive(Debug, Default, clap::Args)]
pub struct Bounds {
    /// Until turn N has ended or asks something.
    #[arg(long, value_name = "N", help_heading = OPTIONS)]
    pub turn: Option<String>,

    /// Until there is something newer than SEQ, the `seq` of an earlier state.
    #[arg(long, value_name = "SEQ", help_heading = OPTIONS)]
    pub after: Option<String>,

    /// Until it is one of these, joined by commas: idle, busy, ask, error, exited.
    #[arg(long, value_name = "STATES", help_heading = OPTIONS)]
    pub state: Option<String>,

    /// No longer than this.
    #[arg(long, value_name = "SECS", help_heading = OPTIONS)]
    pub timeout: Option<String>,
}

// How `send` sends.
#[derive(Debug, Default, clap::Args)]
pub struct SendOptions {
    /// Give it to the running turn instead of queueing it behind.
    #[arg(long, help_heading = OPTIONS)]
    pub steer: bool,

    /// Wait for the end of the turn that it begins and print the answer.
    #[arg(long, help_heading = OPTIONS)]
    pub wait: bool,

    /// With --wait: no longer than this.
    #[arg(long, value_name = "SECS", help_heading = OPTIONS)]
    pub timeout: Option<String>,

    /// The receipt, with --wait also the answer, as lines of JSON.
    #[arg(long, help_heading = OPTIONS)]
    pub json: bool,

    /// The message. Without TEXT, or with -, it is read from stdin.
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
}

// What `answer` answers.
#[derive(Debug, Default, clap::Args)]
pub struct AnswerOptions {
    /// Only if this question is the open one; `id` of the `ask` of `kimi ctl state --json`.
    #[arg(long, value_name = "ID", help_heading = OPTIONS)]
    pub id: Option<String>,

    /// Words that go with it: what to do instead of what is rejected.
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true, help_heading = OPTIONS)]
    pub text: Option<String>,

    /// As one line of JSON.
    #[arg(long, help_heading = OPTIONS)]
    pub json: bool,

    /// What is chosen; see below.
    #[arg(value_name = "CHOICE")]
    pub choices: Vec<String>,
}
