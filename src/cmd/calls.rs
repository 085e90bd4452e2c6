//! Makes a filter of recorded calls from a command's flags.

use jiff::{Timestamp, civil};

use super::{Context, shared};
use crate::cli::{CallFilter, CallStatus};
use crate::config::parse_duration;
use crate::error::Error;
use crate::ledger::{self, Calls, Filter, RemoteCalls, Store};
use crate::run::Notices;

/// Where the ledger is missing.
const NONE_YET: &str = "no calls have been recorded yet";

/// Opens the ledger to read it. Returns `None`, with a notice to the user, where nothing has been recorded yet.
///
/// # Errors
/// The ledger exists but cannot be read.
pub(super) fn store(context: &Context) -> Result<Option<Store>, Error> {
    let store = own(context)?;
    if store.is_none() {
        context.notice(NONE_YET);
    }
    Ok(store)
}

/// The same without a notice.
///
/// # Errors
/// As for [`store`].
pub(super) fn own(context: &Context) -> Result<Option<Store>, Error> {
    let Some(dir) = &context.settings.dirs.data else { return Ok(None) };
    for notice in ledger::settle(dir) {
        context.notice(&notice);
    }
    Ok(Store::open_to_read(dir)?)
}

/// As [`store`], but the calls of the ledger that servers share, where there is one.
///
/// # Errors
/// As for [`store`].
pub(super) fn shared(context: &Context) -> Result<Option<Box<dyn Calls>>, Error> {
    let calls = shared_or_own(context)?;
    if calls.is_none() {
        context.notice(NONE_YET);
    }
    Ok(calls)
}

/// The same without a notice.
///
/// # Errors
/// As for [`store`].
pub(super) fn shared_or_own(context: &Context) -> Result<Option<Box<dyn Calls>>, Error> {
    Ok(match shared::remote_ledger(&context.settings)? {
        Some(remote) => Some(Box::new(RemoteCalls::new(remote))),
        None => own(context)?.map(|store| Box::new(store) as Box<dyn Calls>),
    })
}

/// The filter that these flags describe.
///
/// # Errors
/// `--since` or `--before` is not a time.
pub(super) fn filter(args: &CallFilter) -> Result<Filter, Error> {
    let status = args.status.map(|status| match status {
        CallStatus::Ok => "ok",
        CallStatus::Truncated => "truncated",
        CallStatus::Failed => "failed",
        CallStatus::Interrupted => "interrupted",
        CallStatus::Refused => "refused",
    });
    let tag = |tag: &String| match tag.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (tag.clone(), None),
    };
    let now = Timestamp::now();
    let since = args.since.as_deref().map(|text| moment(text, "--since", now)).transpose()?;
    let before = args.before.as_deref().map(|text| moment(text, "--before", now)).transpose()?;
    Ok(Filter {
        model: args.model.clone(),
        gateway: args.gateway.clone(),
        key: args.key.clone(),
        task: args.task.clone(),
        status: status.map(str::to_owned),
        tags: args.tag.iter().map(tag).collect(),
        since_ms: since.map(Timestamp::as_millisecond),
        before_ms: before.map(Timestamp::as_millisecond),
        ..Filter::default()
    })
}

/// Parses a time of a flag: a duration before `now` (`7d`), a date (its midnight), or a date with a time; in UTC where it
/// names no offset.
///
/// # Errors
/// The text is none of these.
pub(super) fn moment(text: &str, flag: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let text = text.trim();
    let days = |unit: char, days: i64| {
        let count: i64 = text.strip_suffix(unit)?.trim().parse().ok().filter(|count| *count >= 0)?;
        now.checked_sub(jiff::SignedDuration::from_hours(count.checked_mul(days * 24)?)).ok()
    };
    let utc = |date: civil::DateTime| date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    days('d', 1)
        .or_else(|| days('w', 7))
        .or_else(|| text.parse::<Timestamp>().ok())
        // jiff reads a date without a time as its midnight.
        .or_else(|| utc(text.parse::<civil::DateTime>().ok()?))
        .or_else(|| {
            let ago = jiff::SignedDuration::try_from(parse_duration(text).ok()?).ok()?;
            now.checked_sub(ago).ok()
        })
        .ok_or_else(|| {
            Error::usage_hint(
                format!("{flag}: {text} is not a time"),
                "as in 7d, 12h, 2026-11-20 or 2026-11-20T08:30 (UTC)",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_durations_before_now_dates_or_date_times() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("7d", "2026-11-13T12:00:00Z"),
            ("2w", "2026-11-06T12:00:00Z"),
            ("90m", "2026-11-20T10:30:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T08:30", "2026-11-01T08:30:00Z"),
            ("2026-11-01T08:30:00+02:00", "2026-11-01T06:30:00Z"),
            ("0d", "2026-11-20T12:00:00Z"),
        ] {
            assert_eq!(moment(text, "--since", now).expect(text).to_string(), expected, "{text}");
        }
        for text in ["", "yesterday", "-1d", "99999999999999d", "2026-13-01", "NaN"] {
            assert_eq!(moment(text, "--since", now).expect_err(text).exit_code(), 2, "{text}");
        }
    }
}
