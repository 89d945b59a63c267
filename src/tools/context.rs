//! The seam between a tool and the agent that runs it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::file_access::{Editor, cancelled};
use super::{GoalKeeper, Mailbox, PlanMode, Terminals, schema};
use crate::llm::{Capabilities, Llm};
use crate::permission::Withheld;
use crate::platform::Env;
use crate::protocol::{
    DisplayBlock, Question, QuestionForm, QuestionResponse, TodoItem, ToolReturnValue,
};
use crate::tasks::Tasks;

/// A tool. One value serves all calls, several at once.
#[async_trait]
pub trait Tool: Send + Sync {
    /// The canonical name, as kimi-cli has it (`ReadFile`).
    fn name(&self) -> &str;

    /// What the model is told the tool is for.
    fn description(&self) -> &str;

    /// The description for a model with these capabilities; `None` when the tool is of no use to it
    /// and is not offered.
    fn described_for(&self, _: Capabilities) -> Option<String> {
        Some(self.description().to_owned())
    }

    /// The JSON schema of the arguments.
    fn parameters(&self) -> Value;

    /// Holds the arguments of a call against the schema. What is returned is what the call gets; the
    /// error names what is wrong.
    fn check(&self, arguments: Value) -> Result<Value, String> {
        schema::check(&self.parameters(), arguments)
    }

    /// What a call with these arguments may do; decides what may run beside it.
    fn effect(&self, arguments: &Value) -> Effect;

    /// What a call with these arguments, checked, really is, for a tool that passes calls on to others.
    /// `written` are the same as the model wrote them. The error is the answer to a call that cannot
    /// be passed on.
    async fn meant(
        &self,
        arguments: Value,
        written: Value,
        cancel: &CancellationToken,
    ) -> Result<Meant, ToolReturnValue> {
        let _ = cancel;
        Ok(Meant { name: self.name().to_owned(), input: written, arguments })
    }

    /// Whether plan mode lets a call with these arguments begin, for a tool of which the name says too
    /// little: one that itself refuses what does more than read, or that starts an agent. The error
    /// says why not. `None`: its name, or its command, says what it does.
    fn in_plan_mode(&self, _: &Value) -> Option<Result<(), String>> {
        None
    }

    /// The text that permission rules for this tool are held against, such as the type of the agent that
    /// a call starts. `None`: the arguments that every tool of its kind has tell it.
    fn subject(&self, _: &Value) -> Option<String> {
        None
    }

    /// Runs a call. `arguments` has passed the schema. Cancelling `cx.cancel` makes it return soon,
    /// with everything it started gone.
    async fn call(&self, arguments: Value, cx: &CallContext) -> ToolReturn;
}

/// A call as hooks and rules see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Meant {
    /// The tool that does the work, by its full name.
    pub name: String,
    /// Its arguments as the model wrote them.
    pub input: Value,
    /// What the called tool has to get, so that it does exactly this.
    pub arguments: Value,
}

/// What a call may do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Only looks: runs beside other calls.
    Read,
    /// May change something: runs alone, in call order.
    Write,
    /// Starts an agent, whose calls ask for themselves: runs beside other calls.
    Delegate,
    /// Talks to a person: runs alone.
    Interact,
}

/// What a call returns.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolReturn {
    pub value: ToolReturnValue,
    /// Set when a person rejected the call: whether they said what to do instead.
    pub rejected: Option<Rejected>,
}

/// A rejection by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    pub with_feedback: bool,
}

impl From<ToolReturnValue> for ToolReturn {
    fn from(value: ToolReturnValue) -> Self {
        Self { value, rejected: None }
    }
}

impl ToolReturn {
    /// The result of a call that a rule of the user's forbids.
    pub fn denied(reason: String) -> Self {
        ToolReturnValue::error(reason, "Denied by a rule").into()
    }

