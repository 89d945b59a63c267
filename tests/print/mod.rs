//! Print mode through the real binary.

mod agents;
mod budgets;
mod code;
mod config;
mod failures;
mod forms;
mod goal;
mod input;
mod media;
mod past;
mod permission;
mod plan;
mod signals;
mod skills;
mod streams;
mod subagents;
mod together;
mod web;
mod workspace;
