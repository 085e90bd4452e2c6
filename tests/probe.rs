//! `llm probe`: what models can really do, found by small requests, kept, and used by lists and routing.

use serde_json::{Value, json};

use crate::support::gateway::Request;
use crate::support::{Gateway, Home, Reply};

/// A gateway with one model that can do some things and not others.
fn gateway() -> Gateway {
    Gateway::by(|request| {
        let body = request.json();
        let has = |field: &str| !body[field].is_null();
        let prompt = request.prompt();
        if has("seed") {
            return Reply::error(400, "Unsupported parameter: 'seed' is not supported with this model.");
        }
        if has("logprobs") {
            return Reply::error(500, "the backend fell over");
        }
        if body["messages"].to_string().contains("image_url") {
            return Reply::error(400, "this model takes no images");
        }
        if prompt.contains("random") {
            return Reply::stream(&["Words ", "at ", "random."]);
        }
        if prompt.contains("alpha") {
            return Reply::stream(&["alpha bravo charlie ", "delta "]);
        }
        if body["messages"].to_string().contains("password.pdf") {
            return Reply::stream(&["Marma", "lade"]);
        }
        Reply::stream(&["Pelican. January, ", "February, ", "March, and all the other months that there are."])
    })
}

fn values(probe: &Value, model: usize) -> Vec<(String, String)> {
    let features = probe["models"][model]["features"].as_object().expect("features");
    let value = |found: &Value| found["value"].as_str().unwrap_or_default().to_owned();
    features.iter().map(|(name, found)| (name.clone(), value(found))).collect()
}

fn value(probe: &Value, feature: &str) -> String {
    values(probe, 0).into_iter().find(|(name, _)| name == feature).expect(feature).1
}

#[test]
fn the_demo_models_have_what_their_list_says_and_nothing_else() {
    let home = Home::new();
    let run = home.llm(["probe", "-g", "demo", "-m", "demo/quick,demo/steady,demo/thinker,demo/flaky", "-o", "json"]);
    let probe = run.output().exits(0).json();
    let list = home.llm(["models", "-g", "demo", "-o", "json"]).output().exits(0).json();
    // By feature, the parameter in the list that stands for it.
    let listed = [
        ("stream", "stream"),
        ("system", "system"),
        ("stop", "stop"),
        ("seed", "seed"),
        ("max_tokens", "max_tokens"),
        ("tools", "tools"),
        ("parallel_tools", "parallel_tool_calls"),
        ("json_schema", "response_format"),
        ("logprobs", "logprobs"),
        ("reasoning", "reasoning"),
    ];
    for (place, model) in probe["models"].as_array().expect("models").iter().enumerate() {
        let name = &model["model"];
        let entry = list["models"].as_array().expect("a list").iter().find(|entry| entry["id"] == *name);
        let parameters = entry.expect("listed")["parameters"].to_string();
        let found = values(&probe, place);
        for (feature, parameter) in listed {
            let has = parameters.contains(&format!("\"{parameter}\""));
            let expected = match feature {
                // Without a seed, the demo models always give the same answer.
                "seed" if !has => "unknown",
                _ if has => "yes",
                _ => "no",
            };
            assert!(found.contains(&(feature.to_owned(), expected.to_owned())), "{name} {feature}: {found:?}");
        }
        let cost = if name == "demo/quick" || name == "demo/thinker" { "yes" } else { "no" };
        for (feature, expected) in [("image", "no"), ("pdf", "no"), ("usage", "yes"), ("cost", cost)] {
            assert!(found.contains(&(feature.to_owned(), expected.to_owned())), "{name} {feature}: {found:?}");
        }
    }
}

#[test]
fn the_context_is_found_by_long_prompts() {
    let run = Home::new().llm(["probe", "-g", "demo", "-m", "demo/steady", "--only", "stop", "--deep", "-o", "json"]);
    let probe = run.output().exits(0).json();
    assert_eq!(value(&probe, "context"), "yes");
    let accepted = probe["models"][0]["context_accepted"].as_u64().expect("a count");
    assert!((7_400..=8_192).contains(&accepted), "{accepted}");
    assert_eq!(values(&probe, 0).len(), 2, "{probe}");
}

#[test]
fn a_model_that_is_down_is_unknown_and_asked_one_thing_alone() {
    let gateway = Gateway::always(Reply::error(401, "no such key"));
    let outcome = Home::with(&gateway).llm(["probe", "-m", "m", "-o", "json"]).output();
    let probe = outcome.exits(4).json();
    assert_eq!(gateway.requests().len(), 1);
    assert!(values(&probe, 0).iter().all(|(_, value)| value == "unknown"), "{probe}");
    Home::new().llm(["probe", "-g", "demo", "-m", "demo/down", "--retries", "0"]).output().exits(6);
}

