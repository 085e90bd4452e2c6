//! Models that search the web for each answer by themselves, which is billed besides the tokens.

/// Words in the names of such models.
const WORDS: [&str; 5] = ["compound", "online", "research", "search", "sonar"];

/// Whether the model's name, without its vendor, says that it searches by itself. Prices of tokens are then not all that a
/// request costs.
pub fn searches(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let mut words = name.split(|sign: char| !sign.is_ascii_alphanumeric());
    words.any(|word| WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_who_searches() {
        for name in [
            "perplexity/sonar",
            "Sonar-Reasoning-Pro",
            "llama-3.1-sonar-small-128k-online",
            "openai/gpt-4o-mini:online",
            "gpt-4o-search-preview",
            "o3-deep-research",
            "groq/compound-mini",
        ] {
            assert!(searches(name), "{name}");
        }
        for name in ["openai/gpt-4o-mini", "bytedance-research/ui-tars-72b", "deepsearchless", "perplexity/r1-1776", ""]
        {
            assert!(!searches(name), "{name}");
        }
    }
}
