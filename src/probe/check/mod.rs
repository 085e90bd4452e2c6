//! A file for each feature: the request that shows it, and what the answer proves.

mod cost;
pub(super) mod image;
pub(super) mod json_schema;
pub(super) mod logprobs;
pub(super) mod max_tokens;
mod parallel_tools;
pub(super) mod pdf;
pub(super) mod reasoning;
pub(super) mod seed;
pub(super) mod stop;
mod stream;
pub(super) mod system;
pub(super) mod tools;
mod usage;

use super::{Answer, Feature, Question, Verdict, excerpt, no, prompt, unknown, yes};

/// Shows whether a model has one feature.
pub(super) trait Check: Sync {
    /// The requests whose answers it reads; none if the plain one suffices.
    fn questions(&self) -> &'static [Question] {
        &[]
    }

    /// The name of the parameter that it tries, as [`crate::call::Event::Adjusted`] has it where a model refuses it.
    fn parameter(&self) -> Option<&'static str> {
        None
    }

    /// What is sent, in one line.
    fn sent(&self) -> &'static str;

    /// What the answers prove. They are whole, and in the order of [`Check::questions`].
    fn judge(&self, answers: &[&Answer]) -> Verdict;
}

/// The check of a feature; `None` for the context, which is [searched](super::context::Search).
pub(super) fn of(feature: Feature) -> Option<&'static dyn Check> {
    Some(match feature {
        Feature::Stream => &stream::Stream,
        Feature::System => &system::System,
        Feature::Stop => &stop::Stop,
        Feature::Seed => &seed::Seed,
        Feature::MaxTokens => &max_tokens::MaxTokens,
        Feature::Tools => &tools::Tools,
        Feature::ParallelTools => &parallel_tools::ParallelTools,
        Feature::JsonSchema => &json_schema::JsonSchema,
        Feature::Image => &image::Image,
        Feature::Pdf => &pdf::Pdf,
        Feature::Logprobs => &logprobs::Logprobs,
        Feature::Reasoning => &reasoning::Reasoning,
        Feature::Usage => &usage::Usage,
        Feature::Cost => &cost::Cost,
        Feature::Context => return None,
    })
}

/// Whether the text has these words in this order, in upper or lower case, with anything between them.
fn has_in_order(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    let mut rest = text.as_str();
    words.iter().all(|word| match rest.find(word) {
        Some(at) => {
            rest = &rest[at + word.len()..];
            true
        }
        None => false,
    })
}
