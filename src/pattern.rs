//! Patterns of the config, in which `*` is any text: `claude-*`, `*:free`.

/// Whether `pattern`, in which each `*` stands for any text or none, matches the whole of `name`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let mut pieces = rest.split('*');
    let end = pieces.next_back().unwrap_or_default();
    // Each piece where it first occurs leaves the most for those that follow.
    for piece in pieces {
        match name.find(piece) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    name.ends_with(end)
}

/// Orders patterns by how exactly they match: those without `*` last, and the others by the number of their characters.
pub fn precision(pattern: &str) -> (bool, usize) {
    let letters = pattern.chars().filter(|letter| *letter != '*').count();
    (!pattern.contains('*'), letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_or_none() {
        for (pattern, name, matched) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-", true),
            ("gpt-*-mini", "gpt-5.4-mini", true),
            ("gpt-*-mini", "gpt-mini", false),
            ("gpt-*-mini", "gpt-4o-mini-2024", false),
            ("*", "", true),
            ("*:free", "a/b:free", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("a*a", "a", false),
            ("**", "x", true),
            ("*é*", "caféine", true),
        ] {
            assert_eq!(matches(pattern, name), matched, "{pattern} {name}");
        }
    }

    #[test]
    fn the_closest_pattern_wins() {
        let mut patterns = ["*", "claude-*", "claude", "*claude-opus*"];
        patterns.sort_by_key(|pattern| precision(pattern));
        assert_eq!(patterns, ["*", "claude-*", "*claude-opus*", "claude"]);
    }
}
