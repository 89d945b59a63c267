//! The integration tests, all in one binary so that linking is paid once.

mod account;
mod acp;
mod agent;
mod cli;
mod ctl;
mod docked;
mod hooks;
mod laws;
mod llm;
mod mcp;
mod print;
mod store;
mod support;
mod tasks;
mod terminal_session;
mod tmux;
mod tui;
mod wire;
