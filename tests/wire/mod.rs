//! The wire server: a client that speaks JSON-RPC to the real binary.

mod client;
mod ends;
mod external;
mod hooks;
mod hostile;
mod introduce;
mod many;
mod replay;
mod requests;
mod turns;
