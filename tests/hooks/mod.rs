//! Hooks and plugins through the real binary.

mod forbids;
mod hears;
mod world;
