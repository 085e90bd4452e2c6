//! one-api's and new-api's `/api/pricing`: prices as ratios to a base of two dollars per million tokens.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lenient::{Count, Maybe, Record};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;
use crate::rates::{Rates, Tariff};

/// The group that users are in by default.
const DEFAULT_GROUP: &str = "default";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    success: Maybe<bool>,
    message: Maybe<String>,
    data: Maybe<Vec<Maybe<Record<Row>>>>,
    group_ratio: Maybe<BTreeMap<String, Ratio>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    model_name: Maybe<String>,
    /// 0 is by the token, 1 by the request.
    quota_type: Maybe<Count>,
    model_ratio: Maybe<Ratio>,
    completion_ratio: Maybe<Ratio>,
    /// US dollars per request.
    model_price: Maybe<Usd>,
    cache_ratio: Maybe<Ratio>,
    create_cache_ratio: Maybe<Ratio>,
    enable_groups: Maybe<Vec<String>>,
    /// A formula in place of ratios.
    billing_expr: Maybe<String>,
}

/// A decimal number, exact to twelve places, which is what [`Usd`] reads and holds.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Ratio(Usd);

impl Ratio {
    const ONE: i128 = 1_000_000_000_000;

    /// The amount multiplied by this, rounded to the nearest picodollar. Returns `None` where it is negative or too large.
    fn times(self, amount: Usd) -> Option<Usd> {
        let product = i128::from(self.0.picos()) * i128::from(amount.picos());
        let rounded = (product + Self::ONE / 2) / Self::ONE;
        i64::try_from(rounded).ok().filter(|_| product >= 0).map(Usd::from_picos)
    }
}

/// The prices by model. A model whose price depends on the group that the key is in has none.
///
/// # Errors
/// It is not JSON, has no rows, or says that it failed.
pub(super) fn parse(body: &[u8]) -> Result<BTreeMap<String, Tariff>, Failure> {
    let bad = || Failure::new(FailureKind::Protocol, "the gateway's /api/pricing is not what it should be");
    let body: Body = serde_json::from_slice(body).map_err(|error| bad().with_cause(error.to_string()))?;
    if *body.success == Some(false) {
        let failure = Failure::new(FailureKind::Protocol, "the gateway refused its price list");
        return Err(match body.message.0 {
            Some(message) => failure.with_cause(message),
            None => failure,
        });
    }
    let groups = body.group_ratio.0.unwrap_or_default();
    let rows = body.data.0.ok_or_else(bad)?.into_iter().filter_map(|row| Some(row.0?.0));
    Ok(rows.filter_map(|row| Some((row.model_name.0.clone()?, row.rates(&groups)?.into()))).collect())
}

impl Row {
    fn rates(&self, groups: &BTreeMap<String, Ratio>) -> Option<Rates> {
        if self.billing_expr.as_ref().is_some_and(|formula| !formula.is_empty()) {
            return None;
        }
        let group = self.group(groups)?;
        match self.quota_type.map_or(0, |kind| kind.0) {
            0 => {}
            1 => return Some(Rates { request: Some(group.times((*self.model_price)?)?), ..Rates::FREE }),
            // Another way of billing.
            _ => return None,
        }
        let base = Usd::from_picos(2_000_000_000_000);
        // Rates are rounded once, at the end.
        let per_million = group.times((*self.model_ratio)?.times(base)?)?;
        let part = |ratio: &Maybe<Ratio>| ratio.and_then(|ratio| ratio.times(per_million)).map(Usd::per_million);
        Some(Rates {
            input: Some(per_million.per_million()),
            // Zero means that it is not set.
            output: part(&self.completion_ratio).filter(|rate| *rate > Usd::ZERO || per_million == Usd::ZERO),
            cache_read: part(&self.cache_ratio),
            cache_write: part(&self.create_cache_ratio),
            reasoning: None,
            request: None,
        })
    }

