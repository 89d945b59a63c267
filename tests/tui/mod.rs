//! The real binary in a pseudo-terminal, against the model server.

mod agents;
mod approval;
mod commands;
mod composer;
mod control;
mod dialogs;
mod failures;
mod flood;
mod goal;
mod hostile;
mod interrupt;
mod leaving;
mod monkey;
mod paste;
mod pictures;
mod plan;
mod queue;
mod resume;
mod rewind;
mod servers;
mod shell;
mod side;
mod sizes;
mod together;
mod tour;
mod turn;
pub mod world;
