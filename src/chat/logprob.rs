//! How likely a model found the tokens that it chose.

use serde::{Deserialize, Serialize};

/// A token of an answer, with the natural logarithm of its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The text of the token.
    pub token: String,
    /// The natural logarithm of its probability, at most 0.
    pub logprob: f64,
    /// The likeliest tokens at this position, likeliest first, as many as were asked for. The chosen token may be among
    /// them.
    pub top: Vec<Alternative>,
}

/// A token that could have been chosen, with the natural logarithm of its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The text of the token.
    pub token: String,
    /// The natural logarithm of its probability, at most 0.
    pub logprob: f64,
}

impl TokenLogprob {
    /// The bytes that it takes in memory, for which it counts where the size of an answer is bounded.
    pub fn size(&self) -> usize {
        let alternatives = self.top.iter().map(|alternative| size_of::<Alternative>() + alternative.token.len());
        size_of::<Self>() + self.token.len() + alternatives.sum::<usize>()
    }
}