    /// The ratio of the default group, or of the only group that may use the model. Returns `None` where there are several, or where
    /// the default group alone pays nothing: nobody knows in which one the key is, and what it costs must not be nothing.
    fn group(&self, groups: &BTreeMap<String, Ratio>) -> Option<Ratio> {
        if groups.is_empty() {
            return Some(Ratio(Usd::from_picos(1_000_000_000_000)));
        }
        let is_open = |name: &String| self.enable_groups.as_ref().is_none_or(|names| names.contains(name));
        let open: Vec<(&String, Ratio)> =
            groups.iter().filter(|(name, _)| is_open(name)).map(|(name, ratio)| (name, *ratio)).collect();
        let is_free = |ratio: Ratio| ratio.0 == Usd::ZERO;
        match open.as_slice() {
            [(_, only)] => Some(*only),
            several => {
                let (_, usual) = several.iter().find(|(name, _)| *name == DEFAULT_GROUP)?;
                let is_free_for_all = several.iter().all(|(_, ratio)| is_free(*ratio));
                Some(*usual).filter(|usual| is_free_for_all || !is_free(*usual))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Usage;

    /// What a million tokens in and a million out cost.
    fn costs(row: &str, groups: &str) -> Option<(String, String)> {
        let body = format!(r#"{{"success":true,"data":[{{"model_name":"m",{row}}}],"group_ratio":{groups}}}"#);
        let prices = parse(body.as_bytes()).expect(&body);
        let price = prices.get("m")?;
        let cost = |input, output| {
            let usage = Usage { input: Some(input), output: Some(output), ..Usage::default() };
            price.cost(&usage).map_or("–".into(), Usd::to_decimal)
        };
        Some((cost(1_000_000, 0), cost(0, 1_000_000)))
    }

    fn some(input: &str, output: &str) -> Option<(String, String)> {
        Some((input.into(), output.into()))
    }

    #[test]
    fn ratios_become_prices() {
        let one = r#"{"default":1}"#;
        for (row, groups, cost) in [
            (r#""quota_type":0,"model_ratio":0.075,"completion_ratio":4"#, one, some("0.15", "0.6")),
            (
                r#""quota_type":0,"model_ratio":1.5,"completion_ratio":5"#,
                r#"{"default":0.8,"vip":0.5}"#,
                some("2.4", "12"),
            ),
            (r#""quota_type":0,"model_ratio":1.5,"completion_ratio":5"#, "{}", some("3", "15")),
            (r#""quota_type":1,"model_ratio":0,"model_price":0.02"#, r#"{"default":1.5}"#, some("0.03", "0.03")),
            (r#""model_ratio":1"#, one, some("2", "–")),
            (r#""model_ratio":-1,"completion_ratio":1"#, one, None),
            (r#""quota_type":1"#, one, None),
            (r#""quota_type":2,"model_ratio":1,"completion_ratio":1,"model_price":0.5"#, one, None),
            (r#""model_ratio":1,"completion_ratio":0"#, one, some("2", "–")),
            (r#""model_ratio":0,"completion_ratio":0"#, one, some("0", "0")),
        ] {
            assert_eq!(costs(row, groups), cost, "{row} {groups}");
        }
    }

    #[test]
    fn the_price_of_another_group_is_not_taken() {
        let row = |groups: &str| format!(r#""model_ratio":1,"completion_ratio":1,"enable_groups":{groups}"#);
        let two = r#"{"default":1,"vip":0.5,"pro":0.25}"#;
        assert_eq!(costs(&row(r#"["default","vip"]"#), two), some("2", "2"));
        assert_eq!(costs(&row(r#"["vip"]"#), two), some("1", "1"), "it is sold to that group alone");
        assert_eq!(costs(&row(r#"["vip","pro"]"#), two), None);
        assert_eq!(costs(&row("[]"), two), None);
        let free = r#"{"default":0,"vip":9}"#;
        assert_eq!(costs(&row(r#"["default","vip"]"#), free), None, "the key may be in the other one");
        assert_eq!(costs(&row(r#"["default"]"#), free), some("0", "0"));
    }

    #[test]
    fn formulas_are_not_guessed() {
        assert_eq!(costs(r#""model_ratio":1,"completion_ratio":1,"billing_expr":"tier(…)""#, r#"{"default":1}"#), None);
        assert!(costs(r#""model_ratio":1,"completion_ratio":1,"billing_expr":"""#, r#"{"default":1}"#).is_some());
    }

    #[test]
    fn cached_tokens_have_their_ratio() {
        let body = br#"{"data":[{"model_name":"m","model_ratio":1.5,"completion_ratio":5,"cache_ratio":0.1,"create_cache_ratio":1.25}]}"#;
        let rates = parse(body).expect("readable")["m"].base;
        assert_eq!(
            (rates.cache_read, rates.cache_write),
            (Some(Usd::from_picos(300_000)), Some(Usd::from_picos(3_750_000)))
        );
    }

    #[test]
    fn a_refusal_is_an_error() {
        let error = parse(br#"{"success":false,"message":"log in first"}"#).expect_err("refused");
        assert_eq!(error.cause.as_deref(), Some("log in first"));
        assert!(parse(b"<html>").is_err() && parse(b"{}").is_err());
    }
}
