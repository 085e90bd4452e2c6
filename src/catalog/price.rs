//! The price in a row of a list of models, per token or per million tokens.

use serde::Deserialize;

use super::lenient::Maybe;
use crate::money::Usd;
use crate::rates::Rates;

/// Every model costs less than this per token, and nearly every one costs more per million tokens.
const CENT: Usd = Usd::from_picos(10_000_000_000);

/// The `pricing` of OpenRouter and Vercel (US dollars per token) and of Together (per million tokens).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pricing {
    prompt: Maybe<Usd>,
    completion: Maybe<Usd>,
    input: Maybe<Usd>,
    output: Maybe<Usd>,
    input_cache_read: Maybe<Usd>,
    input_cache_write: Maybe<Usd>,
    cached_input: Maybe<Usd>,
    internal_reasoning: Maybe<Usd>,
    /// US dollars.
    request: Maybe<Usd>,
    /// US dollars for each search.
    web_search: Maybe<Usd>,
    image: Maybe<Usd>,
    hourly: Maybe<Usd>,
    base: Maybe<Usd>,
    finetune: Maybe<Usd>,
}

/// What the prices of a list are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Token,
    Million,
}

impl Unit {
    /// The unit of a list. Lists do not name it, but the sizes of prices tell. The majority of prices decides, so that one
    /// wrong row does not change the meaning of the others.
    pub(super) fn of<'a>(list: impl Iterator<Item = &'a Pricing> + Clone) -> Self {
        let prices =
            list.clone().flat_map(|row| [row.input(), row.output()]).flatten().filter(|price| *price > Usd::ZERO);
        let (large, small): (Vec<Usd>, Vec<Usd>) = prices.partition(|price| *price >= CENT);
        if large.len() > small.len() || list.clone().any(Pricing::is_together) { Self::Million } else { Self::Token }
    }
}

impl Pricing {
    /// The prices of a row that has no `pricing`, as `aichat serve` writes it.
    pub(super) fn per_million(input: Maybe<Usd>, output: Maybe<Usd>) -> Self {
        Self { input, output, ..Self::default() }
    }

    fn input(&self) -> Option<Usd> {
        self.prompt.0.or(self.input.0)
    }

    fn output(&self) -> Option<Usd> {
        self.completion.0.or(self.output.0)
    }

    fn is_together(&self) -> bool {
        self.hourly.is_some() || self.base.is_some() || self.finetune.is_some()
    }

