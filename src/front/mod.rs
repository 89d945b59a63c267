//! The equal front ends: each is a client of [`crate::protocol`], none imports another.
//!
//! `host`, `ending` and `control` are what they share.

pub mod control;
pub mod ending;
pub mod host;
pub mod print;
pub mod tui;
