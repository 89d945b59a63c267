//! What another program is told about a running instance, and what it may ask of it.
//!
//! [`Instance`] is the content of the state file `run/<pid>.json`; [`Ask`] lines go into the socket
//! beside it, one JSON object a line, and each is answered by one [`Answer`] line (`watch` by many).
//! The shape of the state file follows tmux-contract section 7A; unknown fields are to be ignored.

use serde::{Deserialize, Serialize};

/// The version of these shapes. A reader that knows only an older one may go on reading: fields are
/// added, never taken away, without a new number.
pub const CONTROL_VERSION: u32 = 1;

/// The longest line into the socket, in bytes without its end.
pub const MAX_LINE: usize = 16 << 20;

/// The phase of a process that is stopped (Ctrl-Z, SIGSTOP); its state is busy, since it takes
/// nothing before it goes on.
pub const STOPPED: &str = "stopped";

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing runs, the next message begins a turn.
    Idle,
    /// A turn runs.
    Busy,
    /// A turn runs and waits for the answer to [`Instance::ask`].
    Ask,
    /// It can take no more messages.
    Error,
    /// The process has ended or is about to.
    Exited,
}

impl State {
    /// The word as it stands in the file and in tmux's `@kimi_state`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Ask => "ask",
            Self::Error => "error",
            Self::Exited => "exited",
        }
    }
}

/// Which front end an instance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Tui,
    Print,
}

/// One running instance, as its state file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// [`CONTROL_VERSION`].
    pub v: u32,
    /// Grows by one with every change of anything below. Starts at 1.
    pub seq: u64,
    pub state: State,
    /// Turns begun by this process. 0 before the first.
    pub turn: u64,
    /// `think`, `write`, `tool:<name>`, `tools:<count>`, `retry`, `compact`, `work`; [`STOPPED`];
    /// absent while idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// When `state` became what it is, Unix time in seconds.
    pub since: f64,
    pub mode: Mode,
    pub version: String,
    pub pid: u32,
    /// When the process started, Unix time in seconds.
    pub started: f64,
    /// The device of the terminal, `/dev/pts/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// `$TMUX_PANE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tmux_pane: Option<String>,
    /// The socket of the tmux server, from `$TMUX`: pane names are unique only within a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tmux_socket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cao_terminal_id: Option<String>,
    /// The id of the open session and its directory.
    pub session: String,
    pub session_dir: String,
    pub cwd: String,
    /// What the user calls the model; absent when none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How full the context is, 0 to 1.
    pub context: f64,
    /// Messages that wait for the running turn to end.
    pub queued: usize,
    /// The newest message that was taken, from whoever: the delivery receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Receipt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<OpenAsk>,
    /// How the newest ended turn ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastTurn>,
    /// Where [`Command`] lines go; absent when there is no socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
}

/// Proof of what was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which message of this process, from 1.
    pub n: u64,
    /// Of the text as the model gets it, UTF-8, in hex.
    pub sha256: String,
    pub bytes: usize,
    /// The turn it began or went into; absent while it waits in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u64>,
}

/// What kind of question is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskKind {
    Approval,
    Question,
}

/// A question that is open, with everything that is needed to answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAsk {
    /// Names the question in a [`Command::Answer`].
    pub id: String,
    pub kind: AskKind,
    /// What is asked, in words; of several questions, the first.
    pub text: String,
    /// The choices of the (first) question.
    pub options: Vec<AskOption>,
    /// All questions, when the kind is `question`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<AskQuestion>,
    /// How many more wait behind it.
    pub behind: usize,
}

/// One of the questions that are asked together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskQuestion {
    pub text: String,
    pub header: String,
    pub multi_select: bool,
    pub options: Vec<AskOption>,
}

/// One choice. The numbers are the keys that choose it on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskOption {
    pub n: usize,
    /// What the program calls it: `approve`, `approve_for_session`, `reject`; of a question, its label.
    pub name: String,
    /// What the screen calls it.
    pub label: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether words of one's own go with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_text: bool,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    Done,
    Cancelled,
    /// It failed, or ran into the limit of steps.
    Error,
}

/// The newest ended turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTurn {
    pub turn: u64,
    pub finish: Finish,
    /// What went wrong, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The file with the whole answer; absent when the turn had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Of the answer's text, without the line feed that the file may have at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub bytes: usize,
}

/// A line into the socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Command {
    /// The state as it is.
    State,
    /// The state as soon as it is one of `until` (none: anything but busy, or with `turn` anything),
    /// and all given bounds hold. One that has left will never be more: refused as `leaving`, unless
    /// that was waited for.
    Wait {
        #[serde(default)]
        until: Vec<State>,
        /// This turn has ended, or it or a later one asks something, or no turn can end any more.
        #[serde(default)]
        turn: Option<u64>,
        /// The sequence number is greater.
        #[serde(default)]
        after_seq: Option<u64>,
        #[serde(default)]
        timeout_ms: Option<u64>,
    },
    /// The state now and after every change, a line each, until the reader hangs up.
    Watch,
    /// The newest answer, whole.
    Last,
    /// Send a message, as if it had been typed and sent. A running turn ends first, unless `steer`.
    Send {
        text: String,
        #[serde(default)]
        steer: bool,
    },
    /// Answer the open question. With `id`, only that one.
    Answer {
        #[serde(default)]
        id: Option<String>,
        /// One entry for an approval; for a question one entry for each, in their order.
        #[serde(default)]
        choices: Vec<Choice>,
    },
    /// Stop the running turn.
    Interrupt,
}

/// What is chosen for one question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Numbers of options, from 1.
    #[serde(default)]
    pub numbers: Vec<usize>,
    /// Names or labels of options.
    #[serde(default)]
    pub names: Vec<String>,
    /// Words of one's own: feedback with a rejection, or an answer that is no option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A line out of the socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Refusal>,
    /// The state after the command was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<Instance>>,
    /// Of `send`: what was taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Of `last`: the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Answer {
    /// It went well.
    pub fn ok() -> Self {
        Self { ok: true, error: None, state: None, receipt: None, text: None }
    }

    /// It did not.
    pub fn refused(code: RefusalCode, message: impl Into<String>) -> Self {
        let error = Some(Refusal { code, message: message.into() });
        Self { ok: false, error, ..Self::ok() }
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// One line for a person.
    pub message: String,
}

/// The classes of refusals that programs tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// Not a line of this protocol, or one that is too long.
    BadCommand,
    /// There is no question, or not the one that is named.
    NoSuchAsk,
    /// The choice does not fit the question.
    BadChoice,
    /// Not while a turn runs, or only while one runs.
    WrongState,
    /// There is no answer yet.
    NoAnswer,
    /// This needs a person at the terminal, or another kind of instance.
    NotHere,
    /// The caller may not: it runs inside this instance, or belongs to another user.
    NotAllowed,
    Timeout,
    /// The instance is leaving.
    Leaving,
}
