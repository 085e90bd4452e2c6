//! Durations and counts in words that people use, and texts cut to a length. It uses nothing else of this package.

use std::borrow::Cow;
use std::time::Duration;

const DAYS_OF_A_YEAR: f64 = 365.25;

/// A time that was measured: `0.4 ms`, `412 ms`, `1.9 s`, `2 m 05 s`, `1 h 02 m`, `3 d 04 h`, `72.9 years`.
pub(crate) fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    // Each bound is where rounding would reach the next unit.
    if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 59_950.0 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        let seconds = (ms / 1000.0).round() as u64;
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        match hours {
            0 => format!("{minutes} m {:02} s", seconds % 60),
            1..48 => format!("{hours} h {:02} m", minutes % 60),
            _ if days < 365 => format!("{days} d {:02} h", hours % 24),
            _ => format!("{:.1} years", days as f64 / DAYS_OF_A_YEAR),
        }
    }
}

/// A limit or a wait, which is known exactly: `0.5 s`, `30 s`, `1 m 30 s`, `2 h`.
pub(crate) fn limit(time: Duration) -> String {
    if time < Duration::from_secs(60) {
        return format!("{} s", time.as_secs_f64());
    }
    let text = duration(time);
    let whole = [" 00 s", " 00 m", " 00 h"].iter().find_map(|zero| text.strip_suffix(zero));
    whole.map_or_else(|| text.clone(), str::to_owned)
}

/// A number with its noun: `1 token`, `2 tokens`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// The beginning of a text, of at most so many characters, with `…` where something is left out.
pub(crate) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// A text on one line, with one space for each run of white space.
pub(crate) fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_change_unit_where_rounding_would_reach_the_next() {
        for (micros, shown) in [
            (0, "0.0 ms"),
            (440, "0.4 ms"),
            (9_949, "9.9 ms"),
            (9_950, "10 ms"),
            (412_300, "412 ms"),
            (999_499, "999 ms"),
            (999_500, "1.0 s"),
            (1_940_000, "1.9 s"),
            (59_949_000, "59.9 s"),
            (59_950_000, "1 m 00 s"),
            (125_000_000, "2 m 05 s"),
            (3_599_600_000, "1 h 00 m"),
            (3_720_000_000, "1 h 02 m"),
            (172_800_000_000, "2 d 00 h"),
            (2_300_979_581_000_000, "72.9 years"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), shown);
        }
    }

    #[test]
    fn limits_have_no_decimals_that_nobody_set() {
        let shown = [500, 1_000, 30_000, 90_000, 600_000, 86_400_000].map(|ms| limit(Duration::from_millis(ms)));
        assert_eq!(shown, ["0.5 s", "1 s", "30 s", "1 m 30 s", "10 m", "24 h"]);
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|n| count(n, "retry", "retries")), ["0 retries", "1 retry", "2 retries"]);
    }
}
