//! The tools a model may call: one file per tool, the registry, output limits, the path guard.

#![expect(
    clippy::result_large_err,
    reason = "a failed call is an ordinary result of this size, made once a call"
)]

pub(crate) mod arguments;
mod ask_user;
mod blocking;
mod context;
mod diff_blocks;
mod edit;
mod fetch_url;
mod file_access;
mod glob;
mod grep;
mod key_argument;
pub mod output;
pub mod path_guard;
mod read_file;
mod registry;
pub(crate) mod schema;
mod secrets;
mod shell;
mod sniff;
mod str_replace_file;
mod task_list;
mod task_output;
mod task_stop;
#[cfg(test)]
mod testing;
mod think;
mod todo;
mod walk;
mod write_file;

pub use context::{
    ApprovalAsk, ApprovalVerdict, CallContext, Desk, Effect, LiveOutput, QuestionOutcome, Rejected,
    TodoStore, Tool, ToolReturn, Workspace,
};
pub use diff_blocks::diff_blocks;
pub use key_argument::key_argument;
pub use registry::{Registry, not_found, prepared, spec};
