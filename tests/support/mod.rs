//! What several integration tests need.

pub mod model_server;
pub mod program;
pub mod pty;
pub mod screen;
pub mod tmux;
pub mod tmux_client;
pub mod tmux_tap;
pub mod tools;
