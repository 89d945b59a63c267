//! The equal front ends: each is a client of [`crate::protocol`], none imports another.
//!
//! `host`, `ending`, `lines`, `signals` and `control` are what they share.

pub mod control;
pub mod ending;
pub mod host;
mod lines;
pub mod print;
pub mod signals;
pub mod tui;
pub mod wire;
