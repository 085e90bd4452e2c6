//! What calls can be grouped by, and what stands for it in a row.

use std::collections::{BTreeMap, HashMap};

/// Stands for a call that has no such value; no id is below zero.
pub(super) const NONE: i64 = -1;

/// Tells who made the model of a name, where that is known.
pub type Maker = fn(model: &str) -> Option<String>;

/// What calls can be grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// The model that answered, or was tried last.
    Model,
    /// The name of the gateway.
    Gateway,
    /// Who made the model.
    Provider,
    /// The user's key.
    Key,
    /// The task by which it was routed.
    Task,
    /// The day in UTC.
    Day,
    /// How it ended.
    Status,
    /// The value of this tag.
    Tag(String),
}

impl Dimension {
    /// The dimension of this name.
    pub fn named(word: &str) -> Option<Self> {
        Some(match word {
            "model" => Self::Model,
            "gateway" => Self::Gateway,
            "provider" => Self::Provider,
            "key" => Self::Key,
            "task" => Self::Task,
            "day" => Self::Day,
            "status" => Self::Status,
            _ => Self::Tag(word.strip_prefix("tag:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Model => "model",
            Self::Gateway => "gateway",
            Self::Provider => "provider",
            Self::Key => "key",
            Self::Task => "task",
            Self::Day => "day",
            Self::Status => "status",
            Self::Tag(name) => name,
        }
    }
}

/// Values that are no names in the database: of tags by their sets, of makers by their models.
pub(super) struct Derived<'a> {
    names: &'a HashMap<i64, String>,
    maker: Maker,
    texts: Vec<String>,
    /// The place of each of the texts.
    places: HashMap<String, i64>,
    /// For each dimension, by the id of the set of tags.
    tags: Vec<HashMap<i64, i64>>,
    /// By the id of the model; asked for once each.
    makers: HashMap<i64, i64>,
}

impl<'a> Derived<'a> {
    pub(super) fn new(names: &'a HashMap<i64, String>, by: &[Dimension], maker: Maker) -> Self {
        let tags = vec![HashMap::new(); by.len()];
        let mut all = Self { names, maker, texts: Vec::new(), places: HashMap::new(), tags, makers: HashMap::new() };
        for (place, dimension) in by.iter().enumerate() {
            let Dimension::Tag(tag) = dimension else { continue };
            for (id, name) in names.iter().filter(|(_, name)| name.starts_with('{')) {
                let tags: BTreeMap<String, String> = serde_json::from_str(name).unwrap_or_default();
                if let Some(value) = tags.get(tag) {
                    let value = all.intern(value);
                    all.tags[place].insert(*id, value);
                }
            }
        }
        all
    }

    fn intern(&mut self, text: &str) -> i64 {
        if let Some(known) = self.places.get(text) {
            return *known;
        }
        let place = self.texts.len() as i64;
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }

    /// The value in this set of tags of the tag that the dimension at this place is of.
    pub(super) fn tag(&self, place: usize, set: i64) -> i64 {
        self.tags[place].get(&set).copied().unwrap_or(NONE)
    }

    /// Who made a model.
    pub(super) fn maker(&mut self, model: i64) -> i64 {
        if let Some(known) = self.makers.get(&model) {
            return *known;
        }
        let maker = self.names.get(&model).and_then(|name| (self.maker)(name));
        let maker = maker.map_or(NONE, |maker| self.intern(&maker));
        self.makers.insert(model, maker);
        maker
    }

    /// What such a number stands for.
    pub(super) fn text(&self, id: i64) -> Option<String> {
        self.texts.get(usize::try_from(id).ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(model: &str) -> Option<String> {
        model.contains("claude").then(|| "anthropic".to_owned())
    }

    #[test]
    fn makers_and_tags_are_told_from_names() {
        let names: HashMap<i64, String> = [
            (1, "anthropic/claude-sonnet-4.5"),
            (2, "claude-opus-4-5-20251101"),
            (3, "my-own"),
            (4, r#"{"app":"bot"}"#),
        ]
        .map(|(id, name)| (id, name.to_owned()))
        .into();
        let by = [Dimension::Provider, Dimension::Tag("app".into())];
        let mut derived = Derived::new(&names, &by, maker);
        let maker = derived.maker(1);
        assert_eq!(derived.text(maker).as_deref(), Some("anthropic"));
        assert_eq!(derived.maker(2), maker, "two spellings, one maker");
        assert_eq!((derived.maker(3), derived.maker(99)), (NONE, NONE));
        assert_eq!(derived.text(derived.tag(1, 4)).as_deref(), Some("bot"));
        assert_eq!((derived.tag(1, 1), derived.text(NONE)), (NONE, None));
    }

    #[test]
    fn a_value_that_many_sets_of_tags_have_is_one() {
        let set = |id: i64| (id, format!(r#"{{"job":"{id}","team":"{}"}}"#, id % 2));
        let names: HashMap<i64, String> = (0..2000).map(set).collect();
        let derived = Derived::new(&names, &[Dimension::Tag("job".into()), Dimension::Tag("team".into())], maker);
        for id in 0..2000 {
            assert_eq!(derived.text(derived.tag(0, id)), Some(id.to_string()));
            assert_eq!(derived.tag(1, id), derived.tag(1, id % 2));
        }
        // "0" and "1" are a team as well as a job.
        assert_eq!(derived.texts.len(), 2000);
    }
}
