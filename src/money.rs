//! Money as integers of picodollars: list prices are quoted per million tokens, and so are exact per token.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

/// An amount of US dollars, held in picodollars (10⁻¹² USD). An `i64` reaches to about nine million dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(i64);

impl Usd {
    pub const ZERO: Usd = Usd(0);

    pub const fn from_picos(picos: i64) -> Self {
        Self(picos)
    }

    pub const fn picos(self) -> i64 {
        self.0
    }

    /// The price of `count` things at this price each. Returns `None` where it is too large.
    pub fn times(self, count: u64) -> Option<Usd> {
        i64::try_from(i128::from(self.0) * i128::from(count)).ok().map(Usd)
    }

    /// The price of one where this is the price of a million, rounded to the nearest picodollar.
    pub fn per_million(self) -> Usd {
        self.divided_by(1_000_000)
    }

    /// The price of one where this is the price of a thousand, rounded to the nearest picodollar.
    pub fn per_thousand(self) -> Usd {
        self.divided_by(1_000)
    }

    fn divided_by(self, count: i64) -> Usd {
        Usd(self.0.saturating_add(self.0.signum() * count / 2) / count)
    }

    /// The exact amount as a decimal number without needless zeros: `0.00571`, `12`, `-0.5`.
    pub fn to_decimal(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let picos = self.0.unsigned_abs();
        let (whole, fraction) = (picos / 1_000_000_000_000, picos % 1_000_000_000_000);
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let digits = format!("{fraction:012}");
        format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// For people: `$0.000177`, `$1.25`, `$0.0000000004`: two decimals, below a dollar as many as three significant digits
/// need.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let picos = self.0.unsigned_abs();
        let decimals = match picos {
            0 | 1_000_000_000_000.. => 2,
            _ => 14usize.saturating_sub(picos.ilog10() as usize).clamp(2, 12),
        };
        let unit = 10u64.pow(12 - decimals as u32);
        let rounded = (picos + unit / 2) / unit;
        let scale = 10u64.pow(decimals as u32);
        let (whole, fraction) = (rounded / scale, rounded % scale);
        let text = format!("{sign}${whole}.{fraction:0decimals$}");
        let minimum = text.find('.').map_or(0, |dot| dot + 3);
        let end = text.trim_end_matches('0').len().max(minimum);
        f.pad(&text[..end])
    }
}

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount of dollars such as 0.25, or it is above 9223372")]
pub struct ParseUsdError(String);

/// Reads a decimal number, also one with an exponent (`9.4e-6`), digit by digit. The amount is rounded to the nearest
/// picodollar.
impl FromStr for Usd {
    type Err = ParseUsdError;

    fn from_str(text: &str) -> Result<Self, ParseUsdError> {
        parse_picos(text.trim()).map(Usd).ok_or_else(|| ParseUsdError(text.chars().take(40).collect()))
    }
}

fn parse_picos(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The value is `digits` × 10^(exponent − fraction.len()); in picodollars the power is 12 more.
    let mut value: i128 = 0;
    let mut shift = exponent.checked_add(12)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let mut dropped = 0i32;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        if value > i128::from(i64::MAX) * 1_000_000 {
            dropped += 1;
        } else {
            value = value * 10 + i128::from(digit - b'0');
        }
    }
    shift = shift.checked_add(dropped)?;
    if value == 0 {
        return Some(0);
    }
    while shift > 0 {
        value = value.checked_mul(10)?;
        shift -= 1;
    }
    if shift < 0 {
        let divisor = 10i128.checked_pow(shift.unsigned_abs());
        value = divisor.map_or(0, |divisor| (value + divisor / 2) / divisor);
    }
    i64::try_from(if negative { -value } else { value }).ok()
}

impl Add for Usd {
    type Output = Usd;
    fn add(self, other: Usd) -> Usd {
        Usd(self.0.saturating_add(other.0))
    }
}

