//! Token counts with one meaning for every wire format.

use crate::money::Usd;

/// What an answer used. `None` means that the gateway did not say, which is not zero.
///
/// The meaning is OpenTelemetry GenAI's: `input` includes tokens read from and written to a cache, `output`
/// includes reasoning. Each adapter converts to it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All tokens of the prompt.
    pub input: Option<u64>,
    /// Prompt tokens served from the provider's cache; part of `input`.
    pub cache_read: Option<u64>,
    /// Prompt tokens written to the provider's cache; part of `input`.
    pub cache_write: Option<u64>,
    /// All tokens of the answer.
    pub output: Option<u64>,
    /// Tokens spent thinking; part of `output`.
    pub reasoning: Option<u64>,
    /// What the gateway itself says the answer cost.
    pub cost: Option<Usd>,
}

impl Usage {
    /// Takes over every field that `later` knows.
    pub fn update(&mut self, later: &Usage) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
        self.cost = later.cost.or(self.cost);
    }

    /// Whether nothing at all is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