#[test]
fn refusals_are_no_and_failures_are_unknown() {
    let gateway = gateway();
    let probe = Home::with(&gateway).llm(["probe", "-m", "m", "--retries", "0", "-o", "json"]).output().exits(0).json();
    for (feature, expected) in [
        ("stream", "yes"),
        ("system", "yes"),
        ("stop", "yes"),
        ("seed", "no"),
        ("tools", "no"),
        ("json_schema", "no"),
        ("image", "no"),
        ("pdf", "yes"),
        ("logprobs", "unknown"),
        ("usage", "yes"),
        ("cost", "no"),
    ] {
        assert_eq!(value(&probe, feature), expected, "{feature}: {probe:#}");
    }
    let features = &probe["models"][0]["features"];
    assert_eq!(features["image"]["received"], "400 this model takes no images");
    assert_eq!(features["logprobs"]["received"], "500 the backend fell over");
}

#[test]
fn a_refusal_that_passes_is_no_refusal() {
    // Of the requests with a stop text, the first is refused. Images are refused each time.
    let stops = std::sync::atomic::AtomicUsize::new(0);
    let gateway = Gateway::by(move |request| {
        let body = request.json();
        let is_image = body["messages"].to_string().contains("image_url");
        let is_first = !body["stop"].is_null() && stops.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        match (is_image, is_first) {
            (false, false) => Reply::stream(&["alpha bravo charlie ", "delta "]),
            _ => Reply::error(400, "Error processing stream start"),
        }
    });
    let run = Home::with(&gateway).llm(["probe", "-m", "m", "--only", "stop,image", "-o", "json"]).output();
    let probe = run.exits(0).json();
    assert_eq!((value(&probe, "stop"), value(&probe, "image")), ("yes".to_owned(), "no".to_owned()), "{probe:#}");
    assert_eq!(gateway.requests().len(), 5, "one plain, and two of each kind");
}

#[test]
fn findings_are_kept_and_used_by_lists_and_routing() {
    let list = json!({"object": "list", "data": [
        {"id": "m", "supported_parameters": ["stop", "tools"]}, {"id": "other", "supported_parameters": ["tools"]},
    ]});
    let gateway = Gateway::by(move |request: &Request| {
        if request.path.ends_with("/models") {
            return Reply::json(200, &list);
        }
        let body = request.json();
        if body["messages"].to_string().contains("image_url") && request.model() == "m" {
            return Reply::error(400, "this model takes no images");
        }
        if request.prompt().contains("alpha") {
            return Reply::stream(&["alpha bravo charlie ", "delta "]);
        }
        Reply::stream(&["Pelican. I am ", &request.model()])
    });
    let home = Home::with(&gateway);
    home.llm(["probe", "-m", "m", "--only", "stop,image,tools"]).output().exits(0);

    let listed = home.llm(["models", "--supports", "stop"]).output();
    assert!(listed.exits(0).stdout().contains(" m "), "{listed}");
    let listed = home.llm(["models", "--supports", "tools"]).output();
    assert!(!listed.exits(0).stdout().contains(" m "), "the list says tools, the probe found none\n{listed}");
    assert!(listed.stdout().contains(" other "), "{listed}");
    let shown = home.llm(["models", "show", "m"]).output();
    assert!(shown.exits(0).stdout().contains("has stop; lacks tools image"), "{shown}");
    let shown = home.llm(["models", "show", "m", "-o", "json"]).output().exits(0).json();
    assert_eq!(shown["probed"]["features"]["stop"]["value"], "yes", "{shown}");

    let image = "https://example.com/cat.png";
    let ask = home.llm(["ask", "-m", "m", "--fallback", "other", "-f", image, "-o", "json", "hi"]).output();
    assert_eq!(ask.exits(0).json()["text"], "Pelican. I am other", "{ask}");
    ask.says("m is not asked: llm probe found on");
    let ask = home.llm(["ask", "-m", "m", "-f", image, "hi"]).output();
    ask.exits(1).says("m is asked, although llm probe found on");
    let ask = home.llm(["ask", "-m", "m", "--fallback", "other", "-o", "json", "hi"]).output();
    assert_eq!(ask.exits(0).json()["text"], "Pelican. I am m", "what the request does not need does not matter");
}

