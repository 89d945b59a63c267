//! What is said when a turn did not end well.

use serde_json::{Map, Value, json};

use super::output::Pieces;
use super::text::clean_line;
use crate::protocol::{Failure, FailureKind, Outcome, Spent};

/// What `stream-json` tells of an error, and what a person reads.
pub(super) struct Trouble {
    pub kind: &'static str,
    pub message: String,
    pub hint: Option<String>,
    pub status: Option<u16>,
    retryable: bool,
}

impl Trouble {
    /// The trouble of an outcome, if it is one. The sentences are kimi-cli's.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Finished { .. } => {
                outcome.given_up().map(|why| Self::new("tool_call_repeat", format!("{why}.")))
            }
            Outcome::Cancelled => Some(Self::new("cancelled", "Interrupted by user")),
            Outcome::MaxStepsReached { steps } => {
                let message = format!("Max number of steps reached: {steps}");
                let hint = "Raise it with --max-steps-per-turn, or with loop_control.max_steps_per_turn \
                            in config.toml.";
                Some(Self {
                    hint: Some(hint.to_owned()),
                    ..Self::new("max_steps_reached", message)
                })
            }
            Outcome::BudgetSpent(spent) => {
                let kind = match spent {
                    Spent::Tokens { .. } => "max_tokens_total_reached",
                    Spent::Money { .. } => "max_budget_reached",
                    Spent::Time { .. } => "timeout_reached",
                };
                Some(Self::new(kind, format!("{spent}.")))
            }
            Outcome::Failed(failure) => Some(Self::failed(failure)),
        }
    }

    /// Trouble of a kind that programs can tell apart.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, status: None, retryable: false }
    }

    /// The same trouble, of a kind that says more.
    pub fn of_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    fn failed(failure: &Failure) -> Self {
        let (kind, status, retryable) = match failure.kind {
            FailureKind::LlmNotSet => ("llm_not_set", None, false),
            FailureKind::SignIn => ("sign_in", Some(401), false),
            FailureKind::LlmNotSupported => ("llm_not_supported", None, false),
            FailureKind::Provider { status, retryable } => ("provider", status, retryable),
            FailureKind::Command => ("command", None, false),
            FailureKind::Internal => ("internal", None, false),
        };
        let hint = failure.hint.clone();
        Self { hint, status, retryable, ..Self::new(kind, &failure.message) }
    }

    /// Tells it: a line on stderr, and a record if `as_record`.
    pub fn tell(&self, as_record: bool, to: &mut Pieces) {
        if as_record {
            let mut error = Map::new();
            error.insert("type".to_owned(), self.kind.into());
            error.insert("message".to_owned(), self.message.as_str().into());
            error.insert("retryable".to_owned(), self.retryable.into());
            if let Some(status) = self.status {
                error.insert("status_code".to_owned(), status.into());
            }
            if let Some(hint) = &self.hint {
                error.insert("hint".to_owned(), hint.as_str().into());
            }
            to.record(&json!({ "error": Value::Object(error) }));
        }
        to.err(&format!("{}\n", clean_line(&self.message)));
        if let Some(hint) = &self.hint {
            to.err(&format!("{}\n", clean_line(hint)));
        }
    }
}
