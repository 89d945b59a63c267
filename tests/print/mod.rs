//! Print mode through the real binary.

mod agents;
mod budgets;
mod config;
mod failures;
mod forms;
mod goal;
mod input;
mod signals;
mod streams;
mod together;
