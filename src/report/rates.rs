//! Prices as every report shows them: per million tokens, and per request.

use serde::Serialize;

use super::format::UNKNOWN;
use crate::money::Usd;
use crate::rates::{Rates, Tariff};

/// What a million tokens cost at this price of one; `None` where it is unknown or too large.
pub fn per_million(rate: Option<Usd>) -> Option<Usd> {
    rate?.times(1_000_000)
}

/// `$3.00 in, $15.00 out, $0.30 read from cache per million tokens, and $0.01 per request`.
pub fn sentence(rates: &Rates) -> String {
    let part = |rate, what: &str| per_million(rate).map(|usd| format!("{usd} {what}"));
    let parts: Vec<String> = [
        Some(part(rates.input, "in").unwrap_or_else(|| format!("{UNKNOWN} in"))),
        Some(part(rates.output, "out").unwrap_or_else(|| format!("{UNKNOWN} out"))),
        part(rates.cache_read, "read from cache"),
        part(rates.cache_write, "written to cache"),
        part(rates.reasoning, "thought"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let request = rates.request.map_or(String::new(), |usd| format!(", and {usd} per request"));
    format!("{} per million tokens{request}", parts.join(", "))
}

/// Prices in US dollars per million tokens, and per request.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RatesJson {
    input: Option<Usd>,
    output: Option<Usd>,
    cache_read: Option<Usd>,
    cache_write: Option<Usd>,
    request: Option<Usd>,
    reasoning: Option<Usd>,
}

impl From<&Rates> for RatesJson {
    fn from(rates: &Rates) -> Self {
        Self {
            input: per_million(rates.input),
            output: per_million(rates.output),
            cache_read: per_million(rates.cache_read),
            cache_write: per_million(rates.cache_write),
            request: rates.request,
            reasoning: per_million(rates.reasoning),
        }
    }
}

impl RatesJson {
    /// The values in the order of [`RATE_HEADINGS`].
    pub fn cells(&self) -> [String; 6] {
        [self.input, self.output, self.cache_read, self.cache_write, self.reasoning, self.request]
            .map(|usd| usd.map_or_else(String::new, Usd::to_decimal))
    }
}

/// The names of [`RatesJson::cells`] in CSV.
pub const RATE_HEADINGS: [&str; 6] = [
    "input_usd_per_million",
    "output_usd_per_million",
    "cache_read_usd_per_million",
    "cache_write_usd_per_million",
    "reasoning_usd_per_million",
    "request_usd",
];

/// The price of short prompts, and those of longer ones.
#[derive(Debug, Clone, Serialize)]
pub struct TariffJson {
    #[serde(flatten)]
    rates: RatesJson,
    steps: Vec<StepJson>,
}

#[derive(Debug, Clone, Serialize)]
struct StepJson {
    above_input_tokens: u64,
    #[serde(flatten)]
    rates: RatesJson,
}

impl From<&Tariff> for TariffJson {
    fn from(tariff: &Tariff) -> Self {
        let step = |step: &crate::rates::Step| StepJson { above_input_tokens: step.above, rates: (&step.rates).into() };
        Self { rates: (&tariff.base).into(), steps: tariff.steps.iter().map(step).collect() }
    }
}
