//! Patterns of models in budgets, allow-lists and lists of what is refused: `MODEL` or `GATEWAY::MODEL`, in which `*` is any text.

use unicode_width::UnicodeWidthChar;

use crate::pattern;

/// Whether a pattern means this name of a model or alias: `claude-*` means `anthropic/claude-opus` too. One that names no
/// gateway means no name with a gateway in it: its `*` would stand for the gateway's name.
pub fn name_fits(pattern: &str, name: &str) -> bool {
    if name.contains("::") && !pattern.contains("::") {
        return false;
    }
    let bare = name.rsplit_once('/').map_or(name, |(_, bare)| bare);
    pattern::matches(pattern, name) || pattern::matches(pattern, bare)
}

/// Whether a pattern means this model of this gateway. White space around its parts does not count.
pub fn model_fits(pattern: &str, gateway: &str, model: &str) -> bool {
    match pattern.split_once("::") {
        Some((gateways, models)) => pattern::matches(gateways.trim(), gateway) && name_fits(models.trim(), model),
        None => name_fits(pattern.trim(), model),
    }
}

/// Fails for a pattern that means nothing: it is empty, has signs that cannot be seen, or names a gateway that is none of these.
pub(super) fn check<'a>(pattern: &str, gateways: impl Iterator<Item = &'a str>) -> Result<(), String> {
    check_spelling(pattern)?;
    match unknown_gateway(pattern, gateways) {
        Some(gateway) => Err(format!("no gateway is called `{gateway}`")),
        None => Ok(()),
    }
}

/// Fails for a pattern that is empty, or has signs that cannot be seen.
pub fn check_spelling(pattern: &str) -> Result<(), String> {
    if pattern.trim().is_empty() {
        return Err("a pattern is empty".to_owned());
    }
    if pattern.chars().any(|sign| sign.width().unwrap_or(0) == 0) {
        return Err(format!("`{}` has a sign that cannot be seen", pattern.escape_debug()));
    }
    Ok(())
}

/// The gateway that a pattern names, if it is none of these.
pub fn unknown_gateway<'a, 'p>(pattern: &'p str, mut gateways: impl Iterator<Item = &'a str>) -> Option<&'p str> {
    let gateway = pattern.split_once("::")?.0.trim();
    (!gateway.contains('*') && !gateways.any(|known| known.eq_ignore_ascii_case(gateway))).then_some(gateway)
}

/// Whether a key may have this name, that of a variable or of a saved key.
pub(super) fn is_possible_key(name: &str) -> bool {
    !name.trim().is_empty() && !name.contains('*')
}

/// Without signs that cannot be seen, in small letters.
fn seen(text: &str) -> String {
    text.chars().filter(|sign| sign.width().unwrap_or(0) > 0 && *sign != ' ').collect::<String>().to_lowercase()
}

/// Whether a gateway may take this name for a model that the pattern means: limits of a model hold for every name under
/// which it can be asked. Capitals do not count, nor does what gateways read as a variant of a model or as an addition to
/// its name (`:nitro`, `@preset/fast`), the sign of a name that moves on to newer models (`~vendor/model-latest`), the name of a gateway
/// before it, and signs that cannot be seen.
pub fn name_may_fit(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (seen(pattern), seen(name));
    let name = name.rsplit_once("::").map_or(name.as_str(), |(_, model)| model);
    let fits = |name: &str| {
        let ends = name.match_indices([':', '@', '?', '#']).map(|(at, _)| at);
        ends.chain([name.len()]).any(|end| name_fits(&pattern, &name[..end]))
    };
    fits(name) || name.strip_prefix('~').is_some_and(fits)
}

/// The same for a model of this gateway.
pub fn model_may_fit(pattern: &str, gateway: &str, model: &str) -> bool {
    match pattern.split_once("::") {
        Some((gateways, models)) => {
            pattern::matches(&seen(gateways), &gateway.to_lowercase()) && name_may_fit(models, model)
        }
        None => name_may_fit(pattern, model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_model_hold_for_every_name_that_it_is_asked_by() {
        for name in [
            "openai/Big-1",
            "BIG-1",
            "big-1:nitro",
            "~big-1",
            "~openai/big-1:free",
            "big-1:a:b",
            "big-1@preset/x",
            "big-1?x",
            "big-1#x",
            "g::big-1",
            "g::v/big-1:free",
            "big\u{200b}-1",
            " big-1",
            "big-1\n",
        ] {
            for pattern in
                ["big-1", "Big-*", "g::big-1", "G:: big-1", "*::Big-*", " big-1 ", "big\u{200b}-1", " g :: big-1"]
            {
                assert!(model_may_fit(pattern, "g", name), "{pattern} {name:?}");
            }
            assert!(!model_may_fit("other::big-1", "g", name), "{name:?}");
        }
        for name in ["big-12", "big", "abig-1", "big-1/x", "x:big-1"] {
            assert!(!name_may_fit("big-1", name), "{name:?}");
        }
        assert!(name_may_fit("*:free", "a/big-1:free") && !name_may_fit("*:free", "a/big-1"));
    }

    #[test]
    fn a_pattern_of_models_means_no_gateway() {
        assert!(!name_fits("gpt-*", "gpt-corp::anything") && name_fits("gpt-*::any*", "gpt-corp::anything"));
        assert!(model_fits("*", "gpt-corp", "anything") && !model_fits("gpt-*", "gpt-corp", "anything"));
    }

    #[test]
    fn a_pattern_that_means_nothing_is_refused() {
        let check = |pattern: &str| check(pattern, ["g"].into_iter());
        for pattern in ["m", "g::m", " g :: m ", "*::m", "vendor/m:free"] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
        for pattern in ["", " ", "m\u{200b}", "m\n", "h::m"] {
            assert!(check(pattern).is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn a_pattern_may_name_the_gateway() {
        for (pattern, fits) in [
            ("m", true),
            ("g::m", true),
            ("g::*", true),
            ("*::m", true),
            ("h::m", false),
            ("g::n", false),
            ("M", false),
            (" g :: m ", true),
            (" m", true),
        ] {
            assert_eq!(model_fits(pattern, "g", "vendor/m"), fits, "{pattern}");
        }
    }
}
