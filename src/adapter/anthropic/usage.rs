//! Anthropic's usage. It counts cached tokens beside the input; in [`Usage`] they are part of the input.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::adapter::lenient::{Count, maybe};
use crate::adapter::usage::{self, CacheCreation};
use crate::chat::{Surcharge, Usage};
use crate::money::Usd;

/// The `usage` object, or what is known after several of them: counts in a stream are cumulative.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    output_tokens: Count,
    #[serde(deserialize_with = "maybe")]
    output_tokens_details: Option<OutputDetails>,
    /// The kind of a round.
    #[serde(rename = "type", deserialize_with = "maybe")]
    kind: Option<String>,
    #[serde(deserialize_with = "maybe")]
    cache_creation: Option<CacheCreation>,
    /// The rounds of one answer, where the context was compacted. The counts above are those of the last round alone.
    iterations: Option<Vec<WireUsage>>,
    #[serde(skip)]
    cost: Option<Usd>,
    #[serde(skip)]
    surcharge: Option<Surcharge>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

impl WireUsage {
    /// Takes in the usage object with which a stream begins. It counts a token or so of the answer, of which nothing has come:
    /// that is not how long the answer is.
    pub(super) fn begin(&mut self, raw: &RawValue) {
        self.update(raw);
        (self.output_tokens, self.output_tokens_details, self.iterations) = (Count(None), None, None);
    }

    /// Adds a later usage object. A zero does not replace a count, and an object of zeros alone is ignored, because
    /// proxies write zeros for what they do not know.
    pub(super) fn update(&mut self, raw: &RawValue) {
        let Ok(later) = serde_json::from_str::<WireUsage>(raw.get()) else { return };
        let bill = usage::bill(raw);
        self.cost = bill.cost.or(self.cost);
        self.surcharge = self.surcharge.max(bill.surcharge);
        let counts =
            [later.input_tokens, later.cache_creation_input_tokens, later.cache_read_input_tokens, later.output_tokens];
        if counts.iter().all(|count| count.0.unwrap_or(0) == 0) {
            return;
        }
        for (known, said) in [
            (&mut self.input_tokens, later.input_tokens),
            (&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens),
            (&mut self.cache_read_input_tokens, later.cache_read_input_tokens),
            (&mut self.output_tokens, later.output_tokens),
        ] {
            if said.0.is_some_and(|count| count > 0 || known.0.is_none()) {
                *known = said;
            }
        }
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
        if later.cache_write_hour().is_some() {
            self.cache_creation = later.cache_creation;
        }
        self.iterations = later.iterations.or(self.iterations.take());
    }

    /// The tokens that the cache keeps for an hour, where there are any.
    fn cache_write_hour(&self) -> Option<u64> {
        self.cache_creation?.ephemeral_1h_input_tokens.0.filter(|count| *count > 0)
    }

    /// The usage as it is known by now.
    pub(super) fn normalise(&self) -> Usage {
        let rounds = self.iterations.as_deref().filter(|rounds| rounds.len() > 1).unwrap_or(std::slice::from_ref(self));
        let sum = |count: fn(&WireUsage) -> Count| -> Option<u64> { rounds.iter().map(|round| count(round).0).sum() };
        // An advisor is another model, with other prices.
        let asks_another =
            rounds.iter().any(|round| !matches!(round.kind.as_deref(), None | Some("message" | "compaction")));
        let cache_read = sum(|usage| usage.cache_read_input_tokens);
        let cache_write = sum(|usage| usage.cache_creation_input_tokens);
        let apart = sum(|usage| usage.input_tokens);
        let output = sum(|usage| usage.output_tokens);
        usage::known(Usage {
            input: apart.map(|apart| apart + cache_read.unwrap_or(0) + cache_write.unwrap_or(0)),
            cache_read,
            cache_write,
            output,
            reasoning: self
                .output_tokens_details
                .and_then(|details| details.thinking_tokens.0)
                .filter(|thought| output.is_some_and(|output| *thought <= output)),
            cache_write_hour: rounds.iter().filter_map(WireUsage::cache_write_hour).reduce(|sum, round| sum + round),
            cost: self.cost,
            surcharge: if asks_another { Some(Surcharge::Parts) } else { self.surcharge },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(objects: &[&str]) -> Usage {
        let mut wire = WireUsage::default();
        for json in objects {
            wire.update(serde_json::from_str(json).expect(json));
        }
        wire.normalise()
    }

    #[test]
    fn cached_tokens_become_part_of_the_input() {
        let usage = usage(&[
            r#"{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":100,"output_tokens":3}"#,
        ]);
        let meant = Usage { input: Some(115), cache_read: Some(100), cache_write: Some(5), ..Usage::default() };
        assert_eq!(usage, Usage { output: Some(3), ..meant });
    }

    #[test]
    fn later_counts_replace_earlier_ones_and_zeros_do_not() {
        let start = r#"{"input_tokens":10,"output_tokens":1}"#;
        let plain = Usage { input: Some(10), output: Some(7), ..Usage::default() };
        assert_eq!(usage(&[start, r#"{"output_tokens":7}"#]), plain);
        assert_eq!(usage(&[start, r#"{"input_tokens":0,"output_tokens":7}"#]), plain);
        assert!(usage(&[r#"{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0}"#]).is_unknown());
    }

    #[test]
    fn what_a_stream_begins_with_is_no_count_of_the_answer() {
        let mut wire = WireUsage::default();
        wire.begin(serde_json::from_str(r#"{"input_tokens":10,"output_tokens":1}"#).expect("JSON"));
        assert_eq!(wire.normalise(), Usage { input: Some(10), ..Usage::default() });
        wire.update(serde_json::from_str(r#"{"output_tokens":7}"#).expect("JSON"));
        assert_eq!(wire.normalise(), Usage { input: Some(10), output: Some(7), ..Usage::default() });
    }

    #[test]
    fn what_the_cache_keeps_for_an_hour_is_part_of_what_is_written() {
        let start = r#"{"input_tokens":10,"cache_creation_input_tokens":300,
            "cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":1}"#;
        let zeros = r#"{"cache_creation":{"ephemeral_1h_input_tokens":0},"output_tokens":7}"#;
        let usage = usage(&[start, zeros]);
        assert_eq!((usage.cache_write, usage.cache_write_hour, usage.output), (Some(300), Some(200), Some(7)));
    }

    #[test]
    fn what_another_model_has_advised_has_other_prices() {
        let usage = usage(&[r#"{"input_tokens":10,"output_tokens":8,"iterations":[
            {"type":"message","input_tokens":10,"output_tokens":8},
            {"type":"advisor_message","model":"claude-opus-4-7","input_tokens":100,"output_tokens":80}]}"#]);
        assert_eq!((usage.surcharge, usage.output), (Some(Surcharge::Parts), Some(88)));
    }

    #[test]
    fn the_rounds_of_an_answer_add_up() {
        let usage = usage(&[r#"{"input_tokens":181,"output_tokens":8,"iterations":[
            {"type":"compaction","input_tokens":100,"output_tokens":83,"cache_read_input_tokens":1000},
            {"type":"message","input_tokens":181,"output_tokens":8,"cache_read_input_tokens":0}]}"#]);
        let meant = Usage { input: Some(1281), cache_read: Some(1000), output: Some(91), ..Usage::default() };
        assert_eq!(usage, meant);
    }
}
