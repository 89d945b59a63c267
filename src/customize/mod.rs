//! What the user's own files add to the agent.

pub mod agent_file;
mod agents_md;
pub mod flow;
mod front_matter;
pub mod hooks;
pub mod plugins;
pub mod skills;
mod yaml;

pub use agent_file::tool_names::{CODE_NAMES, code_name};
pub use agent_file::{Agent, AgentError, Builtin, Subagent};
pub use agents_md::{AgentsMd, discover};
