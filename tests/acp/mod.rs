//! The ACP server: an editor that speaks JSON-RPC to the real binary.

mod asking;
mod choices;
pub mod editor;
pub mod elicit;
mod ends;
mod files;
mod hostile;
mod introduce;
mod past;
mod servers;
mod terminals;
mod turns;
