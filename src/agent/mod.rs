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
//! | `shell` | commands that a person runs by themselves |
//! | `guard` | what hooks hear of a call, and their word on it |
//! | `approval` | asks a person |
//! | `client` | the program that a front end serves: what it shows, brings and wants to hear |
//! | `context`, `compaction` | what the model sees, and making it shorter |
//! | `dmail` | checkpoints the model is told of, and the way back to one |
//! | `reminders` | what the model is told of modes |
//! | `goal` | an objective over many turns |
//! | `plan` | plan mode: what it lets through, its file, its command |
//! | `repeat` | notices a model that goes round in circles |
//! | `rewind` | going back to before a turn: conversation, files or both |
//! | `servers` | what requests and clients get of the MCP servers |
//! | `context_report` | what fills the context window |
//! | `budget`, `spending` | what a run may use up; looking at it before each request, charging after |
//! | `notice` | what a person is told beside the conversation |
//! | `notifications` | what the model and the front ends are told of background tasks |
//! | `background` | what a front end that waits for them has to know |
//! | `skills`, `flow` | sending a skill, running one that is a flowchart |
//! | `ralph` | the same task again and again |
//! | `btw` | a question beside the conversation |
//! | `subagents` | agents that the agent starts |
//! | `slash` | the commands that belong to the agent |
//! | `permissions` | `/permissions` |
//! | `transfer` | `/export`, `/import` |
//! | `prompts` | prompts of MCP servers as commands |
//! | `resources` | resources of MCP servers that a message names |
//! | `prompt` | the system prompt |
//! | `hub`, `recorder` | the stream of messages, and its record on disk |
//! | `instructions` | that AGENTS.md is longer than a prompt may be |

mod approval;
mod background;
mod btw;
mod budget;
mod client;
mod compaction;
mod context;
mod context_report;
mod core;
mod dispatch;
mod dmail;
mod flow;
mod gate;
mod goal;
mod guard;
mod hub;
mod instructions;
mod listing;
mod mcp_command;
mod notice;
mod notifications;
mod permissions;
mod plan;
mod prompt;
mod prompts;
mod ralph;
mod recorder;
mod reminders;
mod repeat;
mod resources;
mod rewind;
mod servers;
mod session;
mod shell;
mod skills;
mod slash;
mod spending;
mod step;
mod subagents;
mod transfer;
mod turn;

pub use approval::Modes;
pub use background::BackgroundView;
pub use budget::{Budget, Usage};
pub use client::{
    BroughtTool, ClientView, Introduced, Introduction, OfferedCommand, Shows, WantedHook,
};
pub use context::MakePrompt;
pub use core::{Limits, ModelSource};
pub use goal::{
    Wanted as GoalWanted, means_goal, parse as parse_goal, report as goal_report,
    spent as goal_spent, starts_goal,
};
pub use hub::Hub;
pub use notifications::{ANNOUNCED, TASKS_HAVE_ENDED};
pub use plan::PlanStart;
pub use prompt::{MadePrompt, PromptFacts};
pub use rewind::{Fate, Plan, PlannedFile, RewindPoint, RewindPoints, Rewinder, Target};
pub use session::{KeptAnswer, SessionHandle, SessionOptions};
pub use slash::{AGENT_COMMANDS, AgentCommand, is_prompt_name};
pub use subagents::{Crew, PromptOf, task_of};
