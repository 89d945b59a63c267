//! What is always in sight: status bar, spinner row, prompt row; and what is said beyond the screen:
//! window title and notifications.

pub mod bar;
pub mod notify;
pub mod progress;
pub mod prompt;
pub mod spinner;
pub mod title;
pub mod toast;
