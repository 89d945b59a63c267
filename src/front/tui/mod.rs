//! The terminal screen.

pub mod text;
pub mod theme;
