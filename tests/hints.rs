//! What the command says to those who mistype: the flag, the variable, the command that was meant.

use crate::support::Home;

#[test]
fn a_mistyped_command_line_is_told_what_was_meant() {
    let home = Home::new().config("gateway = \"demo\"\n[set]\nfrontier = [\"a\"]\n");
    for (arguments, words) in [
        (&["aks", "hi"][..], "'ask'"),
        (&["ask", "hello", "world"], "quoted"),
        (&["compare", "--set", "x", "hi"], "known sets: frontier"),
        (&["usage", "--by", "tag"], "tag:NAME"),
        (&["log", "purge"], "--all"),
        (&["ask", "--timeout", "5x", "hi"], "--timeout"),
        (&["ask", "-s", "@nope", "hi"], "--system: cannot read nope"),
        (&["ask", "--tag", "x", "hi"], "--tag takes KEY=VALUE"),
        (&["ask", "-n"], "-n leaves stdin alone"),
        (&["ask", "-m", "a,b", "hi"], "llm compare -m a,b"),
        (&["ask", "--out", "/nope/x", "hi"], "No such file or directory"),
    ] {
        let outcome = home.llm(arguments).output();
        outcome.says(words);
        assert!(!outcome.stderr().contains("demo-gateway"), "{outcome}");
        assert_ne!(outcome.status.code(), Some(0), "{outcome}");
    }
    let hidden = home.llm(["demo-gatewa"]).output();
    assert!(!hidden.exits(2).stderr().contains("'demo-gateway'"), "{hidden}");
}

#[test]
fn help_is_a_command_too() {
    let home = Home::new();
    for (long, short) in [(&["help"][..], &["--help"][..]), (&["help", "log", "show"], &["log", "show", "--help"])] {
        let help = home.llm(short).output().exits(0).stdout();
        home.llm(long).output().exits(0).prints(&help);
    }
}

#[test]
fn a_variable_that_makes_no_sense_is_named() {
    Home::new().env("LLM_BASE_URL", "foo").llm(["ask", "hi"]).output().exits(3).says("LLM_BASE_URL: base_url");
    Home::new().env("LLM_DATA_DIR", "rel/dir").llm(["log"]).output().exits(3).says("LLM_DATA_DIR takes an absolute");
}
