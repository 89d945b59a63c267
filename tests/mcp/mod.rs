//! MCP servers: real ones, over every transport, and what a model and a person have of them.

pub mod authority;
pub mod server;
pub mod world;

mod calls;
mod cli;
mod dispatch;
pub mod lifecycle;
mod login;
mod offer;
mod tokens;
