//! Token counts that mean the same for every wire format.

use serde::{Deserialize, Serialize};

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
    /// Prompt tokens that the provider's cache keeps for an hour, which costs more; part of `cache_write`.
    pub cache_write_hour: Option<u64>,
    /// The cost of the answer, where the gateway itself says so.
    pub cost: Option<Usd>,
    /// What the prices of these tokens do not cover; `None` where the gateway tells of nothing.
    pub surcharge: Option<Surcharge>,
}

/// What is billed besides or above the list prices of the tokens. What is larger covers what is smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surcharge {
    /// All tokens have a higher price, because of the tier, the speed or the region in which the model answered.
    Tier,
    /// More than text is billed: sound, pictures, a long time in a cache, searches, or other tools and models that the provider
    /// ran.
    Parts,
}

impl Usage {
    /// Replaces every field that `later` knows. A surcharge stays.
    pub fn update(&mut self, later: &Usage) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
        self.cache_write_hour = later.cache_write_hour.or(self.cache_write_hour);
        self.cost = later.cost.or(self.cost);
        self.surcharge = self.surcharge.max(later.surcharge);
    }

    /// Whether neither tokens nor a cost are known.
    pub fn is_unknown(&self) -> bool {
        *self == Self { surcharge: self.surcharge, ..Self::default() }
    }
}
