//! What the user's own files add to the agent.

mod agents_md;

pub use agents_md::{AgentsMd, discover};
