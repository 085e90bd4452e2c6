//! Prices as the table has them, and the tariffs that they make.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::money::Usd;
use crate::rates::{Rates, Step, Tariff};

/// Prices, and when they hold.
#[derive(Debug, Deserialize)]
pub(super) struct Dated<'a> {
    /// `None` is always.
    #[serde(borrow)]
    constraint: Option<Constraint<'a>>,
    prices: Prices,
}

/// Dates and times are of UTC and of fixed width, as `2026-11-20` and `16:30:00Z`, so they are compared as texts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Constraint<'a> {
    /// From this day on.
    From { start_date: &'a str },
    /// Each day between two times; past midnight where the end is the smaller one.
    Daily { start_time: &'a str, end_time: &'a str },
}

impl Constraint<'_> {
    fn holds(&self, date: &str, time: &str) -> bool {
        match *self {
            Self::From { start_date } => date >= start_date,
            Self::Daily { start_time, end_time } if end_time < start_time => time >= start_time || time < end_time,
            Self::Daily { start_time, end_time } => (start_time..end_time).contains(&time),
        }
    }
}

/// The prices that hold at this moment: the last ones of those whose time it is.
pub(super) fn at<'a>(prices: &'a [Dated<'_>], now: SystemTime) -> Option<&'a Prices> {
    let now = Timestamp::try_from(now).ok()?;
    let (date, time) = (now.strftime("%Y-%m-%d").to_string(), now.strftime("%H:%M:%SZ").to_string());
    let holds = |price: &&Dated<'_>| price.constraint.as_ref().is_none_or(|constraint| constraint.holds(&date, &time));
    prices.iter().rev().find(holds).map(|price| &price.prices)
}

/// In dollars per million tokens, and per thousand requests.
#[derive(Debug, Deserialize)]
pub(super) struct Prices {
    input_mtok: Option<Price>,
    output_mtok: Option<Price>,
    cache_read_mtok: Option<Price>,
    cache_write_mtok: Option<Price>,
    output_reasoning_mtok: Option<Price>,
    output_citation_mtok: Option<Price>,
    requests_kcount: Option<Price>,
}

/// A price that may change with the length of the prompt.
#[derive(Debug)]
struct Price {
    base: Usd,
    /// Ascending.
    tiers: Vec<Tier>,
}

#[derive(Debug, Deserialize)]
struct Tier {
    /// For prompts of more tokens than this.
    start: u64,
    price: Usd,
}

impl Price {
    /// The price for prompts of so many tokens.
    fn at(&self, input: u64) -> Usd {
        self.tiers.iter().rev().find(|tier| input > tier.start).map_or(self.base, |tier| tier.price)
    }
}

impl Prices {
    /// The tariff, to the picodollar. Returns `None` where the price is not one of tokens and requests alone. Zero is a
    /// price only where the model is known to be `free`.
    pub(super) fn tariff(&self, free: bool) -> Option<Tariff> {
        let mut tariff = Tariff::from(self.rates(0, free)?);
        let mut starts: Vec<u64> = self.all().flat_map(|price| &price.tiers).map(|tier| tier.start).collect();
        starts.sort_unstable();
        for above in starts {
            let rates = self.rates(above + 1, free)?;
            if rates != *tariff.at(above + 1) {
                tariff.steps.push(Step { above, rates });
            }
        }
        Some(tariff)
    }

    fn all(&self) -> impl Iterator<Item = &Price> {
        let tokens = [&self.input_mtok, &self.output_mtok, &self.cache_read_mtok, &self.cache_write_mtok];
        let others = [&self.output_reasoning_mtok, &self.output_citation_mtok, &self.requests_kcount];
        tokens.into_iter().chain(others).flatten()
    }

    /// The rates for prompts of so many tokens.
    fn rates(&self, length: u64, free: bool) -> Option<Rates> {
        let rate = |price: &Option<Price>| price.as_ref().map(|price| price.at(length).per_million());
        let priced = |rate: Option<Usd>| rate.filter(|rate| *rate != Usd::ZERO);
        let (input, output) = (rate(&self.input_mtok), rate(&self.output_mtok));
        // No gateway says how much of an answer was citations.
        if rate(&self.output_citation_mtok).is_some_and(|citation| Some(citation) != output) {
            return None;
        }
        // The table writes zero also where tokens are not what is paid for.
        if priced(input).is_none() && priced(output).is_none() {
            return free.then_some(Rates::FREE);
        }
        Some(Rates {
            input: priced(input),
            output: priced(output),
            cache_read: rate(&self.cache_read_mtok).filter(|rate| Some(*rate) != input),
            cache_write: rate(&self.cache_write_mtok).filter(|rate| Some(*rate) != input),
            reasoning: rate(&self.output_reasoning_mtok).filter(|rate| Some(*rate) != output),
            request: priced(self.requests_kcount.as_ref().map(|price| price.at(length).per_thousand())),
        })
    }
}

/// From a number, or an object where there are tiers. Read digit for digit.
impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tiered {
            base: Usd,
            tiers: Vec<Tier>,
        }
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if json.starts_with('{') {
            let Tiered { base, tiers } = serde_json::from_str(json).map_err(D::Error::custom)?;
            return Ok(Self { base, tiers });
        }
        Ok(Self { base: json.parse().map_err(D::Error::custom)?, tiers: Vec::new() })
    }
}
