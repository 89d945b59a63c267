//! What a front end asks for, and everything it gets back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Event, GoalAct, Request, Response, UserInput};

/// A request from a front end to the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Run a turn. Answered by a [`Message::Outcome`] with the same id, always.
    Prompt { id: String, input: UserInput },
    /// Let the model see to background tasks that have ended: a turn that nobody has written. Answered by a
    /// [`Message::Outcome`] with the same id, always.
    SeeToTasks { id: String },
    /// Run a command of the person's own in a shell, as a turn: answered by a [`Message::Outcome`] with
    /// the same id, always. It needs no approval and has no limit of time. The model hears of it, and
    /// of what it printed, with the next message if it is to be `told`.
    Shell { id: String, command: String, told: bool },
    /// Give a message to the running turn, which takes it in between two steps and says so with
    /// [`Event::SteerInput`], one for each in their order. One that is not said to be taken in by the
    /// time of the [`Message::Outcome`] came too late: nobody has it but the front end.
    Steer { input: UserInput },
    /// Stop the running turn. Nothing happens when none runs.
    Cancel,
    /// Let the command or agent that runs in the foreground go on in the background. Nothing happens
    /// when none runs.
    ToBackground,
    /// Ask something beside the conversation; nothing of it is kept. Answered between an
    /// [`Event::BtwBegin`] and an [`Event::BtwEnd`] of that id. A turn that runs goes on.
    SideQuestion { id: String, question: String },
    /// Give up the question beside the conversation, if one is being answered.
    CancelSideQuestion {},
    /// Answer a [`Request`].
    Answer { response: Response },
    /// Switch approvals off or on (`yolo`), or unattended mode (`afk`). `None` leaves a flag.
    SetApproval { yolo: Option<bool>, afk: Option<bool> },
    /// Switch plan mode. Told by an [`Event::StatusUpdate`]; nothing happens when it is so already.
    SetPlanMode { enabled: bool },
    /// Use another configured model from the next step on; `None` keeps model or thinking.
    SetModel { model: Option<String>, thinking: Option<bool> },
    /// Change the goal or its queue, also while a turn runs. Told with [`Event::GoalUpdated`].
    Goal { act: GoalAct },
    /// Set the session's title.
    SetTitle { title: String },
    /// Carry out a plan to go back to before a turn, or forth again. Runs as a turn: answered by a
    /// [`Message::Outcome`] with the same id, always.
    Rewind { id: String, request: RewindRequest },
    /// Finish: cancel what runs, write what is pending, end the message stream.
    Shutdown,
}

/// How a plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewindRequest {
    /// The plan that was shown.
    pub plan: u64,
    /// What goes back; a redo brings back what had gone.
    pub scope: RewindScope,
    /// Files that these hands have changed since stay as they are.
    pub keep: Vec<Hand>,
    /// These files stay as they are too, by the names that the plan has for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep_files: Vec<String>,
}

/// What a rewind brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewindScope {
    Both,
    Conversation,
    Files,
}

impl RewindScope {
    /// Whether the conversation goes back.
    pub fn conversation(self) -> bool {
        self != Self::Files
    }

    /// Whether files go back.
    pub fn files(self) -> bool {
        self != Self::Conversation
    }
}

/// Who has changed a file since a point, as far as it matters for the question whether to touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hand {
    /// The file tools alone.
    Agent,
    /// A command, or another tool that may do anything.
    Command,
    /// Somebody else: the user, as far as one can tell.
    User,
}

/// Everything a front end receives, on one ordered queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    Event(Event),
    Request(Request),
    /// The end of the prompt with that id. All events of the turn come before it.
    Outcome {
        op_id: String,
        outcome: Outcome,
    },
}

/// How a prompt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Finished {
        stop: StopReason,
    },
    Cancelled,
    /// The step limit was reached after so many steps.
    MaxStepsReached {
        steps: u32,
    },
    /// A budget of the run is spent. The conversation is whole and can go on.
    BudgetSpent(Spent),
    Failed(Failure),
}

impl Outcome {
    /// Why a command was not carried out, if that is what has failed.
    pub fn refused_command(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) if failure.kind == FailureKind::Command => Some(failure),
            _ => None,
        }
    }

    /// Why it ended without an error and yet not well: a sentence without its full stop.
    pub fn given_up(&self) -> Option<&'static str> {
        match self {
            Self::Finished { stop: StopReason::ToolCallRepeat } => {
                Some("The model kept making the same call, so the turn was ended")
            }
            _ => None,
        }
    }
}

/// What is spent of a run's budgets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "budget", rename_all = "snake_case")]
pub enum Spent {
    /// Input and output tokens together.
    Tokens { limit: u64, used: u64 },
    /// US dollars.
    Money { limit_usd: f64, used_usd: f64 },
    /// Seconds in turns.
    Time { limit_s: f64 },
}

impl fmt::Display for Spent {
    /// A sentence without its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens { limit, used } => {
                write!(f, "The budget of {limit} tokens is spent ({used} used)")
            }
            Self::Money { limit_usd, used_usd } => {
                let (limit, used) = (dollars(*limit_usd), dollars(*used_usd));
                write!(f, "The budget of ${limit} is spent (${used} used)")
            }
            Self::Time { limit_s } => write!(f, "The time limit of {limit_s} s is reached"),
        }
    }
}

/// An amount with its cents, without a sign; of less than a dollar, the first three digits that are not 0.
pub fn dollars(usd: f64) -> String {
    const MOST_DIGITS: usize = 12;
    let shows_three = |digits: &usize| usd * 10f64.powf(*digits as f64) >= 100.0;
    let digits = match usd > 0.0 && usd < 1.0 {
        true => (2..MOST_DIGITS).find(shows_three).unwrap_or(MOST_DIGITS),
        false => 2,
    };
    let mut text = format!("{usd:.digits$}");
    let cents = text.find('.').map_or(text.len(), |point| point + 3);
    while text.len() > cents && text.ends_with('0') {
        text.pop();
    }
    text
}

/// Why a turn that went well stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model answered without calling a tool.
    NoToolCalls,
    /// A person rejected a call without saying what to do instead.
    ToolRejected,
    /// The model kept making the same call.
    ToolCallRepeat,
    /// A slash command ran instead of the model.
    Command,
}

/// Why a turn failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// One line for a person: what failed and why.
    pub message: String,
    /// The one thing to do next, when there is one.
    pub hint: Option<String>,
}

/// The classes of failure that clients tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// No model is configured.
    LlmNotSet,
    /// The model lacks a capability that the input needs.
    LlmNotSupported,
    /// The provider wants a sign-in, and there is none that it takes.
    SignIn,
    /// The provider failed; `retryable` when trying again later may help.
    Provider { status: Option<u16>, retryable: bool },
    /// A command could not be carried out; the message is for whoever gave it.
    Command,
    /// Anything else.
    Internal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_budget_has_its_digits() {
        for (limit_usd, used_usd, expected) in [
            (5.0, 5.126, "The budget of $5.00 is spent ($5.13 used)"),
            (0.5, 0.6123, "The budget of $0.50 is spent ($0.612 used)"),
            (0.003, 0.01, "The budget of $0.003 is spent ($0.01 used)"),
            (0.01, 0.01234, "The budget of $0.01 is spent ($0.0123 used)"),
            (1e-9, 2.0, "The budget of $0.000000001 is spent ($2.00 used)"),
            (0.0, 0.0, "The budget of $0.00 is spent ($0.00 used)"),
        ] {
            assert_eq!(Spent::Money { limit_usd, used_usd }.to_string(), expected);
        }
    }
}
