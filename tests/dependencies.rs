//! What `llm` is built from, as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The most crates that may be in the program, on the system that runs the tests. About twenty of them are of PostgreSQL.
const MOST_CRATES: usize = 335;

/// The packages by id, and the ids on which each depends when the program runs or is built.
fn metadata() -> (BTreeMap<String, Value>, BTreeMap<String, BTreeSet<String>>, String) {
    let compiler = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let compiler = String::from_utf8(compiler.stdout).expect("text");
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).expect("the host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let packages = list(&metadata["packages"]).into_iter().map(|package| (id(&package["id"]), package));
    let nodes = list(&metadata["resolve"]["nodes"]).into_iter().map(|node| {
        let is_needed = |dependency: &Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
        let needed = list(&node["deps"]).into_iter().filter(is_needed).map(|dependency| id(&dependency["pkg"]));
        (id(&node["id"]), needed.collect())
    });
    (packages.collect(), nodes.collect(), id(&metadata["resolve"]["root"]))
}

/// All that this package needs, itself included.
fn needed() -> Vec<Value> {
    let (mut packages, dependencies, root) = metadata();
    let mut needed = BTreeSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if needed.insert(id.clone()) {
            open.extend(dependencies[&id].iter().cloned());
        }
    }
    needed.iter().map(|id| packages.remove(id).expect("a package")).collect()
}

fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = text.split('.').map(|number| number.parse().expect("a number")).collect();
    numbers.resize(3, 0);
    numbers
}

// B02
#[test]
fn no_dependency_needs_a_newer_rust_than_the_package_names() {
    let packages = needed();
    let oldest = |package: &Value| package["rust_version"].as_str().map(version);
    let ours = packages.iter().find(|package| package["name"] == env!("CARGO_PKG_NAME")).and_then(oldest);
    let ours = ours.expect("`rust-version` in Cargo.toml");
    for package in &packages {
        let theirs = oldest(package).unwrap_or_default();
        assert!(theirs <= ours, "{} {} needs Rust {theirs:?}", package["name"], package["version"]);
    }
}

// B08
#[test]
fn the_number_of_crates_has_a_limit() {
    let count = needed().len();
    assert!((100..=MOST_CRATES).contains(&count), "{count} crates");
}

// B01
#[test]
fn every_dependency_is_from_the_registry_and_names_its_licence() {
    for package in needed().iter().filter(|package| package["name"] != env!("CARGO_PKG_NAME")) {
        let name = &package["name"];
        assert_eq!(package["source"], "registry+https://github.com/rust-lang/crates.io-index", "{name}");
        assert!(package["license"].as_str().is_some_and(|licence| !licence.is_empty()), "{name}");
    }
}
