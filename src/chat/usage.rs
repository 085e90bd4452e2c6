//! Token counts that mean the same for every wire format.

use crate::money::Usd;

/// The tokens that an answer used. `None` means that the gateway did not say, which is not zero.
///
/// The meaning is that of OpenTelemetry's conventions for generative AI: `input` includes the tokens that were read from
/// and written to a cache, and `output` includes reasoning. Each adapter converts the counts of its format once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All tokens of the prompt.
    pub input: Option<u64>,
    /// Prompt tokens that came from the provider's cache; part of `input`.
    pub cache_read: Option<u64>,
    /// Prompt tokens that were written to the provider's cache; part of `input`.
    pub cache_write: Option<u64>,
    /// All tokens of the answer.
    pub output: Option<u64>,
    /// Tokens of reasoning; part of `output`.
    pub reasoning: Option<u64>,
    /// The cost of the answer, where the gateway itself says so.
    pub cost: Option<Usd>,
}

impl Usage {
    /// Replaces every field that `later` knows.
    pub fn update(&mut self, later: &Usage) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
        self.cost = later.cost.or(self.cost);
    }

    /// Whether no field is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
