//! What the settings in force are, and what is refused.

use super::*;
use crate::adapter::Api;

fn settings(env: &[(&str, &str)], config: &str) -> Result<Settings, Error> {
    Settings::from_text(Env::from_pairs(env.iter().copied()), Path::new("config.toml"), config)
}

#[test]
fn every_preset_is_complete() {
    let settings = settings(&[], "").expect("good presets");
    for name in settings.gateway_names().collect::<Vec<_>>() {
        settings.gateway(name).expect(name);
    }
}

#[test]
fn a_config_overrides_a_preset_field_by_field() {
    let settings = settings(&[], "[gateway.openrouter]\nkey_name = \"team-a\"\nmarkup = 0.055\n").expect("good");
    let gateway = settings.gateway("openrouter").expect("known");
    assert_eq!(gateway.base_url.as_str(), "https://openrouter.ai/api/v1");
    assert_eq!(gateway.key.name.as_deref(), Some("team-a"));
    assert_eq!(gateway.markup, Some(55_000));
    assert!(gateway.key.env.contains(&"OPENROUTER_API_KEY".to_owned()));
}

#[test]
fn a_preset_that_moves_to_another_address_loses_its_key_variable() {
    let config = "[gateway.openai]\nbase_url = \"https://evil.example/v1\"\n";
    let settings = settings(&[("LLM_GATEWAY", "openrouter")], config).expect("good");
    assert_eq!(settings.gateway("openai").expect("known").key.env, Vec::<String>::new());
}

#[test]
fn nothing_that_may_be_secret_can_be_printed() {
    let config = "[gateway.corp]\nbase_url = \"https://c/v1\"\nheaders = { X-Key = \"CANARY\" }\n\
                  key_command = [\"echo\", \"CANARY\"]\n";
    let settings = settings(&[("LLM_API_KEY", "CANARY")], config).expect("good");
    let gateway = settings.gateway("corp").expect("known");
    assert!(!format!("{settings:?} {gateway:?}").contains("CANARY"));
}

#[test]
fn a_base_url_alone_is_enough() {
    let settings = settings(&[("LLM_BASE_URL", "http://127.0.0.1:9/v1")], "").expect("good");
    let name = settings.default_gateway(None, Vec::new).expect("a default");
    let gateway = settings.gateway(&name).expect("known");
    assert_eq!((name.as_str(), gateway.auth), ("env", Auth::Optional));
    assert_eq!(gateway.key.env, ["LLM_API_KEY"]);
}

#[test]
fn the_pasted_url_of_an_endpoint_says_base_and_api() {
    let config = "[gateway.anthropic]\nbase_url = \"https://corp.example/v1/chat/completions\"\n";
    let settings = settings(&[("LLM_BASE_URL", "https://corp.example/v1/messages")], config).expect("good");
    for (name, api) in [("env", Api::Anthropic), ("anthropic", Api::OpenaiChat)] {
        let gateway = settings.gateway(name).expect("known");
        assert_eq!((gateway.base_url.as_str(), gateway.api), ("https://corp.example/v1", api), "{name}");
    }
}

#[test]
fn an_api_may_be_set_for_some_models() {
    let config = "[gateway.openrouter.model_api]\n\"*\" = \"openai-responses\"\n\"anthropic/*\" = \"anthropic\"\n";
    let settings = settings(&[], config).expect("good");
    let gateway = settings.gateway("openrouter").expect("known");
    assert_eq!(gateway.api_of("anthropic/claude-opus-5-5"), Api::Anthropic);
    assert_eq!(gateway.api_of("openai/gpt-6-sol"), Api::OpenaiResponses);
    assert_eq!(settings.gateway("openai").expect("known").api_of("gpt-6-sol"), Api::OpenaiChat);
}

#[test]
fn llm_api_key_is_for_the_default_gateway_alone() {
    let settings = settings(&[("LLM_API_KEY", "k"), ("LLM_GATEWAY", "openrouter")], "").expect("good");
    let has = |name| settings.gateway(name).expect("known").key.env.contains(&"LLM_API_KEY".to_owned());
    assert!(has("openrouter"));
    assert!(!has("openai"));
}