impl Sub for Usd {
    type Output = Usd;
    fn sub(self, other: Usd) -> Usd {
        Usd(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Usd) {
        *self = *self + other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Usd>>(amounts: I) -> Usd {
        amounts.fold(Usd::ZERO, Add::add)
    }
}

/// To a JSON number of dollars, digit for digit.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.to_decimal()) {
            Ok(raw) => raw.serialize(serializer),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

/// From a JSON number or string of dollars, digit for digit. No other format can be read.
impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        raw.get().trim_matches('"').parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_decimals_exactly() {
        for (text, picos) in [
            ("0.00571", 5_710_000_000),
            ("9.4e-6", 9_400_000),
            ("1E2", 100_000_000_000_000),
            ("0", 0),
            ("-1", -1_000_000_000_000),
            (".5", 500_000_000_000),
            ("0.0000000000004", 0),
            ("0.0000000000005", 1),
            ("0.30000000000000004", 300_000_000_000),
            ("0e999999999", 0),
            ("1e-400", 0),
        ] {
            assert_eq!(text.parse::<Usd>().map(Usd::picos), Ok(picos), "{text}");
        }
        // More digits than any amount has, on either side of the point.
        let (zeros, ones) = ("0".repeat(60), "1".repeat(60));
        for (text, picos) in [
            (format!("1{zeros}e-60"), 1_000_000_000_000),
            (format!("-1{zeros}e-60"), -1_000_000_000_000),
            (format!("0.{ones}"), 111_111_111_111),
            (format!("{ones}e-60"), 111_111_111_111),
            (format!("0.{zeros}1"), 0),
            (format!("9223372.036854775807{zeros}"), i64::MAX),
        ] {
            assert_eq!(text.parse::<Usd>().map(Usd::picos), Ok(picos), "{text}");
        }
        for text in ["", ".", "-", "abc", "1e", "1e99", "NaN", "inf", "0x10", "1 2", "99999999999999999999"] {
            let error = text.parse::<Usd>().expect_err(text);
            assert!(error.to_string().contains("such as 0.25, or it is above 9223372"), "{error}");
        }
    }

    #[test]
    fn prints_for_people() {
        for (text, shown) in [
            ("0.000177", "$0.000177"),
            ("0.0000131", "$0.0000131"),
            ("0.00001312345", "$0.0000131"),
            ("1.25", "$1.25"),
            ("12", "$12.00"),
            ("0.5", "$0.50"),
            ("0.12345", "$0.123"),
            ("0", "$0.00"),
            ("3.14159", "$3.14"),
            ("1234.5678", "$1234.57"),
            ("0.000000000001", "$0.000000000001"),
            ("-0.25", "-$0.25"),
            ("0.9999999", "$1.00"),
        ] {
            assert_eq!(text.parse::<Usd>().expect(text).to_string(), shown);
        }
    }

    #[test]
    fn prices_per_million_are_exact_per_token() {
        let price: Usd = "0.15".parse().expect("a price");
        assert_eq!(price.per_million().picos(), 150_000);
        assert_eq!(price.per_million().times(1_000_000), Some(price));
        assert_eq!(Usd::from_picos(i64::MAX).times(2), None);
    }

    #[test]
    fn a_price_of_one_is_rounded_to_the_nearest_picodollar() {
        for (picos, million, thousand) in [
            (0, 0, 0),
            (499, 0, 0),
            (500, 0, 1),
            (1_499, 0, 1),
            (1_500, 0, 2),
            (499_999, 0, 500),
            (500_000, 1, 500),
            (1_499_999, 1, 1_500),
            (-500, 0, -1),
            (-499_999, 0, -500),
            (-1_500_000, -2, -1_500),
            (i64::MAX, 9_223_372_036_854, 9_223_372_036_854_775),
        ] {
            let price = Usd::from_picos(picos);
            assert_eq!((price.per_million().picos(), price.per_thousand().picos()), (million, thousand), "{picos}");
        }
    }

    #[test]
    fn decimals_have_no_needless_zeros_and_no_negative_zero() {
        for text in ["0", "12", "-0.5", "0.00571", "-3", "100", "0.000000000001"] {
            assert_eq!(text.parse::<Usd>().expect(text).to_decimal(), text);
        }
    }

    #[test]
    fn json_keeps_every_digit() {
        let cost: Usd = serde_json::from_str("0.005710000001").expect("a number");
        assert_eq!(serde_json::to_string(&cost).expect("json"), "0.005710000001");
        let cost: Usd = serde_json::from_str("\"0.25\"").expect("a string");
        assert_eq!(cost.to_decimal(), "0.25");
        assert!(serde_json::from_str::<Usd>("null").is_err());
    }

    #[test]
    fn l10_a_million_amounts_add_up_to_the_last_digit_in_any_order() {
        let mut random = fastrand::Rng::with_seed(10);
        let mut amount = |_| {
            let digits = random.u32(1..=13);
            Usd::from_picos(random.i64(1..10i64.pow(digits)))
        };
        let mut amounts: Vec<Usd> = (0..1_000_000).map(&mut amount).collect();
        let exact: i128 = amounts.iter().map(|amount| i128::from(amount.picos())).sum();
        assert_eq!(i128::from(amounts.iter().copied().sum::<Usd>().picos()), exact);
        random.shuffle(&mut amounts);
        assert_eq!(i128::from(amounts.into_iter().sum::<Usd>().picos()), exact);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(picos in any::<i64>().prop_filter("i64::MIN has no counterpart", |p| *p != i64::MIN)) {
            let amount = Usd::from_picos(picos);
            prop_assert_eq!(amount.to_decimal().parse::<Usd>(), Ok(amount));
        }
    }
}
