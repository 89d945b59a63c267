//! Transcript cells: protocol data in, rows for a width and a theme out.
//!
//! One file per cell. A cell draws no blank rows around itself: whoever puts cells together leaves
//! one free row between two of them. Two laws hold for every row, because programs read the screen:
//!
//! * an answer has `• ` at column 0 of its first row and two blanks before all others;
//! * every other row begins with one blank in the terminal's own attributes, so that nothing that a
//!   model, a tool or a user wrote ever stands at column 0.
//!
//! Foreign text goes through [`super::text::clean`] before it becomes a row.

mod answer;
mod closing;
mod format;
mod notice;
mod plan;
pub(crate) mod row;
mod thinking;
mod tool;
mod user;
mod welcome;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use answer::AnswerCell;
pub use closing::{Closing, closing_row, pointer_row};
pub use format::{count, elapsed, elapsed_whole, relative_time};
pub use notice::{
    NOTICE, Severity, compaction_row, notice_of, report, resume_separator, retry_row, steer_echo,
    todo_change_row,
};
pub use plan::{plan_body, plan_rows, plan_title};
pub use thinking::ThinkingCell;
pub use tool::{Ending, ToolCard};
pub use user::UserCell;
pub use welcome::Welcome;
