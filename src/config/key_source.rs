//! Where the key of a gateway comes from, as its table says it.

use super::file::GatewayTable;
use super::settings::LLM_API_KEY;
use super::source::Problem;

/// The sources of a gateway's key, in the order in which they are tried: environment, command, keyring or key file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySource {
    /// Names of environment variables, the first one that is set counts. `LLM_API_KEY` is among them for the default
    /// gateway alone.
    pub env: Vec<String>,
    /// A program and its arguments that prints the key; run without a shell.
    pub command: Option<Vec<String>>,
    /// Which of the gateway's named keys in the keyring; `None` is `default`.
    pub name: Option<String>,
}

impl KeySource {
    /// What the table of a gateway says, and `LLM_API_KEY` before it where that is for this gateway.
    ///
    /// # Errors
    /// A source that can give no key. What it is called is not told: it may be the key itself.
    pub(super) fn of(table: &GatewayTable, has_llm_api_key: bool) -> Result<Self, Problem> {
        if table.key_command.as_ref().is_some_and(Vec::is_empty) {
            return Err(Problem::at(["key_command"], "key_command names no program"));
        }
        if table.key_name.as_deref().is_some_and(|name| !is_key_name(name)) {
            return Err(Problem::at(["key_name"], format!("key_name: {KEY_NAME_RULE}")));
        }
        let named = table.key_env.as_deref().unwrap_or_default();
        if let Some(index) = named.iter().position(|name| !is_variable(name)) {
            let message = "key_env takes names of variables, which are not empty and have no `=` in them";
            return Err(Problem::at(["key_env", &index.to_string()], message));
        }
        let own = has_llm_api_key.then(|| LLM_API_KEY.to_owned());
        Ok(Self {
            env: own.into_iter().chain(named.iter().cloned()).collect(),
            command: table.key_command.clone(),
            name: table.key_name.clone(),
        })
    }
}

/// How a saved key may be called.
pub const KEY_NAME_RULE: &str =
    "the name of a key is made of letters, digits and - _ . @ +, and at most 100 bytes long";

/// Whether a saved key may have this name. It has only characters that a shell does not interpret, because names become part of
/// commands that users copy from messages.
pub fn is_key_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
    !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && !name.starts_with('-')
}

/// Whether a variable of the environment can have this name.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}
