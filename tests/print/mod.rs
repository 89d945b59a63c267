//! Print mode through the real binary.

mod agents;
mod budgets;
mod config;
mod failures;
mod forms;
mod input;
mod permission;
mod plan;
mod signals;
mod streams;
mod together;
