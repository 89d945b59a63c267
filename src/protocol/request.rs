//! Questions the agent puts to a front end, and the answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DisplayBlock, HookRequest, HookResponse, ToolReturnValue};

/// A question that a front end has to answer with a [`Response`] of the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
pub enum Request {
    ApprovalRequest(ApprovalRequest),
    QuestionRequest(QuestionRequest),
    /// Asked only of a front end that has brought tools of its own.
    ToolCallRequest(ToolCallRequest),
    /// Asked only of a front end that has subscribed to events.
    HookRequest(HookRequest),
}

impl Request {
    /// The request's id, which its answer names.
    pub fn id(&self) -> &str {
        match self {
            Self::ApprovalRequest(request) => &request.id,
            Self::QuestionRequest(request) => &request.id,
            Self::ToolCallRequest(request) => &request.id,
            Self::HookRequest(request) => &request.id,
        }
    }
}

/// May this tool call go ahead?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    pub id: String,
    pub tool_call_id: String,
    /// The tool that asks.
    pub sender: String,
    /// What would be approved for the session: `run command`, `edit file`, ...
    pub action: String,
    /// The concrete act, one line.
    pub description: String,
    /// `foreground_turn` or `background_agent`.
    #[serde(default)]
    pub source_kind: Option<String>,
    #[serde(default)]
    pub source_id: Option<String>,
    #[serde(default)]
    pub agent_id: Option<String>,
    #[serde(default)]
    pub subagent_type: Option<String>,
    #[serde(default)]
    pub source_description: Option<String>,
    #[serde(default)]
    pub display: Vec<DisplayBlock>,
    /// A field of ours, for clients that know the blocks of `display` by number and kind: the note that is
    /// among them elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How the line of a request's note begins that tells what an approval for the session covers.
const SCOPE: &str = "For this session: ";

impl ApprovalRequest {
    /// The note of a request about a command: why it asks, and what an approval for the session covers.
    pub fn note(why: Option<&str>, scope: &str) -> DisplayBlock {
        let why = why.map(|why| format!("{why}\n")).unwrap_or_default();
        DisplayBlock::Brief { text: format!("{why}{SCOPE}{scope}") }
    }

    /// The same with its note beside the blocks of `display`, which are those of kimi-cli then.
    #[must_use]
    pub fn with_note_apart(mut self) -> Self {
        let is_note = |block: &DisplayBlock| match block {
            DisplayBlock::Brief { text } => {
                text.lines().last().is_some_and(|line| line.starts_with(SCOPE))
            }
            _ => false,
        };
        let told = self.session_scope().is_some();
        let at = self.display.iter().rposition(is_note).filter(|_| told);
        if let Some(DisplayBlock::Brief { text }) = at.map(|at| self.display.remove(at)) {
            self.note = Some(text);
        }
        self
    }

    /// What an approval for the session covers, when the request tells.
    pub fn session_scope(&self) -> Option<&str> {
        self.notes().last()?.lines().last()?.strip_prefix(SCOPE)
    }

    /// Why it asks, when the request tells; the session's scope is left out.
    pub fn why(&self) -> Option<&str> {
        let (why, scope) = self.notes().last()?.rsplit_once('\n')?;
        scope.starts_with(SCOPE).then_some(why)
    }

    /// Notes are told of commands alone: elsewhere such a text may come from a server.
    fn notes(&self) -> impl Iterator<Item = &str> {
        let command = self.display.iter().any(|block| matches!(block, DisplayBlock::Shell { .. }));
        self.display.iter().filter_map(move |block| match block {
            DisplayBlock::Brief { text } if command => Some(text.as_str()),
            _ => None,
        })
    }
}

/// How a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approve,
    ApproveForSession,
    Reject,
}

impl Verdict {
    /// The word as it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::ApproveForSession => "approve_for_session",
            Self::Reject => "reject",
        }
    }
}

/// The answer to an [`ApprovalRequest`]; also broadcast as an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalResponse {
    pub request_id: String,
    pub response: Verdict,
    /// With a rejection: what the model should do instead. Empty for none.
    #[serde(default)]
    pub feedback: String,
}

/// One to four questions with choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionRequest {
    pub id: String,
    pub tool_call_id: String,
    pub questions: Vec<Question>,
    /// The same questions as a form, a field for each. Ours; only front ends that show forms get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<QuestionForm>,
}

/// Questions as a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionForm {
    /// Who wants to know what, above the fields.
    pub message: String,
    /// One for each question, in their order.
    pub fields: Vec<QuestionField>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionField {
    /// The JSON schema of a text, a number, a flag, one of some choices or a list of such; as in MCP's
    /// elicitation, without control characters. The choices' values are the question's labels.
    pub schema: Value,
    /// Whether an answer is needed.
    pub required: bool,
}

/// A question; a front end adds a free-text choice of its own, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub question: String,
    /// A label of up to 12 characters for a tab.
    #[serde(default)]
    pub header: String,
    pub options: Vec<QuestionOption>,
    #[serde(default)]
    pub multi_select: bool,
    /// A long text to read before answering.
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub other_label: String,
    #[serde(default)]
    pub other_description: String,
    /// Nothing but one of the options is an answer: there is no free-text choice. Ours; a client
    /// that does not know it offers one all the same, and the words it brings are no answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_options: bool,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionOption {
    pub label: String,
    #[serde(default)]
    pub description: String,
}

/// The answer to a [`QuestionRequest`]: question text to label, labels joined by `, `, or free
/// text. An empty map means dismissed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionResponse {
    pub request_id: String,
    pub answers: Map<String, Value>,
    /// A person has said no to a form. Ours; there are no answers then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declined: bool,
}

/// Run this call of a tool that the front end has brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCallRequest {
    /// The id of the tool call.
    pub id: String,
    pub name: String,
    /// A JSON object as text, checked against the tool's schema; never absent, since some clients
    /// drop a call without it.
    pub arguments: Option<String>,
}

/// What the front end's tool returned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCallResponse {
    pub tool_call_id: String,
    pub return_value: ToolReturnValue,
}

/// An answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Response {
    Approval(ApprovalResponse),
    Question(QuestionResponse),
    ToolCall(ToolCallResponse),
    Hook(HookResponse),
}
