//! `docs/promises.md` and the tests agree: every promise stands there once, and every test that it names exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every letter of the list, and how many promises it has.
const NUMBERS: [(char, usize); 8] =
    [('K', 23), ('S', 22), ('T', 21), ('H', 44), ('P', 20), ('L', 34), ('V', 11), ('B', 8)];

/// What a row says that has no test.
const REASONS: [&str; 4] = ["No test yet", "Not built yet", "Not a test: ", "Does not apply"];

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the document: number, promise, and what holds it.
fn rows(document: &str) -> Vec<[&str; 3]> {
    let row = |line| -> Option<[&str; 3]> {
        let cells: Vec<_> = str::strip_prefix(line, "| ")?.strip_suffix(" |")?.split(" | ").collect();
        cells.try_into().ok()
    };
    document.lines().filter_map(row).collect()
}

/// The tests that a cell names.
fn tests(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|name| name.rsplit_once("::"))
}

/// The files in which the tests of this module can be.
fn files(module: &str) -> Vec<PathBuf> {
    let below = module.replace("::", "/");
    let names = match module.strip_prefix("real/") {
        Some(_) => vec![format!("tests/{module}")],
        None => vec![
            format!("tests/{below}.rs"),
            format!("src/{below}.rs"),
            format!("src/{below}/mod.rs"),
            format!("src/{below}/tests.rs"),
        ],
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    names.into_iter().map(|name| root.join(name)).filter(|path| path.exists()).collect()
}

/// Whether the source has a test of this name.
fn has_test(source: &str, function: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim_start).collect();
    let begins =
        |line: &&str| [format!("fn {function}("), format!("async fn {function}(")].iter().any(|f| line.starts_with(f));
    lines.iter().enumerate().filter(|(_, line)| begins(line)).any(|(at, _)| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    }) || lines.iter().any(|line| line.starts_with(&format!("def {function}(")))
}

#[test]
fn every_promise_stands_in_the_list_once() {
    let document = read("docs/promises.md");
    let listed: Vec<_> = rows(&document).iter().map(|[number, ..]| (*number).to_owned()).collect();
    let expected = NUMBERS.iter().flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}{n:02}")));
    assert_eq!(listed, expected.collect::<Vec<_>>());
}

#[test]
fn every_test_that_a_promise_names_exists() {
    let document = read("docs/promises.md");
    for [number, promise, held_by] in rows(&document) {
        assert!(promise.ends_with('.'), "{number} is no sentence: {promise}");
        for (module, function) in tests(held_by) {
            let files = files(module);
            assert!(!files.is_empty(), "{number} names the module {module}, which does not exist");
            let found = files.iter().any(|path| has_test(&read(path), function));
            assert!(found, "{number} names {module}::{function}, which is no test");
        }
        let explained = REASONS.iter().any(|reason| held_by.contains(reason));
        assert!(explained || tests(held_by).next().is_some(), "{number} has neither a test nor a reason");
    }
}

/// A comment such as `// H12` above a test says that the test holds the promise, so the list must name the test there.
#[test]
fn every_test_with_a_number_is_in_the_list() {
    let document = read("docs/promises.md");
    let listed: BTreeSet<_> = rows(&document)
        .iter()
        .flat_map(|[number, _, cell]| tests(cell).map(move |(_, test)| format!("{number} {test}")))
        .collect();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        let source = read(&path);
        let mut numbers: Vec<&str> = Vec::new();
        for line in source.lines() {
            if let Some(comment) = line.strip_prefix("// ") {
                numbers.extend(comment.split([',', ' ', ';']).filter(|word| is_number(word)));
            } else if let Some(function) = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')) {
                for number in numbers.drain(..) {
                    let wanted = format!("{number} {}", function.0);
                    assert!(listed.contains(&wanted), "docs/promises.md lacks {wanted}, of {}", path.display());
                }
            }
        }
    }
}

fn is_number(word: &str) -> bool {
    let mut letters = word.chars();
    let known = letters.next().is_some_and(|first| NUMBERS.iter().any(|(letter, _)| *letter == first));
    known && word.len() == 3 && letters.all(|digit| digit.is_ascii_digit())
}

// B03
#[test]
fn no_code_turns_off_the_lint_on_unsafe_code() {
    assert!(read("Cargo.toml").contains("unsafe_code = \"deny\""));
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                assert!(!read(&path).contains("allow(unsafe_code"), "{}", path.display());
            }
        }
    }
}
