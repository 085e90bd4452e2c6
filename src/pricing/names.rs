//! The names of models: what a call asked for, what answered, and when two names mean the same.

/// Whether a model's name says that it costs nothing, as OpenRouter's names do.
pub(super) fn says_free(model: &str) -> bool {
    model.ends_with(":free")
}

/// The model that a call asked for, and the one that the answer names.
pub(super) struct Names<'a> {
    pub(super) asked: &'a str,
    pub(super) answered: &'a str,
}

impl<'a> Names<'a> {
    /// A variant (`:free`, `:nitro`) has a price of its own, so its name is kept even where the answer names the model
    /// alone.
    pub(super) fn new(asked: &'a str, answered: &'a str) -> Self {
        let is_variant = asked.strip_prefix(answered).is_some_and(|rest| rest.starts_with(':'));
        Self { asked, answered: if is_variant { asked } else { answered } }
    }

    /// What was asked for. Returns `None` where another model answered; names that differ only in vendor, punctuation and
    /// date of release are one model.
    pub(super) fn same(&self) -> Option<&'a str> {
        (bare(self.asked) == bare(self.answered)).then_some(self.asked)
    }

    /// Whether what answered says that it costs nothing.
    pub(super) fn say_free(&self) -> bool {
        says_free(self.answered)
    }
}

/// The part of a model's name that its spellings have in common.
pub(super) fn bare(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_lowercase().replace(['.', '@', '_'], "-");
    let name = name.strip_suffix("-latest").unwrap_or(&name);
    let is_number = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = name.split('-').collect();
    let dated = match parts.as_slice() {
        [.., date] if is_number(date, 8) => 1,
        [.., year, month, day] if is_number(year, 4) && is_number(month, 2) && is_number(day, 2) => 3,
        _ => 0,
    };
    parts[..parts.len() - dated].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_model_are_the_same() {
        for (asked, answered, same) in [
            ("gpt-4o", "gpt-4o-2024-08-06", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("openai/gpt-4o", "gpt-4o", true),
            ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5-20250929", true),
            ("claude-sonnet-4-5-latest", "claude-sonnet-4-5@20250929", true),
            ("claude-sonnet-4-5", "claude-sonnet-4", false),
            ("gpt-4o", "gpt-4o-2024-08", false),
            ("gpt-4o", "gpt-4o-24-08-06", false),
            ("gpt-4o", "gpt-4o-2024-8-06", false),
            ("gpt-4o", "gpt-4o-2024-08-6", false),
            ("", "", true),
        ] {
            assert_eq!(Names::new(asked, answered).same().is_some(), same, "{asked} {answered}");
        }
    }
}
