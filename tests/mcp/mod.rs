//! MCP servers: real ones, over every transport, and what a model and a person have of them.

pub mod server;
pub mod world;

mod calls;
mod cli;
mod dispatch;
mod lifecycle;
mod offer;
mod planning;
