//! The real binary in a pseudo-terminal, against the model server.

mod agents;
mod approval;
mod commands;
mod composer;
mod control;
mod dialogs;
mod failures;
mod flood;
mod hostile;
mod interrupt;
mod leaving;
mod monkey;
mod paste;
mod queue;
mod resume;
mod servers;
mod sizes;
mod together;
mod tour;
mod turn;
pub mod world;