#[test]
fn llm_api_key_is_for_the_only_gateway_of_the_config_file() {
    let settings = settings(&[("LLM_API_KEY", "k")], "[gateway.corp]\nbase_url = \"https://c/v1\"\n").expect("good");
    assert_eq!(settings.owner_of_llm_api_key(), Some("corp"));
    assert!(!settings.gateway("openai").expect("known").key.env.contains(&LLM_API_KEY.to_owned()));
}

#[test]
fn the_default_gateway_is_the_one_that_is_meant() {
    let none = Vec::new;
    let plain = |env: &[(&str, &str)], config: &str| settings(env, config).expect("good").default_gateway(None, none);
    assert_eq!(plain(&[("LLM_GATEWAY", "openai")], "default_gateway = \"litellm\"").expect("env"), "openai");
    assert_eq!(plain(&[], "default_gateway = \"litellm\"").expect("file"), "litellm");
    assert_eq!(plain(&[], "[gateway.corp]\nbase_url = \"https://c/v1\"").expect("the only one"), "corp");
    assert_eq!(plain(&[("OPENAI_API_KEY", "k")], "").expect("key in the environment"), "openai");
    let saved = || vec!["deepseek".to_owned()];
    assert_eq!(settings(&[], "").expect("good").default_gateway(None, saved).expect("saved key"), "deepseek");
    assert_eq!(plain(&[], "").expect_err("none").exit_code(), 3);
    assert!(plain(&[("OPENAI_API_KEY", "k"), ("DEEPSEEK_API_KEY", "k")], "").is_err());
}

#[test]
fn what_cannot_be_right_is_refused() {
    for config in [
        "default_gateway = \"nope\"",
        "[gateway.corp]\nmodels = []",
        "[gateway.corp]\nbase_url = \"http://corp.example/v1\"",
        "[gateway.corp]\nbase_url = \"https://u:p@corp.example/v1\"",
        "[gateway.corp]\nbase_url = \"https://corp.example/v1\"\nkey_command = []",
        "[gateway.corp]\nbase_url = \"https://corp.example/v1\"\nmarkup = -1",
        "[gateway.corp]\nbase_url = \"https://corp.example/v1/messages\"\napi = \"gemini\"",
        "[gateway.\"a::b\"]\nbase_url = \"https://corp.example/v1\"",
    ] {
        assert_eq!(settings(&[], config).expect_err(config).exit_code(), 3, "{config}");
    }
    let error = settings(&[("LLM_GATEWAY", "opnrouter")], "").expect_err("unknown");
    assert_eq!(error.hint().as_deref(), Some("did you mean `openrouter`?"));
}

// P16
#[test]
fn every_mistake_in_the_file_is_named_with_its_line() {
    for (line, config) in [
        (2, "model = \"m\"\ndefault_gateway = \"nope\""),
        (1, "gateway = \"nope\""),
        (1, "model = 3"),
        (1, "keyring_timeout = \"soon\""),
        (1, "[gateway.corp]\nmodels = []"),
        (3, "[gateway.corp]\nmodels = []\nbase_url = \"http://corp.example/v1\""),
        (2, "[gateway.corp]\nbase_url = \"https://u:p@corp.example/v1\""),
        (2, "[gateway.corp]\nbase_url = \"nonsense\""),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\nkey_command = []"),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\nmarkup = inf"),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\nmarkup = nan"),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\nmarkup = -1"),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\nmax_concurrency = 0"),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\ntimeouts.total = \"0s\""),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\napi = \"soap\""),
        (3, "[gateway.corp]\napi = \"gemini\"\nbase_url = \"https://c/v1/messages\""),
        (2, "\n[gateway.\"a::b\"]\nbase_url = \"https://c/v1\""),
        (3, "[price.\"m\"]\ninput = 1\noutput = -1"),
        (3, "[price.\"m\"]\ninput = 1\noutput = nan"),
        (2, "[cache]\nmax_size = \"much\""),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\nheaders = { \"a b\" = \"x\" }"),
        (4, "[gateway.corp]\nbase_url = \"https://c/v1\"\n[gateway.corp.headers]\nX-A = \"a\\nb\""),
        (3, "[otel]\nendpoint = \"http://localhost:4318\"\nheaders = { X-A = \"\\u0000\" }"),
        (2, "[otel]\nendpoint = \"htps://localhost:4318\""),
        (2, "[alias.a]\nmodels = []"),
        (2, "[allow]\n\"*\" = [\"m\"]"),
        (2, "[key_class.c]\nrefuse = [\" \"]"),
        (1, "[[budget]]\nlimit = 0\nper = \"day\"\nmatch = { key = \"*\" }"),
        (4, "[alias.a]\nmodels = [\n\"m\",\n\"nope::m\"]"),
        (2, "log = \"off\"\nmodel = \"nope::m\""),
        (3, "[set]\nx = [\"m\",\n\"nope::m\"]"),
        (2, "[set]\nx = []"),
        (3, "[gateway.corp]\nbase_url = \"https://c/v1\"\nmodels = [\"nope::m\"]"),
        (3, "[alias.a]\nmodels = [\"m\"]\nweights = [1]"),
        (2, "[alias]\na.models = [\"a\"]"),
        (1, "[alias.\"a::b\"]\nmodels = [\"m\"]"),
        (3, "[task]\ndefault = \"m\"\ncoding = \"nope::m\""),
        (1, "[[budget]]\nlimit = 1\nper = \"day\"\nmatch.gateway = \"nope\""),
        (3, "[[budget]]\nlimit = 1\nper = \"year\""),
        (2, "[pipeline.p]\nsteps = []"),
        (3, "[[pipeline.p.steps]]\nname = \"a\"\nprompt = \" \""),
        (6, "[[pipeline.p.steps]]\nname = \"a\"\nprompt = \"x\"\n\n[[pipeline.p.steps]]\nname = \"a\"\nprompt = \"x\""),
    ] {
        let error = settings(&[], config).expect_err(config);
        let place = format!("config.toml:{line}: ");
        assert!(error.to_string().starts_with(&place) && error.exit_code() == 3, "{config}\n{error}");
    }
}

