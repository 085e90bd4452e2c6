//! The parts of a record whose JSON differs from their fields: times in milliseconds, tokens by name, costs with their origin.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Attempt, Cost, Timing};
use crate::chat::{TokenLogprob, Usage};

/// The time in milliseconds with one decimal.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

impl Serialize for Timing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("Timing", 6)?;
        object.serialize_field("connect_ms", &self.connect.map(ms))?;
        object.serialize_field("first_byte_ms", &self.first_byte.map(ms))?;
        object.serialize_field("first_reasoning_ms", &self.first_reasoning.map(ms))?;
        object.serialize_field("first_token_ms", &self.first_token.map(ms))?;
        object.serialize_field("total_ms", &self.total.map(ms))?;
        object
            .serialize_field("tokens_per_second", &self.tokens_per_second.map(|rate| (rate * 10.0).round() / 10.0))?;
        object.end()
    }
}

impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("Attempt", 10)?;
        object.serialize_field("gateway", &self.gateway)?;
        object.serialize_field("model", &self.model)?;
        object.serialize_field("status", &self.status)?;
        object.serialize_field("error", &self.error.as_ref().map(|error| &error.message))?;
        object.serialize_field("kind", &self.error.as_ref().map(|error| error.kind))?;
        object.serialize_field("start_ms", &ms(self.start))?;
        object.serialize_field("duration_ms", &ms(self.duration))?;
        object.serialize_field("cost", &self.cost)?;
        object.serialize_field("request_id", &self.request_id)?;
        object.serialize_field("maybe_billed", &self.maybe_billed())?;
        object.end()
    }
}

pub(super) fn empty_as_null<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.is_empty() { serializer.serialize_none() } else { serializer.serialize_str(text) }
}

pub(super) fn no_tokens_as_null<S: Serializer>(tokens: &[TokenLogprob], serializer: S) -> Result<S::Ok, S::Error> {
    if tokens.is_empty() { serializer.serialize_none() } else { tokens.serialize(serializer) }
}

pub(super) fn usage_in_tokens<S: Serializer>(usage: &Usage, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct;
    let mut object = serializer.serialize_struct("Usage", 5)?;
    object.serialize_field("input_tokens", &usage.input)?;
    object.serialize_field("cached_input_tokens", &usage.cache_read)?;
    object.serialize_field("cache_write_tokens", &usage.cache_write)?;
    object.serialize_field("output_tokens", &usage.output)?;
    object.serialize_field("reasoning_tokens", &usage.reasoning)?;
    object.end()
}

pub(super) fn unknown_cost<S: Serializer>(cost: &Option<Cost>, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct;
    let mut object = serializer.serialize_struct("Cost", 3)?;
    object.serialize_field("usd", &cost.map(|cost| cost.usd))?;
    object.serialize_field("origin", cost.map_or("unknown", |cost| cost.origin.as_str()))?;
    match cost {
        Some(Cost { partial: true, .. }) => object.serialize_field("partial", &true)?,
        _ => object.skip_field("partial")?,
    }
    object.end()
}
