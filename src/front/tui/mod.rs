//! The terminal screen.

pub mod cells;
pub mod dialogs;
pub mod diff;
pub mod highlight;
pub mod markdown;
pub mod overlays;
pub mod text;
pub mod theme;
pub mod todo_panel;
