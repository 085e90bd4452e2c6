//! The documents tell the truth: their commands on the demo gateway do what they promise.

use crate::support::{Home, Outcome};

const README: &str = include_str!("../README.md");
const EXIT_CODES: &str = include_str!("../docs/exit-codes.md");

/// The commands on the demo gateway in the `sh` blocks, as a reader would paste them.
fn commands(document: &str) -> Vec<&str> {
    let blocks = document.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    lines.filter(|line| line.starts_with("llm ") && line.contains("demo")).collect()
}

fn paste(line: &str) -> Outcome {
    Home::new().shell(&format!("llm() {{ \"$llm\" \"$@\"; }}\n{line}")).output()
}

#[test]
fn every_command_on_the_demo_gateway_works() {
    let commands = commands(README);
    assert!(commands.len() >= 4, "the README shows the demo gateway: {commands:?}");
    for line in commands {
        paste(line).exits(0);
    }
}

#[test]
fn every_exit_code_that_is_shown_is_true() {
    let commands = commands(EXIT_CODES);
    assert!(commands.len() >= 4, "{commands:?}");
    for line in commands {
        let code = line.rsplit("# ").next().and_then(|code| code.trim().parse().ok());
        paste(line).exits(code.expect("the code in a comment"));
    }
}

#[test]
fn the_documents_it_links_to_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let links: Vec<&str> = README.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).collect();
    assert!(links.len() > 5, "{links:?}");
    for link in links.into_iter().filter(|link| !link.contains("://")) {
        assert!(root.join(link).is_file(), "the README links to {link}, which is not there");
    }
}
