//! The terminal screen.

pub mod app;
pub mod cells;
pub mod commands;
pub mod composer;
pub mod dialogs;
pub mod highlight;
pub mod keymap;
pub mod markdown;
pub mod overlays;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod todo_panel;
pub mod transcript;
