//! The terminal screen.

pub mod composer;
pub mod keymap;
pub mod text;
pub mod theme;
