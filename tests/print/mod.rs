//! Print mode through the real binary.

mod config;
mod failures;
mod forms;
mod input;
mod signals;
mod streams;
