//! Servers that bring tools: the Model Context Protocol, client side.
//!
//! However many tools the servers bring, a model sees two: `mcp_search` and `mcp_call`.
//!
//! | file | subject |
//! |---|---|
//! | `config` | which servers there are, from files and options |
//! | `project` | those that a project brings along, and whether the user agrees to them |
//! | `transport` | how messages get to a server and back: child process, streamable HTTP, older SSE |
//! | `oauth` | logging in to a server at an address |
//! | `connection` | one session with one server: handshake, list of tools, calls |
//! | `server`, `servers` | one server over its life; all of them |
//! | `listing`, `catalog`, `names` | the tools of all servers under unique names |
//! | `elicit` | what servers ask the person |
//! | `journal`, `progress` | what servers report of themselves and of calls that run |
//! | `prompts` | commands that servers bring, and what they make of them |
//! | `resources` | what a message may attach as `@server:uri` |
//! | `search`, `schema` | finding tools by words; describing and checking arguments |
//! | `content`, `bound` | results, fit for the context |
//! | `dispatch` | what a model has of all this |

pub mod bound;
pub mod catalog;
pub mod config;
pub mod connection;
pub mod content;
pub mod dispatch;
pub mod elicit;
mod journal;
pub mod limits;
pub mod listing;
pub mod names;
pub mod oauth;
mod progress;
pub mod project;
pub mod prompts;
pub mod resources;
pub mod schema;
pub mod search;
pub mod server;
pub mod servers;
#[cfg(test)]
mod testing;
pub mod tidy;
mod transport;

#[cfg(any(test, fuzzing))]
pub use transport::check_stream;
