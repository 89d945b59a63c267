//! The integration tests, all in one binary so that linking is paid once.

mod docked;
mod support;
mod terminal_session;
