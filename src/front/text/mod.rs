//! Text on a grid of cells: width, cleaning, truncation, wrapping.
//!
//! One width for everything: the sum over grapheme clusters, as the drawing code counts.

mod clean;
mod defuse;
mod printer;
mod scan;
mod visible;
mod width;
mod wrap;

#[cfg(test)]
mod tests;

pub use clean::{clean, clean_line, clean_tabbed};
pub use defuse::{JOINER, defuse, defuse_line};
pub(in crate::front) use printer::{Tabs, print};
pub use visible::{hides, prose, prose_line, visible, visible_line};
pub use width::{line_width, truncate, truncate_middle, width};
pub use wrap::{cut_line, trim_end, wrap_line};
