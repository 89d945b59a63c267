//! The terminal screen.

pub mod status;
pub mod terminal;
pub mod text;
pub mod theme;
