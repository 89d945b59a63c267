//! The one vocabulary between the agent and every front end: plain serde data.
//!
//! A front end submits [`Op`]s and receives [`Message`]s. The shapes of [`Event`] and [`Request`]
//! are those of the Kimi wire protocol 1.10, so that what the wire front end prints, what
//! `wire.jsonl` records and what the screen draws is the same stream.
//!
//! This folder imports nothing else of this crate.

mod content;
pub mod control;
mod event;
mod goal;
mod hook;
mod media_tag;
mod op;
mod request;
mod tool;
mod usage;

pub use content::{ContentPart, MediaUrl, UserInput};
pub use event::{Event, Notification, SessionInfo, StatusUpdate};
pub use goal::{
    GoalAct, GoalActor, GoalChange, GoalLimits, GoalSnapshot, GoalStatus, GoalUpdate, GoalUsed,
    UpcomingGoal, goal_turn_label, labelled_goal_turn,
};
pub use hook::{HookAction, HookEvent, HookRequest, HookResponse};
pub use media_tag::tagged;
pub use op::{
    Failure, FailureKind, Hand, Message, Op, Outcome, RewindRequest, RewindScope, Spent,
    StopReason, dollars,
};
pub use request::{
    ApprovalRequest, ApprovalResponse, Question, QuestionField, QuestionForm, QuestionOption,
    QuestionRequest, QuestionResponse, Request, Response, ToolCallRequest, ToolCallResponse,
    Verdict,
};
pub use tool::{
    DisplayBlock, FunctionCall, TodoItem, TodoStatus, ToolCall, ToolOutput, ToolReturnValue,
};
pub use usage::{Prices, TokenUsage};

/// The wire protocol version whose shapes these types have.
pub const WIRE_PROTOCOL_VERSION: &str = "1.10";
