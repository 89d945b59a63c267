//! Sessions in this process: what front ends hear and what is stored.

pub mod bench;
mod heard;

mod again;
mod agent_faults;
mod approvals;
mod background_agents;
mod background_commands;
mod bodies;
mod budgets;
mod calls;
mod cancel;
mod compaction;
mod delegated;
mod dmail;
mod forgotten;
mod goal;
mod goal_bounds;
mod notifications;
mod permission;
mod plan;
mod plan_attacks;
mod reminders;
mod retries;
mod session;
mod starting;
mod subagents;
mod swarm;
