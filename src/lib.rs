//! kimi-tui: a full-screen coding assistant for the terminal, with the agent in the same process.
//!
//! # The map
//!
//! The folders are the data path, in order:
//!
//! ```text
//! terminal keys > composer > Op > agent loop > model stream > Event > transcript cell > frame
//!  front/tui      front/tui  protocol  agent     llm        protocol   front/tui      front/tui
//! ```
//!
//! | folder | holds |
//! |---|---|
//! | [`cli`] | raw flags to a checked launch; subcommands; exit codes |
//! | [`config`] | `config.toml`: read, overlay, edit in place |
//! | [`protocol`] | `Op`, `Event`, `Request`, content parts, display blocks: the one vocabulary, plain data |
//! | [`agent`] | session, turn, step, context, compaction, approvals: knows no screen |
//! | [`auth`] | signing in to an account, its token, what it configures |
//! | [`llm`] | messages, the provider trait, wire formats, retry, the scripted models |
//! | [`tools`] | one file per tool, output limits, the path guard |
//! | [`permission`] | rules, commands taken apart, what a call may change |
//! | [`tasks`] | background tasks: their records, their worker, the registry |
//! | [`mcp`] | servers that bring tools: connections, deferred dispatch |
//! | [`customize`] | what the user's files add: agent files, AGENTS.md, hooks, plugins |
//! | [`doctor`] | whether everything is as it has to be |
//! | [`store`] | what is on disk: sessions, history, index; atomic writes |
//! | [`platform`] | clock, environment, processes, clipboard |
//! | [`front`] | the equal front ends: the terminal screen, print mode, the wire and ACP servers |
//!
//! Every front end is a client of one pair: it submits [`protocol::Op`]s and receives
//! [`protocol::Message`]s. The laws that keep the house in order are in AGENTS.md and in
//! `tests/laws.rs`.

pub mod agent;
pub mod auth;
pub mod cli;
pub mod config;
pub mod customize;
pub mod doctor;
pub mod front;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod llm;
pub mod mcp;
pub mod permission;
pub mod platform;
pub mod protocol;
pub mod store;
pub mod tasks;
pub mod tools;
