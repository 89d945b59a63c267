//! The machine: clock, environment, processes, clipboard. Everything that would make a test
//! unstable comes from here and is passed in.

pub mod address;
pub mod browser;
pub mod clipboard;
pub mod editor;
#[cfg(unix)]
pub mod ends;
pub mod env;
pub mod exchange;
pub mod git;
pub mod hidden;
pub mod logging;
pub mod process;
pub mod shell;
pub mod tls;
pub mod underway;

pub use env::{Clock, Env, Ids};
