//! Background tasks: commands and agents that go on while the conversation does.
//!
//! | file | subject |
//! |---|---|
//! | `record` | what is kept of a task, in the shapes of kimi-cli |
//! | `folder` | a task's directory: ids, reading, writing, the lock |
//! | `log` | the bounded log of what a task writes |
//! | `worker` | the process that attends one command |
//! | `registry` | [`Tasks`]: all tasks of a session, listed, watched, stopped |
//! | `start` | starting one |
//! | `hosted` | tasks inside this process: agents, and commands sent to the background |
//! | `told` | a task in words, for the model and for people |
//!
//! # Who writes what
//!
//! `<session>/tasks/<id>/` holds `spec.json` (written once, before the task starts), `runtime.json`,
//! `control.json`, `consumer.json` and `output.log`. Each file has one writer at a time, and nothing
//! is read, changed and written back by two processes:
//!
//! * Whoever runs the task holds a lock on the task's directory as long as it runs, and alone writes
//!   `runtime.json` and `output.log`: the worker of a command, else the kimi that hosts the task.
//! * A kimi that finds a task unfinished, its lock free and its runner gone takes the lock and
//!   writes that the task is lost. What the task has left running is killed if it can be told for
//!   sure.
//! * `control.json` is a request to stop, written whole by any kimi, read by the runner.
//!
//! # Agents
//!
//! A task of kind `agent` is a future in this process. [`Tasks::start_agent`] gives it an
//! [`AgentRun`]: its id, a token that says when to stop, a writer for its log and a way to say that
//! it waits for an approval:
//!
//! ```ignore
//! let view = tasks
//!     .start_agent(NewAgent { description, tool_call_id, payload, timeout: None }, |run| async move {
//!         run.output.write("[stage] started\n");
//!         match subagent(&run).await {             // stops soon after run.cancel is cancelled
//!             Ok(()) => AgentEnd::Completed,
//!             Err(why) => AgentEnd::Failed(why),
//!         }
//!     })
//!     .await?;
//! ```
//!
//! While it asks a person, the agent holds the guard of [`AgentRun::awaiting_approval`]. The end of
//! the task, its timeout, a stop and the notification of the model are the registry's work. A
//! subagent that runs in the foreground is sent to the background the same way as a command: its
//! tool hands the future that it has been polling to `start_agent` when
//! [`CallContext::to_background`](crate::tools::CallContext::to_background) is cancelled.
//!
//! Tasks in this process end with it: only commands that were started in the background can be kept
//! alive (`background.keep_alive_on_exit`).

mod folder;
mod hosted;
mod log;
mod record;
mod registry;
mod start;
mod told;
pub mod worker;

#[cfg(test)]
mod tests;

pub use folder::{Tail, is_task_id};
pub use hosted::{AgentEnd, AgentRun, Output};
pub use record::{AgentPayload, Kind, Runtime, Spec, Status};
pub use registry::{Counts, TaskOptions, Tasks, View};
pub use start::{NewAgent, NewCommand, StartError};
pub use told::{active_list, block, display, duration};
