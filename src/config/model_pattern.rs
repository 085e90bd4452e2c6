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

/// Whether a pattern means this model of this gateway.
pub fn model_fits(pattern: &str, gateway: &str, model: &str) -> bool {
    match pattern.split_once("::") {
        Some((gateways, models)) => pattern::matches(gateways, gateway) && name_fits(models, model),
        None => name_fits(pattern, model),
    }
}

/// Whether a gateway may take this name for a model that the pattern means: limits of a model hold for every name under
/// which it can be asked. Capitals do not count, nor does what gateways read as a variant of a model or as an addition to
/// its name (`:nitro`, `@preset/fast`), the name of a gateway before it, and signs that cannot be seen.
pub fn name_may_fit(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (seen(pattern), seen(name));
    let name = name.rsplit_once("::").map_or(name.as_str(), |(_, model)| model);
    let ends = name.match_indices([':', '@', '?', '#']).map(|(at, _)| at);
    ends.chain([name.len()]).any(|end| name_fits(&pattern, &name[..end]))
}

/// The signs of a name that can be seen, in small letters.
fn seen(name: &str) -> String {
    let seen: String = name.chars().filter(|sign| sign.width().unwrap_or(0) > 0 && *sign != ' ').collect();
    seen.to_lowercase()
}

/// The same as [`name_may_fit`] for a model of this gateway.
pub fn model_may_fit(pattern: &str, gateway: &str, model: &str) -> bool {
    match pattern.split_once("::") {
        Some((gateways, models)) => pattern::matches(&seen(gateways), &seen(gateway)) && name_may_fit(models, model),
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
            for pattern in ["big-1", "Big-*", "g::big-1", "G:: big-1", "*::Big-*", " big-1", "big-1\u{200b} "] {
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
    fn a_pattern_may_name_the_gateway() {
        for (pattern, fits) in [
            ("m", true),
            ("g::m", true),
            ("g::*", true),
            ("*::m", true),
            ("h::m", false),
            ("g::n", false),
            ("M", false),
        ] {
            assert_eq!(model_fits(pattern, "g", "vendor/m"), fits, "{pattern}");
        }
    }
}
