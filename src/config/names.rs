//! Suggestions for names that are not known.

/// Names that are longer, in bytes, are like no other: to compare them takes memory for each pair of their characters.
const LONGEST: usize = 1_000;

/// The known name that is most like the unknown one; `None` where none is like it.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if unknown.len() > LONGEST {
        return None;
    }
    known
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .map(|name| {
            // Jaro-Winkler rates a short name with two letters exchanged too low.
            let swapped = strsim::damerau_levenshtein(unknown, name) == 1 && strsim::levenshtein(unknown, name) == 2;
            (if swapped { 0.9 } else { strsim::jaro_winkler(unknown, name) }, name)
        })
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The hint of an error about an unknown name: the nearest known one, or all of them after `list`, such as
/// `known gateways`.
pub(super) fn suggestion<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>, list: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{list}: {}", known.join(", ")),
    }
}
