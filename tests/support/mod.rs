//! What several integration tests need.

pub mod pty;
pub mod screen;
pub mod tmux;
