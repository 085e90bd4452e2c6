//! Quantiles and means of samples.

/// The quantile of a sample, linearly interpolated between its order statistics (type 7 of Hyndman and Fan, as in R and
/// NumPy). `None` where the sample is empty or has a value that is not finite.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = finite(values)?.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// The median: the value in the middle, or the mean of the two there. `None` as for [`quantile`].
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The arithmetic mean. `None` as for [`quantile`].
pub fn mean(values: &[f64]) -> Option<f64> {
    finite(values).map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

/// The values, if there are any and all are finite.
pub(super) fn finite(values: &[f64]) -> Option<&[f64]> {
    (!values.is_empty() && values.iter().all(|value| value.is_finite())).then_some(values)
}
