//! The wire server: a client that speaks JSON-RPC to the real binary.

pub mod client;
mod elicit;
mod ends;
mod external;
mod hooks;
pub mod hostile;
mod introduce;
mod many;
mod replay;
pub mod requests;
pub mod turns;
