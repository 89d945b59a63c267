//! Why a model request failed.

use std::time::Duration;

/// A failed model request. The message is one line without control characters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LlmError {
    /// The server could not be reached, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// Nothing came for too long.
    #[error("{0}")]
    Timeout(String),
    /// The server answered with an error status, or with an error object inside the stream.
    #[error("{message} (HTTP {code})")]
    Status {
        code: u16,
        message: String,
        request_id: Option<String>,
        /// How long the server asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The account has used up what it may use: waiting does not help.
    #[error("the quota of the account is used up: {message} (HTTP {code})")]
    Quota { code: u16, message: String, request_id: Option<String> },
    /// The provider wants a sign-in, and there is none that it takes.
    #[error("{0}")]
    SignIn(String),
    /// The model answered with nothing, or with thinking alone.
    #[error("{0}")]
    Empty(String),
    /// The answer could not be understood.
    #[error("{0}")]
    Malformed(String),
    /// Anything else that the provider reports.
    #[error("{0}")]
    Other(String),
}

impl LlmError {
    /// Whether the same request may succeed if it is sent again (agent-loop.md section 4, with the
    /// statuses that kimi-cli's SDKs retry).
    pub fn retryable(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Timeout(_) | Self::Empty(_) | Self::Malformed(_) => true,
            Self::Status { code, .. } => {
                matches!(code, 408 | 409 | 429 | 500 | 502 | 503 | 504 | 529)
            }
            Self::Quota { .. } | Self::SignIn(_) | Self::Other(_) => false,
        }
    }

    /// Whether print mode ends with status 75, "try again later" (print-mode.md section 6).
    pub fn temporary(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Timeout(_) | Self::Empty(_) => true,
            Self::Status { code, .. } => matches!(code, 429 | 500 | 502 | 503 | 504),
            Self::Quota { .. } | Self::SignIn(_) | Self::Malformed(_) | Self::Other(_) => false,
        }
    }

    /// The HTTP status, when there is one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } | Self::Quota { code, .. } => Some(*code),
            // What a server says to a request without one.
            Self::SignIn(_) => Some(401),
            _ => None,
        }
    }

    /// Whether the account's quota is used up, which only a person can change.
    pub fn quota_exhausted(&self) -> bool {
        matches!(self, Self::Quota { .. })
    }

    /// How long the server asks us to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The class name that `StepRetry.error_type` carries (wire.md section 4).
    pub fn class(&self) -> &'static str {
        match self {
            Self::Connection(_) => "APIConnectionError",
            Self::Timeout(_) => "APITimeoutError",
            Self::Status { .. } | Self::Quota { .. } | Self::SignIn(_) => "APIStatusError",
            Self::Empty(_) => "APIEmptyResponseError",
            Self::Malformed(_) | Self::Other(_) => "ChatProviderError",
        }
    }

    /// Whether the request was refused because it is longer than the model's context window.
    pub fn context_overflow(&self) -> bool {
        let Self::Status { code, message, .. } = self else {
            return false;
        };
        if !(400..500).contains(code) || *code == 429 {
            return false;
        }
        // The body is too large, as pictures make it, whatever the server has to say to that.
        if *code == 413 {
            return true;
        }
        let message = message.to_ascii_lowercase();
        // How many may come in a minute is another matter.
        if ["rate limit", "per minute", "per day"].iter().any(|mark| message.contains(mark)) {
            return false;
        }
        [
            "context length",
            "context_length",
            "context window",
            "maximum context",
            "too many tokens",
            "max tokens",
            "token limit",
            "prompt is too long",
            "input is too long",
            "maximum number of tokens",
            "context limit",
            "max message tokens",
            "input length",
            "request_too_large",
            "request too large",
            "token length",
            "tokens length",
            "context size",
            "token count of",
            "reduce the length",
        ]
        .iter()
        .any(|mark| message.contains(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, message: &str) -> LlmError {
        let message = message.to_owned();
        LlmError::Status { code, message, request_id: None, retry_after: None }
    }

    #[test]
    fn every_providers_word_for_too_long_is_known() {
        for message in [
            "This model's maximum context length is 8192 tokens",
            "context_length_exceeded",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
            "Invalid request: Your request exceeded model token limit: 131072",
            "total message token length exceed max message tokens",
            "Input is too long for requested model.",
            "Invalid request: Input token length too long",
            "tokens length in request too long",
            "the request exceeds the available context size, try increasing it",
            "prompt token count of 130000 exceeds the limit of 128000",
            "Please reduce the length of the messages or completion.",
        ] {
            assert!(refused(400, message).context_overflow(), "{message}");
            assert!(!refused(429, message).context_overflow(), "the rate is limited: {message}");
            assert!(!refused(500, message).context_overflow(), "{message}");
        }
        assert!(refused(413, "Request Entity Too Large").context_overflow());
        for message in [
            "Invalid API key",
            "max_tokens must be positive",
            "unknown tool",
            "token limit for your organisation exceeded: rate limit reached",
        ] {
            assert!(!refused(400, message).context_overflow(), "{message}");
        }
    }
}
