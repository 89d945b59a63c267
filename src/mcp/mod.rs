//! Servers that bring tools: the Model Context Protocol, client side.
//!
//! | file | subject |
//! |---|---|
//! | `config` | which servers there are, from files and options |
//! | `transport` | how messages get to a server and back: child process, streamable HTTP, older SSE |
//! | `connection` | one session with one server: handshake, list of tools, calls |

pub mod config;
pub mod connection;
mod transport;
