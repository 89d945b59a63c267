//! The agent: a session runs turns, a turn runs steps, a step is one model request and its tool
//! calls. It knows no screen: it takes [`crate::protocol::Op`]s and sends
//! [`crate::protocol::Message`]s through its [`Hub`].
//!
//! | file | subject |
//! |---|---|
//! | `session` | takes ops, owns what a session has, one turn at a time |
//! | `turn` | one user input to its end: the loop over steps, steering |
//! | `step` | one model request with its retries, then its calls |
//! | `dispatch` | runs the calls of a step: readers together, writers one by one |
//! | `approval` | asks a person |
//! | `context`, `compaction` | what the model sees, and making it shorter |
//! | `reminders` | what the model is told of modes |
//! | `repeat` | notices a model that goes round in circles |
//! | `servers` | what requests and clients get of the MCP servers |
//! | `context_report` | what fills the context window |
//! | `budget` | what a run may use up |
//! | `notifications` | what the model and the front ends are told of background tasks |
//! | `subagents` | agents that the agent starts |
//! | `slash` | the commands that belong to the agent |
//! | `prompt` | the system prompt |
//! | `hub`, `recorder` | the stream of messages, and its record on disk |

mod approval;
mod budget;
mod compaction;
mod context;
mod context_report;
mod core;
mod dispatch;
mod hub;
mod listing;
mod notifications;
mod prompt;
mod recorder;
mod reminders;
mod repeat;
mod servers;
mod session;
mod slash;
mod step;
mod subagents;
mod turn;

pub use approval::Modes;
pub use budget::{Budget, Usage};
pub use core::{Limits, ModelSource};
pub use hub::Hub;
pub use notifications::TASKS_HAVE_ENDED;
pub use prompt::PromptFacts;
pub use session::{BackgroundView, KeptAnswer, SessionHandle, SessionOptions};
pub use slash::{AGENT_COMMANDS, AgentCommand};
pub use subagents::{Crew, PromptOf};