    /// The rates. Returns `None` where there are none, or where the model is not sold by tokens. A model that `searches` by
    /// itself does so for each request.
    pub(super) fn rates(&self, unit: Unit, searches: bool) -> Option<Rates> {
        let cache_read = self.input_cache_read.0.or(self.cached_input.0);
        // OpenRouter writes zero where reasoning has no price of its own.
        let reasoning = self.internal_reasoning.0.filter(|price| *price != Usd::ZERO && Some(*price) != self.output());
        let per_token = [self.input(), self.output(), cache_read, self.input_cache_write.0, reasoning];
        let prices = || per_token.iter().chain([&self.request.0]).flatten();
        // OpenRouter writes a negative price where the price varies.
        if prices().any(|price| *price < Usd::ZERO)
            || (unit == Unit::Token && per_token.iter().flatten().any(|price| *price >= CENT))
        {
            return None;
        }
        let [input, output, cache_read, cache_write, reasoning] = per_token.map(|price| match unit {
            Unit::Token => price,
            Unit::Million => price.map(Usd::per_million),
        });
        let search = self.web_search.0.filter(|_| searches);
        let request = self.request.0.into_iter().chain(search).filter(|price| *price > Usd::ZERO).max();
        let rates = Rates { input, output, cache_read, cache_write, reasoning, request };
        rates.input.or(rates.output)?;
        // The model is sold by images or hours.
        let sold_otherwise = self.is_together() || self.image.is_some_and(|price| price > Usd::ZERO);
        let no_price =
            rates.input.is_none_or(|rate| rate == Usd::ZERO) && rates.output.is_none_or(|rate| rate == Usd::ZERO);
        if no_price && sold_otherwise { None } else { Some(rates) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pricing(json: &str) -> Pricing {
        serde_json::from_str(json).expect(json)
    }

    /// Input and output, US dollars per million tokens.
    fn per_million(list: &[&str]) -> Vec<Option<(String, String)>> {
        let list: Vec<Pricing> = list.iter().map(|json| pricing(json)).collect();
        let unit = Unit::of(list.iter());
        let text = |rate: Option<Usd>| rate.and_then(|rate| rate.times(1_000_000)).map_or("–".into(), Usd::to_decimal);
        list.iter().map(|row| row.rates(unit, false).map(|rates| (text(rates.input), text(rates.output)))).collect()
    }

    fn some(input: &str, output: &str) -> Option<(String, String)> {
        Some((input.into(), output.into()))
    }

    #[test]
    fn the_unit_is_told_by_the_size() {
        let per_token =
            [r#"{"prompt":"0.00000015","completion":"6e-7"}"#, r#"{"prompt":"0.00015","completion":"0.0006"}"#];
        assert_eq!(per_million(&per_token), [some("0.15", "0.6"), some("150", "600")]);
        let per_million_tokens =
            [r#"{"input":0.15,"output":0.6}"#, r#"{"input":0.008,"output":0.009}"#, r#"{"input":3,"output":15}"#];
        assert_eq!(per_million(&per_million_tokens), [some("0.15", "0.6"), some("0.008", "0.009"), some("3", "15")]);
        let together = [r#"{"hourly":0,"input":0.005,"output":0.005,"base":0,"finetune":0}"#];
        assert_eq!(per_million(&together), [some("0.005", "0.005")]);
    }

    #[test]
    fn one_odd_row_does_not_change_the_others() {
        let list = [
            r#"{"prompt":"1e-6","completion":"2e-6"}"#,
            r#"{"prompt":"0.5","completion":"2e-6"}"#,
            r#"{"prompt":"1e-7","completion":"1e-7"}"#,
        ];
        assert_eq!(per_million(&list), [some("1", "2"), None, some("0.1", "0.1")]);
    }

    #[test]
    fn free_is_told_from_unknown() {
        for (json, rates) in [
            (r#"{"prompt":"0","completion":"0"}"#, some("0", "0")),
            (r#"{"prompt":"-1","completion":"-1"}"#, None),
            (r#"{"prompt":"0","completion":"0","image":"0.04"}"#, None),
            (r#"{"hourly":2,"input":0,"output":0,"base":0,"finetune":0}"#, None),
            (r#"{"prompt":"1e-6","completion":"2e-6","internal_reasoning":"-1"}"#, None),
            (r#"{"prompt":"1e-6","completion":"2e-6","internal_reasoning":"2e-6","image":"0.001"}"#, some("1", "2")),
            (r#"{"prompt":"1e-6","completion":"2e-6","internal_reasoning":"0"}"#, some("1", "2")),
            (r#"{"prompt":null,"completion":""}"#, None),
            (r#"{"prompt":"1e-6"}"#, some("1", "–")),
            ("{}", None),
        ] {
            assert_eq!(per_million(&[json]), [rates], "{json}");
        }
    }

    #[test]
    fn requests_thinking_and_cached_tokens_have_their_price() {
        let row = pricing(
            r#"{"prompt":"1e-6","completion":"1e-6","request":"0.005","input_cache_read":"1e-7","input_cache_write":"0",
                "internal_reasoning":"3e-6"}"#,
        );
        let rates = row.rates(Unit::Token, false).expect("a price");
        assert_eq!(rates.request.map(Usd::to_decimal).as_deref(), Some("0.005"));
        assert_eq!(rates.cache_read, Some(Usd::from_picos(100_000)));
        assert_eq!(rates.cache_write, Some(Usd::ZERO));
        assert_eq!(rates.reasoning, Some(Usd::from_picos(3_000_000)));
    }

    #[test]
    fn a_search_is_billed_with_each_request_of_models_that_search_by_themselves() {
        let request = |json: &str, searches| {
            let rates = pricing(json).rates(Unit::Token, searches).expect("a price");
            rates.request.map(Usd::to_decimal)
        };
        let row = r#"{"prompt":"3e-6","completion":"15e-6","request":"0","web_search":"0.005"}"#;
        assert_eq!(request(row, true).as_deref(), Some("0.005"));
        assert_eq!(request(row, false), None, "it searches only where it is told to");
        let both = r#"{"prompt":"3e-6","completion":"15e-6","request":"0.018","web_search":"0.005"}"#;
        assert_eq!(request(both, true).as_deref(), Some("0.018"));
    }
}
