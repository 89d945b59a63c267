//! Goal mode: an objective is worked on over several turns, which follow one another by themselves
//! until it is complete, blocked or paused (agent-loop.md section 17).
//!
//! | file | subject |
//! |---|---|
//! | `state` | one goal: status, what is used up, limits |
//! | `goals` | the session's goal and queue: recorded, then told |
//! | `driver` | which turn follows, and when none does |
//! | `command` | `/goal` |
//! | `keeper` | what the tools may do |
//! | `reminder` | what the model is told |
//! | `stall` | turns that lead nowhere |
//!
//! While nothing runs, no goal is active: whoever ends the last turn pauses, blocks or clears it.

mod command;
mod driver;
mod goals;
mod keeper;
mod reminder;
mod stall;
mod state;

pub use command::{Wanted, means_goal, parse, report, spent, starts_goal};
pub(super) use command::{forbidden, run};
pub(super) use driver::drive;
pub(super) use goals::{Goals, LastStep};
pub(super) use keeper::Keeper;
pub(super) use reminder::due;
