//! Text on a grid of cells: width, cleaning, truncation, wrapping.

mod clean;
mod wrap;

pub use clean::{clean, clean_line};
pub use wrap::{truncate, truncate_middle, width, wrap_line};