    /// The result of a call that a person rejected.
    pub fn rejected(feedback: Option<&str>) -> Self {
        let value = match feedback {
            None => ToolReturnValue::error(
                "The user rejected this tool call. Stop here and wait for the user to say what to do next.",
                "Rejected by user",
            ),
            Some(feedback) => ToolReturnValue::error(
                format!(
                    "The user rejected this tool call and gave a reason. User feedback: {feedback}"
                ),
                format!("Rejected: {feedback}"),
            ),
        };
        Self { value, rejected: Some(Rejected { with_feedback: feedback.is_some() }) }
    }
}

/// Everything a call can use.
pub struct CallContext {
    pub call_id: String,
    pub env: Env,
    pub workspace: Arc<Workspace>,
    /// Where to ask a person.
    pub desk: Arc<dyn Desk>,
    /// What searches leave out of their results.
    pub withheld: Withheld,
    pub todos: Arc<dyn TodoStore>,
    /// Hears of every change that a file tool makes.
    pub changes: Arc<dyn ChangeLog>,
    pub goals: Arc<dyn GoalKeeper>,
    pub plan: Arc<dyn PlanMode>,
    /// Text that the call has produced so far goes here for the screen.
    pub live: LiveOutput,
    pub cancel: CancellationToken,
    /// Where the whole of an output goes that was cut for the model. Made when first needed.
    pub spill_dir: PathBuf,
    /// The session's background tasks; `None` for an agent that may not have any.
    pub tasks: Option<Tasks>,
    /// Cancelled when a person wants what runs in the foreground to go on in the background.
    pub to_background: CancellationToken,
    /// The agent that calls is there to look and changes nothing.
    pub reads_only: bool,
    /// The environment variables given to child processes, beyond the inherited ones.
    pub child_env: Vec<(String, String)>,
    /// Where commands run that their user is to see; `None`: here.
    pub terminals: Option<Arc<dyn Terminals>>,
    /// The model that made the call.
    pub llm: Option<Llm>,
    /// Where messages to an earlier point of the conversation go.
    pub mail: Arc<Mailbox>,
}

impl CallContext {
    /// Asks whether the call may go ahead. The error is the result of one that may not, or that was
    /// cancelled before there was an answer.
    pub async fn approved(&self, ask: ApprovalAsk) -> Result<(), ToolReturn> {
        let verdict = tokio::select! {
            verdict = self.desk.approve(ask) => verdict,
            () = self.cancel.cancelled() => return Err(cancelled().into()),
        };
        verdict.refusal().map_or(Ok(()), Err)
    }
}

/// Sends pieces of a call's output to the screen while it runs.
#[derive(Clone)]
pub struct LiveOutput(Arc<dyn Fn(String) + Send + Sync>);

impl LiveOutput {
    /// Live output that is handed to `sink`.
    pub fn new(sink: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Live output that nobody looks at.
    pub fn nowhere() -> Self {
        Self::new(|_| {})
    }

    /// Shows a piece.
    pub fn send(&self, text: impl Into<String>) {
        (self.0)(text.into());
    }
}

/// The directories a session works in.
pub struct Workspace {
    /// Absolute, not resolved through symlinks.
    pub work_dir: PathBuf,
    additional: RwLock<Vec<PathBuf>>,
    /// Directories of skills: what is in them may be listed wherever they are.
    skills: Vec<PathBuf>,
    /// The editor that has its files open, if there is one.
    editor: RwLock<Option<Arc<dyn Editor>>>,
}

impl Workspace {
    /// A workspace of a work directory and further directories.
    pub fn new(work_dir: PathBuf, additional: Vec<PathBuf>) -> Self {
        let (additional, editor) = (RwLock::new(additional), RwLock::default());
        Self { work_dir, additional, skills: Vec::new(), editor }
    }

    /// The editor that has its files open, if there is one.
    pub fn editor(&self) -> Option<Arc<dyn Editor>> {
        self.editor.read().ok().and_then(|editor| editor.clone())
    }

    /// An editor has its files open from now on.
    pub fn open_in(&self, editor: Arc<dyn Editor>) {
        if let Ok(mut known) = self.editor.write() {
            *known = Some(editor);
        }
    }

