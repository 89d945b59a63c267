//! Sessions in this process: what front ends hear and what is stored.

pub mod bench;

mod again;
mod approvals;
mod bodies;
mod budgets;
mod calls;
mod cancel;
mod compaction;
mod dmail;
mod goal;
mod heard;
mod notifications;
mod permission;
mod plan;
mod plan_attacks;
mod reminders;
mod retries;
mod session;
