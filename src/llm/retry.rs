//! When a failed request is sent again.

use std::time::Duration;

use super::LlmError;

/// Attempts when nobody says how many.
const ATTEMPTS: u32 = 3;
/// The same at a rate-limited or overloaded server.
const PATIENT_ATTEMPTS: u32 = 5;
/// The longest wait of our own.
const LONGEST_WAIT: f64 = 5.0;
/// The longest wait a server can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// How often a step is tried (agent-loop.md section 4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included; 1 turns retrying off. `None` when nobody gave a number:
    /// a given one holds for every kind of error (cli.md section 2).
    pub max_attempts: Option<u32>,
}

impl RetryPolicy {
    /// Attempts in all when requests fail with this error.
    pub fn attempts(&self, error: &LlmError) -> u32 {
        let busy = matches!(error.status(), Some(429 | 529));
        self.max_attempts.unwrap_or(if busy { PATIENT_ATTEMPTS } else { ATTEMPTS })
    }

    /// The wait after attempt number `failed_attempt` (from 1) failed, or None to give up.
    /// `jitter` is a random number in `0.0..1.0`.
    pub fn wait_before(
        &self,
        failed_attempt: u32,
        error: &LlmError,
        jitter: f64,
    ) -> Option<Duration> {
        if !error.retryable() || failed_attempt >= self.attempts(error) {
            return None;
        }
        let doublings = failed_attempt.saturating_sub(1).min(16);
        let own = 0.3 * f64::from(1_u32 << doublings) + jitter.clamp(0.0, 1.0) * 0.5;
        let own = Duration::from_secs_f64(own.min(LONGEST_WAIT));
        let asked = error.retry_after().unwrap_or_default().min(LONGEST_ASKED);
        Some(own.max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, retry_after: Option<u64>) -> LlmError {
        LlmError::Status {
            code,
            message: "no".into(),
            request_id: None,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn millis(policy: RetryPolicy, error: &LlmError, jitter: f64) -> Vec<u128> {
        (1..)
            .map_while(|failed| policy.wait_before(failed, error, jitter))
            .map(|wait| wait.as_millis())
            .collect()
    }

    #[test]
    fn waits_grow_to_five_seconds() {
        let policy = RetryPolicy { max_attempts: Some(8) };
        let error = LlmError::Connection("x".into());
        assert_eq!(millis(policy, &error, 0.0), [300, 600, 1200, 2400, 4800, 5000, 5000]);
        assert_eq!(millis(RetryPolicy::default(), &error, 1.0), [800, 1100]);
    }

    #[test]
    fn the_server_is_heard_up_to_a_minute() {
        let policy = RetryPolicy { max_attempts: Some(2) };
        assert_eq!(millis(policy, &status(503, Some(7)), 0.0), [7000]);
        assert_eq!(millis(policy, &status(503, Some(7200)), 0.0), [60_000]);
        assert_eq!(millis(policy, &status(503, Some(0)), 0.0), [300]);
    }

    #[test]
    fn busy_servers_get_more_patience_unless_a_number_is_given() {
        for code in [429, 529] {
            assert_eq!(millis(RetryPolicy::default(), &status(code, None), 0.0).len(), 4);
            for attempts in 1..4 {
                let policy = RetryPolicy { max_attempts: Some(attempts) };
                let waits = millis(policy, &status(code, None), 0.0);
                assert_eq!(waits.len(), attempts as usize - 1, "{code}");
            }
        }
    }

    #[test]
    fn permanent_errors_are_not_retried() {
        let policy = RetryPolicy { max_attempts: Some(u32::MAX) };
        for error in [status(400, Some(1)), status(401, None), LlmError::Other("x".into())] {
            assert_eq!(policy.wait_before(1, &error, 0.0), None);
        }
        assert!(policy.wait_before(u32::MAX - 1, &status(500, None), f64::NAN).is_some());
    }
}
