//! Prices of tokens: rates, tariffs with steps, and the exact arithmetic from usage to money.

use serde::{Deserialize, Serialize};

use crate::chat::Usage;
use crate::money::Usd;

/// Prices per token, and per request. `None` is unknown, which is not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rates {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Usd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Usd>,
    /// Where unknown, tokens read from a cache cost what other input does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<Usd>,
    /// Where unknown, tokens written to a cache cost what other input does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Usd>,
    /// Where unknown, reasoning costs what other output does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Usd>,
    /// Added once for each request; `None` adds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Usd>,
}

impl Rates {
    /// Everything costs nothing.
    pub const FREE: Rates = Rates {
        input: Some(Usd::ZERO),
        output: Some(Usd::ZERO),
        cache_read: None,
        cache_write: None,
        reasoning: None,
        request: None,
    };

    /// What `usage` costs, to the picodollar. Returns `None` where a count or a rate that this takes is unknown, or where
    /// the counts contradict each other.
    pub fn cost(&self, usage: &Usage) -> Option<Usd> {
        i64::try_from(self.picos(usage)?).ok().map(Usd::from_picos)
    }

    /// The same, or the largest amount where it is more than that.
    pub fn cost_at_most(&self, usage: &Usage) -> Option<Usd> {
        Some(Usd::from_picos(i64::try_from(self.picos(usage)?).unwrap_or(i64::MAX)))
    }

    fn picos(&self, usage: &Usage) -> Option<i128> {
        let (input, output) = (usage.input?, usage.output?);
        let (read, written) = (usage.cache_read.unwrap_or(0), usage.cache_write.unwrap_or(0));
        let plain = input.checked_sub(read)?.checked_sub(written)?;
        let for_an_hour = usage.cache_write_hour.unwrap_or(0);
        // The share of reasoning matters only where reasoning has a price of its own.
        let reasoning = match self.reasoning {
            Some(_) if output > 0 => usage.reasoning?,
            _ => 0,
        };
        let parts = [
            (plain, self.input),
            (read, self.cache_read.or(self.input)),
            (written.checked_sub(for_an_hour)?, self.cache_write.or(self.input)),
            (for_an_hour, self.cache_write_hour()),
            (output.checked_sub(reasoning)?, self.output),
            (reasoning, self.reasoning),
            (1, self.request.or(Some(Usd::ZERO))),
        ];
        let mut picos: i128 = 0;
        for (count, rate) in parts {
            if count > 0 {
                picos = picos.saturating_add(i128::from(rate?.picos()) * i128::from(count));
            }
        }
        Some(picos)
    }

    /// What it costs that a token is kept in a cache for an hour: twice the price of input. That is the rule of Anthropic for all of
    /// its models, and nobody else tells how many tokens these are.
    fn cache_write_hour(&self) -> Option<Usd> {
        let twice = self.input?.times(2)?;
        Some(self.cache_write.map_or(twice, |write| write.max(twice)))
    }

    /// These rates with all input at the highest price that may be billed for it: a gateway may write it to a cache, or read it
    /// from there, whether it was marked for that or not.
    #[must_use]
    fn with_dearest_input(self, mark: CacheMark) -> Rates {
        let dearest = |input: Usd| {
            let of_caches = [self.cache_read, self.cache_write].into_iter().flatten();
            of_caches.fold(mark.most(input), Ord::max)
        };
        Rates { input: self.input.map(dearest), cache_read: None, cache_write: None, ..self }
    }

    /// These rates with `markup` millionths added, each rounded to the nearest picodollar.
    pub fn with_markup(self, markup: u32) -> Rates {
        let marked = |rate: Option<Usd>| rate.map(|rate| marked_up(rate, markup));
        Rates {
            input: marked(self.input),
            output: marked(self.output),
            cache_read: marked(self.cache_read),
            cache_write: marked(self.cache_write),
            reasoning: marked(self.reasoning),
            request: marked(self.request),
        }
    }
}

fn marked_up(rate: Usd, markup: u32) -> Usd {
    const ONE: i128 = 1_000_000;
    let scaled = i128::from(rate.picos()) * (ONE + i128::from(markup));
    let rounded = (scaled + scaled.signum() * ONE / 2) / ONE;
    Usd::from_picos(i64::try_from(rounded).unwrap_or(i64::MAX))
}