#[test]
fn a_list_in_the_place_of_a_table_is_refused() {
    let gateway = "[gateway.corp]\nbase_url = \"https://c/v1\"\n";
    for table in [
        "cache = [true]",
        "price.m = [1, 2]",
        "budget = [[\"n\", 1, \"day\"]]",
        "key_class.k = []",
        "otel = [\"http://localhost:4318\"]",
        "store = [\"postgres://h/d\"]",
        "alias.a = [[\"m\"]]",
        "pipeline.p = [[{ name = \"a\", prompt = \"x\" }]]",
        "pipeline.p.steps = [[\"a\"]]",
        "template.t = [\"d\"]",
        "gateway.corp = [\"https://c/v1\"]",
        &format!("{gateway}timeouts = []"),
        &format!("{gateway}timeouts = [\"1s\", \"2s\"]"),
        // Nor is a table a word.
        "log = { full = [] }",
        &format!("{gateway}api = {{ anthropic = {{}} }}"),
    ] {
        let error = settings(&[], table).expect_err(table);
        assert!(error.to_string().ends_with(" cannot stand here") && error.exit_code() == 3, "{table}: {error}");
        assert!(error.to_string().starts_with("config.toml:"), "{error}");
    }
}

#[test]
fn no_message_repeats_a_text_that_stands_in_the_place_of_something_else() {
    let gateway = "[gateway.corp]\nbase_url = \"https://c/v1\"\n";
    for line in ["headers = \"X-Key: CANARY\"", "headers = [\"CANARY\"]", "key_command = \"echo CANARY\""] {
        let error = settings(&[], &format!("{gateway}{line}")).expect_err(line);
        assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    }
    let endpoint = "[otel]\nendpoint = \"htps://me:CANARY@h\"";
    assert!(!format!("{:?}", settings(&[], endpoint).expect_err("no address")).contains("CANARY"));
}

#[test]
fn a_very_long_name_or_value_is_shown_in_part() {
    let long = "k".repeat(3_000_000);
    for config in [
        format!("{long} = 1"),
        format!("[gateway.corp]\n{long} = 1"),
        format!("log = \"{long}\""),
        format!("default_gateway = \"{long}\""),
        format!("[cache]\nttl = \"{long}\""),
        format!("[[budget]]\nname = \"{long}\"\nlimit = 1\nper = \"day\"\nmatch.gateway = \"x\""),
        format!(
            "[gateway.{long}]\nbase_url = \"https://c/v1\"\n[gateway.corp]\nbase_url = \"nonsense\"\n[task]\nx = 1"
        ),
    ] {
        let error = settings(&[], &config).expect_err("a mistake");
        let shown = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(shown.starts_with("config.toml:") && shown.chars().count() < 20_000, "{} bytes", shown.len());
    }
}