    /// The same with directories of skills, which may be outside.
    pub fn with_skills(self, skills: Vec<PathBuf>) -> Self {
        Self { skills, ..self }
    }

    /// Whether a path without symlinks in it belongs to a skill.
    pub fn has_skill(&self, real: &Path) -> bool {
        let dirs = self.skills.iter().filter_map(|dir| dir.canonicalize().ok());
        dirs.into_iter().any(|dir| real.starts_with(dir))
    }

    /// The further directories.
    pub fn additional(&self) -> Vec<PathBuf> {
        self.additional.read().map(|dirs| dirs.clone()).unwrap_or_default()
    }

    /// Adds a directory.
    pub fn add(&self, dir: &Path) {
        if let Ok(mut dirs) = self.additional.write()
            && !dirs.iter().any(|known| known == dir)
        {
            dirs.push(dir.to_path_buf());
        }
    }

    /// All directories, the work directory first.
    pub fn roots(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.work_dir.clone()];
        roots.extend(self.additional());
        roots
    }
}

/// Where a call asks a person.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Asks whether the call may go ahead. Waits for as long as it takes.
    async fn approve(&self, ask: ApprovalAsk) -> ApprovalVerdict;

    /// Puts questions; where they are a form too, who is shown it as one may say no to all of it.
    async fn pose(
        &self,
        call_id: &str,
        questions: Vec<Question>,
        form: Option<QuestionForm>,
    ) -> QuestionOutcome;

    /// Puts questions that are no form.
    async fn ask(&self, call_id: &str, questions: Vec<Question>) -> QuestionOutcome {
        self.pose(call_id, questions, None).await
    }

    /// Whether who is asked can answer in words of their own. Elsewhere a question without options
    /// cannot be answered.
    fn takes_words(&self) -> bool {
        true
    }

    /// Whether who is asked gets to see forms, of any number of fields, as such.
    fn takes_forms(&self) -> bool {
        false
    }
}

/// What a call wants to do.
#[derive(Debug, Clone)]
pub struct ApprovalAsk {
    pub call_id: String,
    /// The tool's name.
    pub sender: String,
    /// The kind of act, approved as a whole when approved for the session.
    pub action: String,
    /// The concrete act, one line.
    pub description: String,
    pub display: Vec<DisplayBlock>,
}

/// The answer to an [`ApprovalAsk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalVerdict {
    Approved,
    /// By a person, or in a person's place.
    Rejected {
        feedback: Option<String>,
    },
    /// By a rule of the user's; nobody was asked.
    Denied {
        reason: String,
    },
}

impl ApprovalVerdict {
    /// The result of the call when it must not go ahead.
    pub fn refusal(self) -> Option<ToolReturn> {
        match self {
            Self::Approved => None,
            Self::Rejected { feedback } => Some(ToolReturn::rejected(feedback.as_deref())),
            Self::Denied { reason } => Some(ToolReturn::denied(reason)),
        }
    }
}

/// The answer to questions.
#[derive(Debug, Clone, PartialEq)]
pub enum QuestionOutcome {
    /// Empty answers mean that the person dismissed the questions.
    Answered(QuestionResponse),
    /// Nobody is there: unattended mode.
    Afk,
    /// The front end cannot ask.
    Unsupported,
}

/// The session's todo list.
pub trait TodoStore: Send + Sync {
    fn get(&self) -> Vec<TodoItem>;
    fn set(&self, items: Vec<TodoItem>);
}

/// Keeps what it takes to undo the changes that file tools make. Both are called where blocking is
/// allowed, with the file's real path.
pub trait ChangeLog: Send + Sync {
    /// The file is about to be written, made or removed.
    fn before(&self, real: &Path);

    /// That is over, whether or not it went well.
    fn after(&self, real: &Path);
}

/// For calls that nobody will undo.
impl ChangeLog for () {
    fn before(&self, _: &Path) {}

    fn after(&self, _: &Path) {}
}
