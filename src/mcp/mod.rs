//! Servers that bring tools: the Model Context Protocol, client side.
//!
//! | file | subject |
//! |---|---|
//! | `config` | which servers there are, from files and options |

pub mod config;
