//! Print mode through the real binary.

mod agents;
mod budgets;
mod config;
mod failures;
mod forms;
mod input;
mod permission;
mod signals;
mod streams;
mod together;
