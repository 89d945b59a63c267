//! Which calls go ahead without a person, which never do, and what a call may change.

pub mod call;
pub mod effect;
pub mod offer;
mod pattern;
pub mod rule;
pub mod rules;
pub mod shell;

pub use call::Call;
pub use rule::{Decision, Rule};
pub use rules::{Judgment, Rules, Site};

#[cfg(test)]
mod corpus;
