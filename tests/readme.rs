//! The README tells the truth: its commands on the demo gateway do what they promise.

use crate::support::Home;

const README: &str = include_str!("../README.md");

/// The lines of the `sh` blocks, as a reader would paste them.
fn commands() -> Vec<&'static str> {
    let blocks = README.split("```sh\n").skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines()).collect()
}

#[test]
fn every_command_on_the_demo_gateway_works() {
    let home = Home::new();
    let demo: Vec<&str> =
        commands().into_iter().filter(|line| line.starts_with("llm ") && line.contains("demo")).collect();
    assert!(demo.len() >= 4, "the README shows the demo gateway: {demo:?}");
    for line in demo {
        home.shell(&format!("llm() {{ \"$llm\" \"$@\"; }}\n{line}")).output().exits(0);
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
