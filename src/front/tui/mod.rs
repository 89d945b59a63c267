//! The terminal screen.

pub mod diff;
pub mod highlight;
pub mod markdown;
pub mod text;
pub mod theme;
