//! The equal front ends: each is a client of [`crate::protocol`], none imports another.

pub mod ending;
pub mod host;
pub mod print;
pub mod tui;
