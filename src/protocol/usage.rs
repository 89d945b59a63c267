//! Token accounting of one model response.

use serde::{Deserialize, Serialize};

/// Tokens of one response. Input is the sum of the three input kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Input tokens that no cache answered for.
    pub input_other: u64,
    /// Tokens the model produced.
    pub output: u64,
    /// Input tokens read from the provider's prefix cache.
    pub input_cache_read: u64,
    /// Input tokens written to the provider's prefix cache.
    pub input_cache_creation: u64,
}

impl TokenUsage {
    /// All input tokens.
    pub fn input(&self) -> u64 {
        self.input_other
            .saturating_add(self.input_cache_read)
            .saturating_add(self.input_cache_creation)
    }

    /// Input and output together.
    pub fn total(&self) -> u64 {
        self.input().saturating_add(self.output)
    }

    /// Adds another response's tokens.
    pub fn add(&mut self, other: &Self) {
        self.input_other = self.input_other.saturating_add(other.input_other);
        self.output = self.output.saturating_add(other.output);
        self.input_cache_read = self.input_cache_read.saturating_add(other.input_cache_read);
        self.input_cache_creation =
            self.input_cache_creation.saturating_add(other.input_cache_creation);
    }
}

/// What a model costs, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    pub input: f64,
    pub output: f64,
    /// Input that the provider's cache answers for; `None` is as other input.
    pub cache_read: Option<f64>,
    /// Input that is written to the cache; `None` is as other input.
    pub cache_write: Option<f64>,
}

impl Prices {
    /// What a response costs, in US dollars.
    pub fn cost(&self, usage: &TokenUsage) -> f64 {
        let of = |tokens: u64, price: f64| tokens as f64 * price;
        let sum = of(usage.input_other, self.input)
            + of(usage.input_cache_read, self.cache_read.unwrap_or(self.input))
            + of(usage.input_cache_creation, self.cache_write.unwrap_or(self.input))
            + of(usage.output, self.output);
        sum / 1_000_000.0
    }
}
