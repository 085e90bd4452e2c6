//! Intervals of confidence, and which of them overlap.

use serde::Serialize;

/// A range that holds the true value with a probability of [`super::CONFIDENCE`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// The interval between two ends, in whichever order they are.
    pub fn new(one: f64, other: f64) -> Self {
        Self { low: one.min(other), high: one.max(other) }
    }

    /// Whether the two have a point in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// The largest groups of intervals that all overlap each other, as indices in their order. Those of one group cannot be
/// told apart. An interval that overlaps no other is in no group; one in the middle may be in several groups, because
/// overlapping is not transitive. `None` is an interval that is not known, and is in no group.
pub fn indistinguishable(intervals: &[Option<Interval>]) -> Vec<Vec<usize>> {
    let known = || intervals.iter().enumerate().filter_map(|(i, interval)| Some((i, (*interval)?)));
    let mut starts: Vec<f64> = known().map(|(_, interval)| interval.low).collect();
    starts.sort_unstable_by(f64::total_cmp);
    // Intervals that overlap each other have a point in common, and the last of their lower ends is such a point.
    let at = |point: &f64| -> Vec<usize> {
        known().filter(|(_, interval)| interval.low <= *point && *point <= interval.high).map(|(i, _)| i).collect()
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for group in starts.iter().map(at).filter(|group| group.len() > 1) {
        let holds = |one: &[usize], other: &[usize]| other.iter().all(|i| one.contains(i));
        if groups.iter().any(|larger| holds(larger, &group)) {
            continue;
        }
        groups.retain(|smaller| !holds(&group, smaller));
        groups.push(group);
    }
    groups
}