/// How long a vendor is asked to keep input in its cache, which may cost more than the prices say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMark {
    /// Nothing is marked.
    None,
    /// For an hour at Anthropic.
    Hour,
    /// For half a day at OpenAI.
    HalfDay,
}

impl CacheMark {
    /// The most that a token may cost by the rules of the vendors, where it costs so much as usual input.
    fn most(self, input: Usd) -> Usd {
        let halves = match self {
            Self::None => 2,
            Self::Hour => 4,
            Self::HalfDay => 5,
        };
        let picos = (i128::from(input.picos()) * halves + 1) / 2;
        Usd::from_picos(i64::try_from(picos).unwrap_or(i64::MAX))
    }
}

/// The price of a model: rates, which may change with the length of the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tariff {
    /// The rates of the shortest prompts.
    pub base: Rates,
    /// Rates of longer prompts, ascending. They hold for the whole request, not just for the tokens above the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// Rates for prompts longer than a number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// For prompts with more tokens than this.
    pub above: u64,
    pub rates: Rates,
}

impl From<Rates> for Tariff {
    fn from(base: Rates) -> Self {
        Self { base, steps: Vec::new() }
    }
}

impl Tariff {
    /// The rates of a prompt of so many tokens.
    pub fn at(&self, input: u64) -> &Rates {
        self.steps.iter().rev().find(|step| input > step.above).map_or(&self.base, |step| &step.rates)
    }

    /// What `usage` costs; see [`Rates::cost`].
    pub fn cost(&self, usage: &Usage) -> Option<Usd> {
        self.at(usage.input?).cost(usage)
    }

    /// The same, or the largest amount where it is more than that.
    pub fn cost_at_most(&self, usage: &Usage) -> Option<Usd> {
        self.at(usage.input?).cost_at_most(usage)
    }

    /// This tariff with all input at the highest price that may be billed for it.
    #[must_use]
    pub fn with_dearest_input(mut self, mark: CacheMark) -> Tariff {
        self.base = self.base.with_dearest_input(mark);
        for step in &mut self.steps {
            step.rates = step.rates.with_dearest_input(mark);
        }
        self
    }

