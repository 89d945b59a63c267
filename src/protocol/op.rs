//! What a front end asks for, and everything it gets back.

use serde::{Deserialize, Serialize};

use super::{Event, Request, Response, UserInput};

/// A request from a front end to the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Run a turn. Answered by a [`Message::Outcome`] with the same id, always.
    Prompt { id: String, input: UserInput },
    /// Give a message to the running turn, which takes it in between two steps and says so with
    /// [`Event::SteerInput`], one for each in their order. One that is not said to be taken in by the
    /// time of the [`Message::Outcome`] came too late: nobody has it but the front end.
    Steer { input: UserInput },
    /// Stop the running turn. Nothing happens when none runs.
    Cancel,
    /// Let the command or agent that runs in the foreground go on in the background. Nothing happens
    /// when none runs.
    ToBackground,
    /// Answer a [`Request`].
    Answer { response: Response },
    /// Switch approvals off or on (`yolo`), or unattended mode (`afk`). `None` leaves a flag.
    SetApproval { yolo: Option<bool>, afk: Option<bool> },
    /// Use another configured model from the next step on; `None` keeps model or thinking.
    SetModel { model: Option<String>, thinking: Option<bool> },
    /// Set the session's title.
    SetTitle { title: String },
    /// Finish: cancel what runs, write what is pending, end the message stream.
    Shutdown,
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
    Failed(Failure),
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
    /// The provider failed; `retryable` when trying again later may help.
    Provider { status: Option<u16>, retryable: bool },
    /// Anything else.
    Internal,
}
