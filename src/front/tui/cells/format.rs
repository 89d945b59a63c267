//! Durations, counts and dates as people read them.

use std::time::Duration;

/// `0.4s`, `12s`, `3m 05s`, `1h 02m`.
pub fn elapsed(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        elapsed_whole(duration)
    }
}

/// The same in whole seconds, for a number that runs.
pub fn elapsed_whole(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `340`, `1.2k`, `3.4M`.
pub fn count(n: u64) -> String {
    // Casts are exact enough: one digit is shown.
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// How long before `now` something was, both in Unix seconds: `just now`, `5m ago`, `3h ago`,
/// `2d ago`, `5w ago`.
pub fn relative_time(now: f64, then: f64) -> String {
    let seconds = now - then;
    if !seconds.is_finite() || seconds < 60.0 {
        return "just now".to_owned();
    }
    let minutes = (seconds / 60.0) as u64;
    match minutes {
        0..60 => format!("{minutes}m ago"),
        60..1_440 => format!("{}h ago", minutes / 60),
        1_440..20_160 => format!("{}d ago", minutes / 1_440),
        _ => format!("{}w ago", minutes / 10_080),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let shown: Vec<_> = [0, 4_230, 12_900, 65_000, 3_725_000]
            .map(Duration::from_millis)
            .into_iter()
            .map(elapsed)
            .collect();
        assert_eq!(shown, ["0.0s", "4.2s", "12s", "1m 05s", "1h 02m"]);
    }

    #[test]
    fn counts() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 3_400_000].map(count),
            ["0", "999", "1.0k", "12.3k", "3.4M"]
        );
    }

    #[test]
    fn times() {
        let day = 86_400.0;
        let shown = [-5.0, 59.0, 60.0, 3_600.0, day, 15.0 * day, f64::NAN]
            .map(|ago| relative_time(1e9, 1e9 - ago));
        assert_eq!(
            shown,
            ["just now", "just now", "1m ago", "1h ago", "1d ago", "2w ago", "just now"]
        );
    }
}