    /// This tariff with `markup` millionths added.
    pub fn with_markup(mut self, markup: u32) -> Tariff {
        self.base = self.base.with_markup(markup);
        for step in &mut self.steps {
            step.rates = step.rates.with_markup(markup);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> Usd {
        text.parse().expect(text)
    }

    fn rates(input: &str, output: &str) -> Rates {
        Rates { input: Some(usd(input).per_million()), output: Some(usd(output).per_million()), ..Rates::default() }
    }

    fn usage(input: u64, output: u64) -> Usage {
        Usage { input: Some(input), output: Some(output), ..Usage::default() }
    }

    #[test]
    fn tokens_are_billed_at_their_own_rate() {
        let rates = Rates {
            cache_read: Some(usd("0.30").per_million()),
            cache_write: Some(usd("3.75").per_million()),
            ..rates("3", "15")
        };
        let usage = Usage { cache_read: Some(600), cache_write: Some(300), ..usage(1000, 10) };
        // 100 × 3 + 600 × 0.3 + 300 × 3.75 + 10 × 15, in millionths of a dollar.
        assert_eq!(rates.cost(&usage), Some(usd("0.001755")));
    }

    #[test]
    fn what_a_cache_keeps_for_an_hour_costs_twice_the_input() {
        let write = |per_million: Option<&str>| Rates {
            cache_write: per_million.map(|rate| usd(rate).per_million()),
            ..rates("3", "15")
        };
        let kept = |hour| Usage { cache_write: Some(300), cache_write_hour: Some(hour), ..usage(1000, 0) };
        // 700 × 3 + 100 × 3.75 + 200 × 6, in millionths of a dollar.
        assert_eq!(write(Some("3.75")).cost(&kept(200)), Some(usd("0.003675")));
        assert_eq!(write(None).cost(&kept(300)), Some(usd("0.0039")), "700 × 3 + 300 × 6");
        assert_eq!(
            write(Some("7")).cost(&kept(300)),
            Some(usd("0.0042")),
            "the price of the config may be the one of an hour"
        );
        assert_eq!(Rates::FREE.cost(&kept(300)), Some(Usd::ZERO));
        assert_eq!(write(None).cost(&kept(301)), None, "more for an hour than at all");
    }

    #[test]
    fn cached_tokens_without_a_rate_of_their_own_are_input() {
        let usage = Usage { cache_read: Some(600), cache_write: Some(300), ..usage(1000, 0) };
        assert_eq!(rates("3", "15").cost(&usage), Some(usd("0.003")));
    }

    #[test]
    fn thinking_is_billed_at_its_own_rate_where_it_has_one() {
        let apart = Rates { reasoning: Some(usd("3").per_million()), ..rates("2", "8") };
        let usage = Usage { reasoning: Some(900), ..usage(0, 1000) };
        assert_eq!(apart.cost(&usage), Some(usd("0.0035")), "100 × 8 + 900 × 3");
        assert_eq!(rates("2", "8").cost(&usage), Some(usd("0.008")));
        assert_eq!(apart.cost(&Usage { reasoning: None, ..usage }), None, "nobody knows how much was thought");
        assert_eq!(apart.cost(&Usage { output: Some(0), reasoning: None, ..usage }), Some(usd("0")));
        assert_eq!(apart.cost(&Usage { reasoning: Some(1001), ..usage }), None, "more thought than there was output");
    }

    #[test]
    fn what_is_unknown_is_not_zero() {
        let full = rates("3", "15");
        assert_eq!(full.cost(&Usage::default()), None);
        assert_eq!(full.cost(&Usage { output: None, ..usage(1, 1) }), None);
        assert_eq!(full.cost(&Usage { input: None, ..usage(1, 1) }), None);
        assert_eq!(Rates { output: None, ..full }.cost(&usage(1, 1)), None);
        assert_eq!(Rates { input: None, ..full }.cost(&usage(1, 1)), None);
        assert_eq!(Rates { output: None, ..full }.cost(&usage(1, 0)), Some(usd("0.000003")), "an embedding has none");
        assert_eq!(full.cost(&Usage { cache_read: Some(2), ..usage(1, 1) }), None, "more cached than there were");
    }

    #[test]
    fn a_request_may_cost_something_by_itself() {
        let rates = Rates { request: Some(usd("0.012")), ..rates("1", "1") };
        assert_eq!(rates.cost(&usage(0, 0)), Some(usd("0.012")));
    }

    #[test]
    fn a_sum_too_large_to_hold_is_unknown() {
        assert_eq!(rates("1000", "1000").cost(&usage(u64::MAX, 1)), None);
        assert_eq!(rates("1000", "1000").cost(&usage(9_000_000_000_000_000, 9_000_000_000_000_000)), None);
    }

    #[test]
    fn markup_comes_on_top() {
        let marked = rates("0.15", "0.60").with_markup(55_000);
        assert_eq!(marked.cost(&usage(1_000_000, 0)), Some(usd("0.15825")));
        assert_eq!(marked.cost(&usage(0, 1_000_000)), Some(usd("0.633")));
    }

    #[test]
    fn markup_is_rounded_to_the_nearest_picodollar_and_holds_for_every_step() {
        let marked = |picos, markup| {
            let rate = Rates { input: Some(Usd::from_picos(picos)), ..Rates::default() };
            rate.with_markup(markup).input.map(Usd::picos)
        };
        for (picos, markup, expected) in
            [(1, 499_999, 1), (1, 500_000, 2), (-1, 500_000, -2), (-1, 499_999, -1), (3, 0, 3)]
        {
            assert_eq!(marked(picos, markup), Some(expected), "{picos} and {markup}");
        }
        let step = Step { above: 200_000, rates: rates("6", "22.5") };
        let tariff = Tariff { steps: vec![step], ..Tariff::from(rates("3", "15")) }.with_markup(1_000_000);
        assert_eq!((tariff.base, tariff.steps[0].rates), (rates("6", "30"), rates("12", "45")));
    }

    #[test]
    fn the_dearest_input_is_what_a_cache_takes_for_it_where_that_is_more() {
        let dearest = |read: Option<&str>, write: Option<&str>, mark| {
            let price = |text: Option<&str>| text.map(|text| usd(text).per_million());
            let rates = Rates { cache_read: price(read), cache_write: price(write), ..rates("3", "15") };
            let dearest = rates.with_dearest_input(mark);
            assert_eq!(dearest.cost(&Usage { cache_write: Some(1), ..usage(1, 0) }), dearest.input);
            dearest.input.map(|usd| usd.times(1_000_000).expect("an amount"))
        };
        for (read, write, mark, expected) in [
            (None, None, CacheMark::None, "3"),
            (Some("0.3"), None, CacheMark::None, "3"),
            (Some("0.3"), Some("3.75"), CacheMark::None, "3.75"),
            (Some("4"), Some("3.75"), CacheMark::None, "4"),
            (Some("0.3"), Some("3.75"), CacheMark::Hour, "6"),
            (None, Some("7"), CacheMark::Hour, "7"),
            (None, Some("7"), CacheMark::HalfDay, "7.5"),
            (None, Some("120"), CacheMark::HalfDay, "120"),
        ] {
            assert_eq!(dearest(read, write, mark), Some(usd(expected)), "{read:?} {write:?} {mark:?}");
        }
        let odd = Rates { input: Some(Usd::from_picos(1)), ..Rates::default() };
        assert_eq!(odd.with_dearest_input(CacheMark::HalfDay).input, Some(Usd::from_picos(3)), "rounded up");
        let free = Rates { cache_write: Some(usd("5").per_million()), ..Rates::FREE };
        assert_eq!(free.with_dearest_input(CacheMark::None).input, free.cache_write, "input alone is free");
        assert_eq!(Rates { input: None, ..free }.with_dearest_input(CacheMark::None).input, None, "unknown stays so");
    }

    #[test]
    fn long_prompts_may_cost_more() {
        let tariff = Tariff { base: rates("3", "15"), steps: vec![Step { above: 200_000, rates: rates("6", "22.5") }] };
        assert_eq!(tariff.cost(&usage(200_000, 0)), Some(usd("0.6")));
        assert_eq!(tariff.cost(&usage(200_001, 0)), Some(usd("1.200006")));
        assert_eq!(tariff.cost(&Usage { output: Some(1), ..Usage::default() }), None);
        let json = serde_json::to_string(&tariff).expect("json");
        assert_eq!(serde_json::from_str::<Tariff>(&json).expect("tariff"), tariff);
    }

    proptest! {
        #[test]
        fn the_cost_is_the_exact_sum(
            per_token in prop::array::uniform4(0i64..1_000_000_000),
            counts in prop::array::uniform4(0u64..2_000_000),
        ) {
            let [plain, read, written, output] = counts;
            let rate = |index: usize| Some(Usd::from_picos(per_token[index]));
            let rates = Rates {
                input: rate(0), cache_read: rate(1), cache_write: rate(2), output: rate(3), reasoning: None, request: None,
            };
            let usage = Usage {
                input: Some(plain + read + written), cache_read: Some(read), cache_write: Some(written),
                output: Some(output), ..Usage::default()
            };
            let expected: i128 = per_token.iter().zip(counts).map(|(rate, count)| i128::from(*rate) * i128::from(count)).sum();
            let cost = rates.cost(&usage).map(|cost| i128::from(cost.picos()));
            prop_assert_eq!(cost, i64::try_from(expected).ok().map(i128::from));
        }

        #[test]
        fn one_call_costs_what_its_halves_cost(input in 0u64..1_000_000, output in 0u64..1_000_000, split in 0u64..1_000_000) {
            let rates = rates("0.07", "0.31");
            let first = usage(input.min(split), output.min(split));
            let rest = usage(input - input.min(split), output - output.min(split));
            let halves: Option<Usd> = rates.cost(&first).zip(rates.cost(&rest)).map(|(a, b)| a + b);
            prop_assert_eq!(rates.cost(&usage(input, output)), halves);
        }
    }
}
