//! The fuzz targets without a fuzzer: fixtures, damaged at random but the same at every run.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use onekey::adapter::Api;

#[path = "../fuzz/src/lib.rs"]
pub mod laws;

/// What damaged JSON and damaged frames are made of.
const PIECES: [&[u8]; 38] = [
    b"null",
    b"{}",
    b"[]",
    b"\"\"",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"true",
    b"\"type\":",
    b"\"error\":{",
    b"data: ",
    b"\n\n",
    b"\r",
    b":",
    b"event: error\n",
    b"[DONE]",
    b"\"index\":",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"{\"",
    b"\xEF\xBB\xBF",
    b"\x1b]0;",
    "\u{202e}\u{9b}".as_bytes(),
    b"`````",
    b"\n[[budget]]\n",
    b"\n[gateway.corp]\n",
    b" = ",
    b"inf",
    b"9999999999999999999d",
    b"../",
    b"http://u:p@h/?#",
    b"{{ input }}",
    b"{% for i in range(99) %}",
    b"{% endfor %}{% set x %}",
    b" | indent(99999999)",
    b" | format(input)",
    b"#}",
];

/// A law, and what is damaged to hold it against.
type Law = (fn(&[u8]), Vec<Vec<u8>>);

/// A good request of each of [`laws::REQUESTS`].
pub fn requests() -> Vec<Vec<u8>> {
    let (_, seeds) = other_laws().swap_remove(0);
    seeds.into_iter().map(|seed| seed[1..].to_vec()).collect()
}

/// The laws of all but the wire formats of answers.
fn other_laws() -> Vec<Law> {
    let file = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let requests = ["openai_chat", "openai_responses", "anthropic", "gemini"].map(|name| format!("{name}.json"));
    let requests = requests.iter().zip(0..).map(|(name, format)| [vec![format], file(name)].concat());
    let lines = |name| file(name).split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    vec![
        (laws::any_request, requests.collect()),
        (laws::config, vec![file("config.toml")]),
        (laws::template, lines("templates")),
        (laws::shown, lines("texts")),
    ]
}

#[test]
fn what_is_not_damaged_is_read() {
    for (law, seeds) in other_laws() {
        seeds.iter().for_each(|seed| law(seed));
    }
    let config =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/config.toml")).expect("text");
    let env = onekey::config::Env::from_pairs([("LLM_DATA_DIR", laws::NOWHERE)]);
    let settings = onekey::config::Settings::from_text(env, Path::new("config.toml"), &config).expect("a good config");
    assert!(!settings.pipelines.is_empty() && !settings.budgets.is_empty(), "a good seed has some of everything");
    for ((api, path), body) in laws::REQUESTS.into_iter().zip(requests()) {
        assert!(api.adapter().decode_request(path, &body).is_ok(), "{api:?}");
    }
    // Google's own libraries name the model in the body as well.
    for model in ["m", "models/m"] {
        let body = format!(r#"{{"model":"{model}","contents":[{{"role":"user","parts":[{{"text":"hi"}}]}}]}}"#);
        laws::request(onekey::adapter::Api::Gemini, "models/m:generateContent", body.as_bytes());
    }
}

/// The fuzz targets are a workspace of their own, which nothing else builds.
#[test]
fn the_fuzz_targets_are_locked_to_the_dependencies_of_the_package() {
    let read = |name: &str| -> toml::Table {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name);
        text.parse().expect(name)
    };
    let manifest = read("Cargo.toml");
    let targets = manifest["target"].as_table().expect("a table").values();
    let tables = targets.filter_map(|target| target.get("dependencies")).chain([&manifest["dependencies"]]);
    let names: BTreeSet<&str> =
        tables.flat_map(|table| table.as_table().expect("a table").keys()).map(String::as_str).collect();
    let lock = read("fuzz/Cargo.lock");
    let mut packages = lock["package"].as_array().expect("a list").iter();
    let ours = packages.find(|package| package["name"].as_str() == Some("onekey")).expect("our package");
    let locked =
        ours["dependencies"].as_array().expect("a list").iter().filter_map(|name| name.as_str()?.split(' ').next());
    assert_eq!(
        locked.collect::<BTreeSet<_>>(),
        names,
        "`cargo fetch --manifest-path fuzz/Cargo.toml` updates the lock file"
    );
}

/// The answers of the fixtures, by wire format.
fn seeds() -> Vec<(Api, Vec<u8>)> {
    let mut seeds = Vec::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for (api, folder) in [
        (Api::OpenaiChat, "openai-chat"),
        (Api::OpenaiResponses, "openai-responses"),
        (Api::Anthropic, "anthropic"),
        (Api::Gemini, "gemini"),
    ] {
        let cases = fs::read_dir(fixtures.join(folder)).expect("a folder of fixtures");
        let mut cases: Vec<PathBuf> = cases.map(|case| case.expect("a fixture").path()).collect();
        cases.sort();
        for case in cases {
            let answer = fs::read(case.join("answer.sse")).or_else(|_| fs::read(case.join("answer.json")));
            seeds.push((api, answer.expect("an answer")));
        }
    }
    seeds
}

/// Some of it is missing, doubled, replaced, or somebody else's.
pub fn damage(random: &mut fastrand::Rng, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(bytes.len().min(1)..=bytes.len());
        let end = (at + random.usize(0..40)).min(bytes.len());
        match random.u8(0..5) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let doubled = bytes[at..end].to_vec();
                bytes.splice(at..at, doubled);
            }
            2 => {
                let piece = PIECES[random.usize(..PIECES.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
            3 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            _ => {
                let from = random.usize(..=other.len());
                let to = (from + random.usize(0..200)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
    bytes
}

/// Holds the laws over damaged fixtures for so many rounds, or for so long.
fn hold(rounds: usize, limit: Duration, seed: u64) {
    let seeds = seeds();
    let others = other_laws();
    let mut random = fastrand::Rng::with_seed(seed);
    let until = Instant::now() + limit;
    for _ in 0..rounds {
        for (api, seed) in &seeds {
            let (_, other) = &seeds[random.usize(..seeds.len())];
            let input = [&[random.u8(..)][..], &damage(&mut random, seed, other)].concat();
            laws::api(*api, &input);
            laws::sse(&input);
            laws::error(&input);
        }
        for (law, seeds) in &others {
            for _ in 0..10 {
                let [seed, other] = [(); 2].map(|()| &seeds[random.usize(..seeds.len())]);
                law(&damage(&mut random, seed, other));
            }
        }
        if Instant::now() > until {
            return;
        }
    }
}

#[test]
fn damaged_answers_break_nothing() {
    hold(20, Duration::from_secs(3600), 1);
}

/// As long as `FUZZ_SECONDS` says, two minutes else; another seed each time.
#[test]
#[ignore = "takes minutes; run it with --ignored"]
fn damaged_answers_break_nothing_for_long() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(120);
    let seed = fastrand::u64(..);
    writeln!(std::io::stderr(), "seed {seed}").expect("stderr");
    hold(usize::MAX, Duration::from_secs(seconds), seed);
}
