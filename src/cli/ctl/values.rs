//! Checks of single option values.

use std::time::Duration;

use crate::cli::{UsageError, checks};
use crate::platform::Env;
use crate::protocol::control::State;

use super::link::Deadline;

/// The longest wait in seconds: a century is as good as for ever.
const LONGEST: f64 = 3.2e9;

/// A whole number from 0 on.
pub fn number(option: &str, value: &str) -> Result<u64, UsageError> {
    Ok(checks::at_least(&format!("'{option}'"), value, 0)?.cast_unsigned())
}

/// Seconds, also with a fraction.
pub fn seconds(option: &str, value: &str) -> Result<Duration, UsageError> {
    match value.trim().parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => Ok(Duration::from_secs_f64(seconds.min(LONGEST))),
        _ => Err(UsageError::invalid(
            &format!("'{option}'"),
            format!("'{value}' is not a number of seconds."),
        )),
    }
}

/// The end of a wait, counted from now.
pub fn deadline(value: Option<&str>, env: &Env) -> Result<Option<Deadline>, UsageError> {
    let timeout = value.map(|value| seconds("--timeout", value)).transpose()?;
    Ok(timeout.map(|timeout| Deadline::after(env, timeout)))
}

/// States, joined by commas.
pub fn states(option: &str, value: &str) -> Result<Vec<State>, UsageError> {
    const ALL: [State; 5] = [State::Idle, State::Busy, State::Ask, State::Error, State::Exited];
    let state = |word: &str| {
        let found = ALL.iter().find(|state| state.word() == word).copied();
        found.ok_or_else(|| {
            let message = format!("'{word}' is not one of idle, busy, ask, error, exited.");
            UsageError::invalid(&format!("'{option}'"), message)
        })
    };
    value.split(',').map(str::trim).map(state).collect()
}
