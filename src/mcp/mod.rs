//! Tools of MCP servers: their names, the search over them, and what a model is told of them.
//!
//! However many tools the servers bring, a model sees two: `mcp_search` and `mcp_call`. What is here
//! needs no connection: [`catalog`] holds the tools of all servers under unique names and finds them
//! by name, [`search`] finds them by words, [`schema`] describes and checks arguments, [`bound`]
//! keeps results short.

pub mod bound;
pub mod catalog;
pub mod limits;
pub mod listing;
pub mod names;
pub mod schema;
pub mod search;
#[cfg(test)]
mod testing;
pub mod tidy;
