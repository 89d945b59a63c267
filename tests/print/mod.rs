//! Print mode through the real binary.

mod agents;
mod budgets;
mod config;
mod failures;
mod forms;
mod input;
mod signals;
mod streams;
mod subagents;
mod together;
