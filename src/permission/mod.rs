//! Which calls go ahead without a person, which never do, and what a call may change.

pub mod call;
mod disguise;
pub mod effect;
mod files;
mod made;
pub mod offer;
mod pattern;
pub mod rule;
pub mod rules;
pub mod shell;
mod spelling;
mod touched;
mod traces;
pub mod withheld;

pub use call::Call;
pub use rule::{Decision, Rule};
pub use rules::{Judgment, Rules, Site};
pub use withheld::Withheld;

#[cfg(test)]
mod corpus;
