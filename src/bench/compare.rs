//! Differences between measurements, and whether they may be chance.

use serde::Serialize;

use super::{Figures, Times};
use crate::stats::{Interval, difference};

/// By how much a median differs from another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What is compared.
    pub of: String,
    /// What it is compared with.
    pub with: String,
    /// `first_token_ms` or `total_ms`.
    pub figure: &'static str,
    /// The median of the one less that of the other, in milliseconds.
    pub difference_ms: f64,
    /// `None` where there are too few values.
    pub interval: Option<Interval>,
    /// Whether the difference may be chance: its interval holds 0, or there is none.
    pub indistinguishable: bool,
}

/// The differences of both times, of one measurement from another one. None where nothing was measured.
pub fn differences(of: (&str, &Figures), with: (&str, &Figures)) -> Vec<Difference> {
    let figures = [
        ("first_token_ms", &of.1.first_token_ms, &with.1.first_token_ms),
        ("total_ms", &of.1.total_ms, &with.1.total_ms),
    ];
    let found = figures.into_iter().filter_map(|(figure, one, other)| {
        let interval = interval(other, one);
        Some(Difference {
            of: of.0.to_owned(),
            with: with.0.to_owned(),
            figure,
            difference_ms: ((one.p50? - other.p50?) * 1_000.0).round() / 1_000.0,
            interval,
            indistinguishable: interval.is_none_or(|interval| interval.low <= 0.0 && 0.0 <= interval.high),
        })
    });
    found.collect()
}

fn interval(one: &Times, other: &Times) -> Option<Interval> {
    let found = difference(&one.values(), &other.values(), 0.5)?;
    let round = |ms: f64| (ms * 1_000.0).round() / 1_000.0;
    Some(Interval::new(round(found.low), round(found.high)))
}

/// What gateways add: each model at a gateway against the same model at the first gateway that has it, or at its
/// maker's own. `same` says whether two are the same model, and `is_makers` whether a gateway is the maker's own.
pub fn between_gateways(
    figures: &[Figures],
    same: impl Fn(&Figures, &Figures) -> bool,
    is_makers: impl Fn(&Figures) -> bool,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for (place, one) in figures.iter().enumerate() {
        let others = || figures.iter().enumerate().filter(|(_, other)| same(one, other));
        let direct = others().find(|(_, other)| is_makers(other)).or_else(|| others().next());
        if let Some((at, direct)) = direct
            && at != place
            && direct.gateway != one.gateway
        {
            found.extend(differences((&one.name, one), (&direct.name, direct)));
        }
    }
    found
}
