//! Numbers as people read them, the same in every report: durations, counts, rates and costs.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use crate::words::{count, duration};

use crate::input;
use crate::money::Usd;
use crate::record::{Cost, TotalCost};

/// This stands for a value that is unknown, which is not the same as zero.
pub const UNKNOWN: &str = "–";

/// A moment by the clock of the user's time zone, in this form of `strftime`, where `%Z` is the name of the zone.
pub fn local(at_ms: i64, form: &str) -> String {
    // Snapshots of unit tests are the same in every zone.
    let zone = if cfg!(test) || is_endless_zone() { TimeZone::UTC } else { TimeZone::system() };
    let at = Timestamp::from_millisecond(at_ms);
    at.map_or_else(|_| UNKNOWN.to_owned(), |at| at.to_zoned(zone).strftime(form).to_string())
}

/// Whether `TZ` names something else than a file of a usual size, which would be read as a whole.
#[expect(clippy::disallowed_methods, reason = "the library that knows time zones reads it by itself")]
fn is_endless_zone() -> bool {
    const LARGEST: u64 = 1 << 20;
    let Some(zone) = std::env::var_os("TZ") else { return false };
    let zone = zone.to_string_lossy();
    let path = std::path::Path::new(zone.strip_prefix(':').unwrap_or(&zone));
    path.is_absolute() && input::check(path, LARGEST).is_err()
}

/// An amount of memory: `17 B`, `1.5 KiB`, `2.0 MiB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        // A number that would be rounded to 1024.0 is shown in the next unit.
        1_024..1_048_525 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// Tokens per second, without a unit: `8.4`, `61`.
pub fn rate(tokens_per_second: f64) -> String {
    if tokens_per_second < 9.95 { format!("{tokens_per_second:.1}") } else { format!("{tokens_per_second:.0}") }
}

/// A score with two decimals: `0.87`, `-3.00`, `12345.00`.
pub fn score(score: f64) -> String {
    // Rounding may give a zero with a sign.
    format!("{score:.2}").replace("-0.00", "0.00")
}

/// Names as people list them: `a`, `a and b`, `a, b and c`.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// A cost with `~` where it is computed rather than reported, or with `≥` where it may be more.
pub fn cost(cost: Cost) -> String {
    money(cost.usd, cost.origin.is_computed(), cost.partial)
}

/// A sum, with `≥` where a part of it is unknown, else with `~` where a part of it is computed.
pub fn total_cost(total: TotalCost) -> String {
    total.known().map_or_else(|| UNKNOWN.to_owned(), |usd| money(usd, total.computed, total.unknown > 0))
}

fn money(usd: Usd, computed: bool, partial: bool) -> String {
    // A lower bound is inexact in any case. JSON tells both.
    let mark = match (partial, computed) {
        (true, _) => "≥",
        (false, true) => "~",
        (false, false) => "",
    };
    format!("{mark}{usd}")
}

pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// The value, or `–` where it is unknown.
pub fn or_unknown<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::CostOrigin;

    #[test]
    fn costs_say_what_is_computed_and_what_is_missing() {
        let usd = Some("0.0021".parse().expect("dollars"));
        let shown = |unknown, computed| total_cost(TotalCost { usd, unknown, computed });
        assert_eq!(shown(0, false), "$0.0021");
        assert_eq!(shown(0, true), "~$0.0021");
        assert_eq!(shown(1, false), "≥$0.0021");
        assert_eq!(shown(2, true), "≥$0.0021");
        assert_eq!(total_cost(TotalCost::default()), "–");
        assert_eq!(total_cost(TotalCost { usd: Some(Usd::ZERO), unknown: 1, computed: false }), "–");
        assert_eq!(cost(Cost::new(Usd::ZERO, CostOrigin::Reported)), "$0.00");
        let partial = Cost { partial: true, ..Cost::new(Usd::ZERO, CostOrigin::Table) };
        assert_eq!(cost(partial), "≥$0.00");
    }

    #[test]
    fn rates_have_no_needless_digits() {
        assert_eq!([rate(8.44), rate(9.95), rate(61.2)], ["8.4", "10", "61"]);
    }
}
