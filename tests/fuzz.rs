//! The fuzz targets without a fuzzer: fixtures, damaged at random but the same at every run.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use onekey::adapter::Api;

#[path = "../fuzz/src/lib.rs"]
mod laws;

/// What damaged JSON and damaged frames are made of.
const PIECES: [&[u8]; 22] = [
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
];

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
fn damage(random: &mut fastrand::Rng, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = vec![random.u8(..)];
    bytes.extend_from_slice(seed);
    for _ in 0..random.usize(1..6) {
        let at = random.usize(1..=bytes.len());
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
    let mut random = fastrand::Rng::with_seed(seed);
    let until = Instant::now() + limit;
    for _ in 0..rounds {
        for (api, seed) in &seeds {
            let (_, other) = &seeds[random.usize(..seeds.len())];
            let input = damage(&mut random, seed, other);
            laws::api(*api, &input);
            laws::sse(&input);
            laws::error(&input);
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
