//! The terminal screen.
//!
//! | folder | subject |
//! |---|---|
//! | `app` | the event loop: keys, messages and jobs in, frames out |
//! | `terminal` | the bytes that are written, the keys that are read, the state the terminal is left in |
//! | `composer`, `keymap`, `dropped` | the text being written; what each key does; files dropped on it |
//! | `transcript`, `cells`, `todo_panel` | events to rows |
//! | `dialogs`, `overlays` | questions in the live region; pager and pickers over the screen |
//! | `side_panel` | a question beside the conversation, in place of the composer |
//! | `markdown`, `highlight`, `diff`, `text`, `theme` | text to styled rows |
//! | `status` | status bar, spinner, prompt, title, notifications |

mod app;
pub mod cells;
pub mod commands;
pub mod composer;
pub mod dialogs;
pub mod diff;
mod dropped;
pub mod highlight;
pub mod keymap;
pub mod markdown;
pub mod overlays;
pub mod side_panel;
pub mod status;
pub mod terminal;
pub mod theme;
pub mod todo_panel;
pub mod transcript;

pub use app::{Ended, TuiError, TuiOptions, run};
pub use terminal::Signal;
