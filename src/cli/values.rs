//! Values of flags that have a range. Their errors say the range.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// A whole number, `least` or more.
pub(super) fn at_least<T>(least: T) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: TryFrom<u64> + PartialOrd + Display + Copy,
{
    move |text| {
        let number = unsigned(text).filter(|number| *number >= least);
        number.ok_or_else(|| format!("it takes a whole number, {least} or more"))
    }
}

/// A whole number of this range.
pub(super) fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: TryFrom<u64> + PartialOrd + Display + Clone,
{
    move |text| {
        let number = unsigned(text).filter(|number| range.contains(number));
        number.ok_or_else(|| format!("it takes a whole number from {} to {}", range.start(), range.end()))
    }
}

fn unsigned<T: TryFrom<u64>>(text: &str) -> Option<T> {
    text.trim().parse::<u64>().ok()?.try_into().ok()
}

/// A whole number that may be negative.
pub(super) fn signed(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| "it takes a whole number, such as 7 or -7".to_owned())
}

/// A number of this range.
pub(super) fn decimal(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("it takes a number from {} to {}", range.start(), range.end()))
    }
}

/// Any number.
pub(super) fn finite(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "it takes a number, such as 0.8".to_owned())
}

/// A number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "it takes a number above 0, such as 5 or 0.5".to_owned())
}

/// One of several parts: `2/4` is the second of four.
pub(super) fn part_of(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('/').and_then(|(part, of)| Some((unsigned::<u64>(part)?, unsigned::<u64>(of)?)));
    let parts = parts.filter(|(part, of)| (1..=*of).contains(part));
    parts.ok_or_else(|| "it takes the number of a part and how many there are, such as 2/4".to_owned())
}

/// A text that is not empty.
pub(super) fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it takes a text that is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;

    fn error(flag: &str, value: &str) -> String {
        let parsed = Cli::try_parse_from(["llm", "ask", flag, value, "hi"]);
        parsed.expect_err(value).to_string()
    }

    #[test]
    fn a_value_out_of_its_range_is_refused_with_the_range() {
        for (flag, values, said) in [
            ("--temperature", &["-0.1", "2.1", "NaN", "inf", "warm", ""][..], "a number from 0 to 2"),
            ("--top-p", &["-0.1", "1.1", "NaN", "x"], "a number from 0 to 1"),
            ("--max-tokens", &["0", "-1", "many", "1.5", "99999999999999999999"], "a whole number, 1 or more"),
            ("--retries", &["-1", "many", "99999999999"], "a whole number, 0 or more"),
            ("--seed", &["x", "1.5"], "a whole number, such as 7 or -7"),
            ("--stop", &[""], "a text that is not empty"),
        ] {
            for value in values {
                let error = error(flag, value);
                assert!(error.contains(said) && error.contains(flag), "{flag} {value}: {error}");
            }
        }
        let compare =
            |flag, value| Cli::try_parse_from(["llm", "compare", flag, value, "hi"]).map_err(|e| e.to_string());
        assert!(compare("--repeat", "1001").expect_err("too many").contains("from 1 to 1000"));
        assert!(compare("--concurrency", "0").expect_err("none").contains("1 or more"));
    }

    #[test]
    fn the_ends_of_a_range_are_in_it() {
        for (flag, values) in [
            ("--temperature", ["0", "2"]),
            ("--top-p", ["0", "1"]),
            ("--max-tokens", ["1", "18446744073709551615"]),
            ("--retries", ["0", "4294967295"]),
            ("--seed", ["-7", "7"]),
        ] {
            for value in values {
                Cli::try_parse_from(["llm", "ask", flag, value, "hi"]).expect(value);
            }
        }
    }
}
