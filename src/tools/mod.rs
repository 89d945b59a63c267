//! The tools a model may call: one file per tool, the registry, output limits, the path guard.

#![expect(
    clippy::result_large_err,
    reason = "a failed call is an ordinary result of this size, made once a call"
)]

pub(crate) mod arguments;
mod ask_user;
pub(crate) mod blocking;
mod changes;
mod context;
mod diff_blocks;
mod edit;
mod fetch_url;
mod file_access;
mod glob;
mod goal;
mod grep;
mod key_argument;
pub mod output;
pub mod path_guard;
mod plan;
mod read_file;
pub(crate) mod read_media;
mod registry;
pub(crate) mod schema;
mod search_web;
mod secrets;
mod send_d_mail;
mod shell;
mod sniff;
mod str_replace_file;
mod task_list;
mod task_output;
mod task_stop;
#[cfg(test)]
pub(crate) mod testing;
mod think;
mod todo;
pub(crate) mod walk;
mod web;
mod write_file;

pub use arguments::parse as parse_arguments;
pub use changes::changes;
pub use context::{
    ApprovalAsk, ApprovalVerdict, CallContext, ChangeLog, Desk, Effect, LiveOutput, Meant,
    QuestionOutcome, Rejected, TodoStore, Tool, ToolReturn, Workspace,
};
pub use diff_blocks::diff_blocks;
pub use file_access::Editor;
pub(crate) use file_access::{give_to_owner, keeps_its_place};
pub use goal::{GoalKeeper, NoGoals};
pub use key_argument::key_argument;
pub use plan::{NoPlanMode, PlanMode, only_reads, restricted};
pub use registry::{Registry, not_found, prepared, spec};
pub use secrets::Secrets;
pub use send_d_mail::{DMail, Mailbox, SendDMail};
pub use shell::{
    NoTerminal, Terminal, TerminalCommand, TerminalEnd, TerminalOutput, Terminals, run_for_person,
};
pub use web::WebServices;
