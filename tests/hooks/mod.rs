//! Hooks and plugins through the real binary.

mod forbids;
mod goal;
mod hears;
mod plugins;
mod screen;
mod session;
mod subagents;
mod world;
