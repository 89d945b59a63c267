//! Which calls go ahead without a person, which never do, and what a call may change.

pub mod shell;
