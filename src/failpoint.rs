//! Points at which a debug build can be made to panic, because the tests of what a bug does need a bug.

/// Panics with MESSAGE where the variable `LLM_FAILPOINT` holds `POINT=MESSAGE` and this is the point. Only debug builds do.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "no setting, and not part of a release")]
pub(crate) fn reach(point: &str) {
    let Ok(wanted) = std::env::var("LLM_FAILPOINT") else { return };
    if let Some((_, message)) = wanted.split_once('=').filter(|(name, _)| *name == point) {
        panic!("{message}");
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn reach(_point: &str) {}