// L17
#[cfg(unix)]
#[test]
fn findings_that_others_could_have_changed_are_told_where_models_are_listed() {
    use std::os::unix::fs::PermissionsExt as _;
    let list = json!({"object": "list", "data": [{"id": "m"}]});
    let gateway = Gateway::by(move |request| match request.path.ends_with("/models") {
        true => Reply::json(200, &list),
        false => Reply::stream(&["Pelican."]),
    });
    let home = Home::with(&gateway);
    home.llm(["probe", "-m", "m", "--only", "stop"]).output().exits(0);
    let kept = home.files().into_iter().find(|path| path.to_string_lossy().contains("/probes/")).expect("findings");
    std::fs::set_permissions(kept, std::fs::Permissions::from_mode(0o666)).expect("ours");
    for command in [&["models"][..], &["models", "-o", "json"], &["models", "show", "m"]] {
        home.llm(command)
            .output()
            .exits(0)
            .says("what `llm probe` found about")
            .says("can be written to by every user");
    }
}

#[test]
fn what_is_said_of_models_that_lack_something_is_true_for_each_call() {
    let gateway = Gateway::by(move |request: &Request| match (request.model().as_str(), request.prompt()) {
        ("bad", _) => Reply::error(500, "oops"),
        (_, prompt) if prompt.contains("please answer") => Reply::stream(&["Pelican."]),
        _ if request.json()["messages"].to_string().contains("image_url") => {
            Reply::error(400, "this model takes no images")
        }
        _ => Reply::stream(&["Pelican."]),
    });
    let home = Home::with(&gateway);
    home.llm(["probe", "-m", "blind,dark", "--only", "image"]).output();
    let image = "https://example.com/cat.png";
    let compare = |models: &str| {
        let arguments = ["compare", "-m", models, "--fallback", "dark", "--retries", "0", "-f", image, "please answer"];
        home.llm(arguments).output()
    };
    let asked = gateway.requests().len();
    let outcome = compare("bad,blind");
    outcome.exits(8).says("dark is not asked after bad: llm probe found on");
    outcome.says("blind is asked, although llm probe found on").never_says("dark is asked");
    let models: Vec<String> = gateway.requests()[asked..].iter().map(Request::model).collect();
    assert!(models.len() == 2 && !models.contains(&"dark".to_owned()), "{models:?}");
}

#[test]
fn the_cost_is_said_first_and_a_limit_is_kept() {
    let gateway = gateway();
    let home = Home::with(&gateway).config("[price.m]\ninput = 1\noutput = 10\n");
    let outcome = home.llm(["probe", "-m", "m", "--max-cost", "0.0001"]).output();
    outcome.exits(5).says("expected to cost");
    assert!(gateway.requests().is_empty());
    let outcome = home.llm(["probe", "-m", "m", "--retries", "0", "--max-cost", "5", "--only", "stop"]).output();
    outcome.exits(0).says("2 requests: about $0.00");
    assert_eq!(gateway.requests().len(), 2);
    home.llm(["probe", "-m", "unpriced", "--max-cost", "5", "--only", "stop"]).output().exits(5);
    let dry = home.llm(["probe", "-m", "m", "--dry-run"]).output();
    assert!(dry.exits(0).stdout().contains("POST "), "{dry}");
    assert_eq!(gateway.requests().len(), 2, "nothing was sent");
    // Half a price is none.
    let home = Home::with(&gateway).config("[price.m]\ninput = 1\n");
    home.llm(["probe", "-m", "m", "--only", "stop"]).output().exits(0).says("2 requests of unknown price");
}

#[test]
fn every_format_has_every_finding() {
    let home = Home::new();
    let probe = |format: &str| {
        let models = "demo/quick,demo/steady";
        home.llm(["probe", "-g", "demo", "-m", models, "--only", "stop,seed,cost", "-o", format]).output()
    };
    let csv = probe("csv");
    assert_eq!(csv.exits(0).stdout().lines().next(), Some("gateway,model,feature,value,sent,received"));
    assert_eq!(csv.stdout().lines().count(), 7, "{csv}");
    let markdown = probe("markdown");
    assert!(markdown.exits(0).stdout().contains("| demo/quick | no | – | yes |"), "{markdown}");
    let text = probe("text");
    let shown = text.exits(0).stdout();
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["demo/steady", "yes", "yes", "no"]), "{text}");
    home.llm(["probe", "-g", "demo", "--only", "stopp"]).output().exits(2).says("did you mean stop?");
    home.llm(["probe", "-g", "demo", "--only", "context"]).output().exits(2).says("--deep");
}