#[test]
fn the_store_knows_who_says_its_address() {
    let config = "\n[store]\nca_file = \"ca.pem\"\nurl = \"postgres://me:CANARY@h/d\"\n";
    let store = |env: &[(&str, &str)]| settings(env, config).expect("good").store.expect("a store");
    assert_eq!(store(&[]).said, "config.toml:4");
    assert!(!format!("{:?}", store(&[])).contains("CANARY"));
    let of_env = store(&[("LLM_STORE_URL", "postgres://other/d")]);
    assert_eq!((of_env.said.as_str(), of_env.ca_file), ("LLM_STORE_URL", Some("ca.pem".into())));
}

#[test]
fn a_mistake_in_the_environment_is_named_by_its_variable() {
    for (name, value) in [("LLM_GATEWAY", "opnrouter"), ("LLM_BASE_URL", "nonsense"), ("LLM_DATA_DIR", "relative")] {
        let error = settings(&[(name, value)], "").expect_err(name);
        assert!(error.to_string().starts_with(name) && error.exit_code() == 3, "{error}");
    }
}

#[test]
fn a_file_that_is_no_text_is_named_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("c.toml");
    std::fs::write(&path, b"model = \"m\"\n# caf\xe9\n").expect("written");
    let error = Source::read(&path, true).err().expect("not text");
    assert_eq!(error.to_string(), format!("{}:2: the file is not UTF-8 text", path.display()));
}

// P17
#[test]
fn a_file_that_cannot_be_there_is_not_there() {
    let path = Path::new("/dev/null/.config/llm/config.toml");
    assert!(Source::read(path, false).expect("no error").is_none());
    assert_eq!(Source::read(path, true).err().expect("it is named").exit_code(), 3);
}

#[test]
fn a_source_that_can_give_no_key_is_refused_with_its_line_and_not_told() {
    for (wrong, why) in [
        ("key_name = \"canary a/b\"", "the name of a key is made of letters"),
        ("key_name = \"\"", "the name of a key is made of letters"),
        ("key_name = \"-canary\"", "the name of a key is made of letters"),
        ("key_name = \"canary\\nb\"", "the name of a key is made of letters"),
        ("key_env = [\"A\", \"A=canary\"]", "key_env takes names of variables"),
        ("key_env = [\"\"]", "key_env takes names of variables"),
        ("key_env = [\"A\\u0000canary\"]", "key_env takes names of variables"),
        ("key_command = []", "key_command names no program"),
    ] {
        let config = format!("[gateway.corp]\nbase_url = \"https://c/v1\"\n{wrong}\n");
        let error = settings(&[], &config).expect_err(wrong).to_string();
        assert!(error.starts_with("config.toml:3: gateway `corp`: ") && error.contains(why), "{wrong}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
    let good = "[gateway.openai]\nkey_name = \"Büro.1@team+x_y-z\"\nkey_env = [\"A B\", \"_\"]\n";
    settings(&[], good).expect("good");
}

#[test]
fn every_variable_that_may_hold_a_key_is_known() {
    let env = [
        ("CORP_SECRET", "canary-1"),
        ("COPY", "canary-1"),
        ("LLM_TEAM_KEY", "canary-2"),
        ("ELSEWHERE", "sk-canary"),
        ("HEADER", "Bearer canary-1"),
        ("OTHER_HEADER", "Bearer sk-canary"),
        ("LLM_STORE_URL", "postgres://llm:canary-3@db/llm"),
        ("OP_SESSION", "canary-4"),
        ("EDITOR", "vi"),
    ];
    let config = "[gateway.corp]\nbase_url = \"https://c/v1\"\nkey_env = [\"CORP_SECRET\"]\n";
    let names = settings(&env, config).expect("good").key_variables();
    let held = ["CORP_SECRET", "COPY", "LLM_TEAM_KEY", "ELSEWHERE", "HEADER", "OTHER_HEADER", "LLM_STORE_URL"];
    for name in held.into_iter().chain(["LLM_API_KEY", "OPENAI_API_KEY"]) {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    assert!(!names.iter().any(|known| ["OP_SESSION", "EDITOR"].contains(&known.as_str())), "{names:?}");
}
