//! The interval of a proportion.

use super::{Interval, Z};

/// Wilson's score interval of a proportion: `successes` of `trials`. Successes may be fractions, because a tie counts as half
/// a win. Unlike the simple interval, it is useful with few trials and where all or none succeed. `None` without trials.
///
/// Wilson, E. B. (1927): Probable inference, the law of succession, and statistical inference. JASA 22, 209–212.
pub fn wilson(successes: f64, trials: f64) -> Option<Interval> {
    if !(trials > 0.0 && (0.0..=trials).contains(&successes)) {
        return None;
    }
    let (share, square) = (successes / trials, Z * Z / trials);
    let centre = share + square / 2.0;
    let half = Z * (share * (1.0 - share) / trials + square / (4.0 * trials)).sqrt();
    let at = |value: f64| (value / (1.0 + square)).clamp(0.0, 1.0);
    Some(Interval::new(at(centre - half), at(centre + half)))
}
