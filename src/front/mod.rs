//! The equal front ends: each is a client of [`crate::protocol`], none imports another.
//!
//! `host`, `ending`, `lines`, `signals`, `text` and `control` are what they share; `json_rpc`, `outbox` and `fit`
//! are shared by the two that serve programs.

pub mod acp;
pub mod control;
pub mod ending;
mod fit;
pub mod host;
mod json_rpc;
mod lines;
mod outbox;
pub mod print;
pub mod signals;
pub mod text;
pub mod tui;
pub mod wire;
