//! The texts of `llm key`: where keys are kept, and never the keys themselves.

use serde::{Serialize, Serializer};

use super::format::{UNKNOWN, count, or_unknown};
use super::grid::{Column, Grid};
use super::term::{Output, Text};
use crate::config::{Auth, Gateway};
use crate::secret::Source;

/// One line of `llm key list`.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub gateway: String,
    pub origin: String,
    /// `null` for the environment, whose keys have no name.
    pub name: Option<String>,
    /// `keyring`, `file` or `environment`.
    pub store: &'static str,
    pub variable: Option<String>,
    pub saved_at: Option<String>,
}

/// A line for each key.
pub fn list(keys: &[Listed], out: &Output) -> Text {
    if keys.is_empty() {
        return "no keys yet; `llm key set GATEWAY` saves one\n".into();
    }
    let mut grid = Grid::new(vec![
        Column::left("gateway"),
        Column::left("name"),
        Column::left("where").wraps(12),
        Column::left("saved"),
        Column::left("sent to").wraps(12),
    ]);
    for key in keys {
        let variable = key.variable.as_ref().map(|variable| format!("environment: {variable}"));
        let date = key.saved_at.as_deref().and_then(|at| at.get(..10));
        grid.row(vec![
            key.gateway.clone(),
            or_unknown(key.name.clone(), |name| name),
            variable.unwrap_or_else(|| key.store.to_owned()),
            date.unwrap_or(UNKNOWN).to_owned(),
            key.origin.clone(),
        ]);
    }
    grid.render(out)
}

/// One key, as `llm key show` shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub gateway: String,
    /// `None` where the gateway takes no key, so that none is sent anywhere.
    pub origin: Option<String>,
    /// `None` where there is no key, and none is needed.
    #[serde(serialize_with = "source")]
    pub source: Option<Source>,
    /// What is shown of the key.
    #[serde(skip)]
    pub hint: Option<String>,
    /// `None` where the key is too short to show some of it.
    pub last_four: Option<String>,
}

fn source<S: Serializer>(source: &Option<Source>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum SourceJson<'a> {
        Environment { variable: &'a str },
        Command { program: &'a str },
        Keyring { service: &'a str, username: &'a str },
        File { path: String },
    }
    let json = source.as_ref().map(|source| match source {
        Source::Environment { name } => SourceJson::Environment { variable: name },
        Source::Command { program } => SourceJson::Command { program },
        Source::Keyring { service, user } => SourceJson::Keyring { service, username: user },
        Source::File { path } => SourceJson::File { path: path.display().to_string() },
    });
    json.serialize(serializer)
}

/// Says where the key comes from, and shows enough of it to tell it from others.
pub fn shown(key: &Shown) -> Text {
    let Some(origin) = &key.origin else {
        return format!("{} needs no key\n", key.gateway).into();
    };
    let hint = key.hint.as_deref().unwrap_or("none, and none is needed");
    let source = or_unknown(key.source.as_ref(), ToString::to_string);
    format!("gateway  {}\nkey      {hint}\nsource   {source}\nsent to  {origin}\n", key.gateway).into()
}

/// Says that the gateway accepted the key. `key` is what is shown of it, and where it comes from; `is_replaced` whether headers of the
/// config were sent in its place.
pub fn tested(gateway: &Gateway, key: Option<(String, String)>, is_replaced: bool, models: usize) -> Text {
    let key = match key {
        _ if is_replaced => "takes what its headers in the config hold, which are sent in the place of a key".into(),
        Some((hint, source)) => format!("takes the key {hint} from {source}"),
        None if gateway.auth == Auth::None => "needs no key".into(),
        None => "answers without a key".into(),
    };
    format!("{} {key}, and lists {}\n", gateway.name, count(models as u64, "model", "models")).into()
}
