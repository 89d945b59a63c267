//! The tools a model may call: one file per tool, the registry, output limits, the path guard.

mod context;

pub use context::{
    ApprovalAsk, ApprovalVerdict, CallContext, Desk, Effect, LiveOutput, QuestionOutcome, Rejected,
    TodoStore, Tool, ToolReturn, Workspace,
};
