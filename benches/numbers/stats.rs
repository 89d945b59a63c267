//! Numbers to words.

use std::time::Duration;

use crate::process;

/// The machine, in one line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = process::processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let os = std::env::consts::OS;
    format!("kimi {}, {cores} cores, {processor}, {os}", env!("CARGO_PKG_VERSION"))
}

/// Milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The value below which this share of the values lies.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// Median, range and number of values.
pub fn spread(values: &[f64], unit: &str) -> String {
    format!(
        "**{} {unit}** ({}–{}, n = {})",
        short(median(values)),
        short(percentile(values, 0.0)),
        short(percentile(values, 1.0)),
        values.len()
    )
}

/// Two or three digits that matter.
pub fn short(value: f64) -> String {
    if value.abs() >= 10.0 {
        format!("{value:.0}")
    } else if value.abs() >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
