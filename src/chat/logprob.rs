//! How likely a model found the tokens that it chose.

use serde::{Deserialize, Serialize};

/// A token of an answer, with the natural logarithm of its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    pub token: String,
    pub logprob: f64,
    /// The likeliest tokens at this place, likeliest first; the chosen one may be among them. As many as were asked for.
    pub top: Vec<Alternative>,
}

/// A token that could have been chosen, with the natural logarithm of its probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    pub token: String,
    pub logprob: f64,
}

impl TokenLogprob {
    /// What it counts for where the length of an answer is bounded, in bytes.
    pub fn size(&self) -> usize {
        let size = |token: &str| token.len() + size_of::<f64>();
        size(&self.token) + self.top.iter().map(|alternative| size(&alternative.token)).sum::<usize>()
    }
}
