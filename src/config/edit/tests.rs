use super::*;

/// A config file with this text, and the edit of it.
struct Fixture {
    home: tempfile::TempDir,
    env: Env,
}

impl Fixture {
    fn new(text: &str) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("c.toml");
        std::fs::write(&path, text).expect("written");
        let env = Env::from_pairs([("LLM_CONFIG", path.to_str().expect("text"))]);
        Self { home, env }
    }

    fn edit(&self) -> ConfigEdit {
        ConfigEdit::open(&self.env).expect("a file that makes sense")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.home.path().join("c.toml")).expect("the file")
    }
}

fn key(key: &str) -> Vec<String> {
    parse_key(key).expect(key)
}

fn after(text: &str, change: impl FnOnce(&mut ConfigEdit)) -> String {
    let fixture = Fixture::new(text);
    let mut edit = fixture.edit();
    change(&mut edit);
    edit.settings(&fixture.env).expect("still makes sense");
    edit.save().expect("written");
    fixture.text()
}

fn set(text: &str, name: &str, value: &str) -> String {
    after(text, |edit| edit.set(&key(name), value.parse().expect("a value")).expect("set"))
}

#[test]
fn a_value_is_replaced_and_everything_else_stays() {
    let text = "# mine\nmodel = \"a\"   # why\nlog = \"off\"\n\n[set]\n# best\nx = [\n  \"a\", # one\n]\n# end\n";
    assert_eq!(set(text, "model", "\"b\""), text.replace("\"a\"   #", "\"b\"   #"));
    assert_eq!(set(text, "set.y", "[\"c\"]"), text.replace("]\n# end", "]\ny = [\"c\"]\n# end"));
}

#[test]
fn a_new_value_stands_below_the_comment_that_shows_it() {
    let text = "# Settings.\n\n# default_gateway = \"x\"\n# model = \"m\"   # the model\n# log = \"full\"\n\n# [set]\n# model = 1\n";
    let expected = text.replace("the model\n", "the model\nmodel = \"b\"\n");
    assert_eq!(set(text, "model", "\"b\""), expected);
    assert_eq!(set("# Nothing\n", "model", "\"b\""), "# Nothing\nmodel = \"b\"\n");
    assert_eq!(set("", "model", "\"b\""), "model = \"b\"\n");
    assert_eq!(
        set("log = \"off\"\n[set]\na = [\"b\"]\n", "model", "\"b\""),
        "log = \"off\"\nmodel = \"b\"\n[set]\na = [\"b\"]\n"
    );
}

#[test]
fn a_new_table_stands_at_the_end() {
    let text = "model = \"a\"\n\n[set]\nx = [\"a\"]\n# end\n";
    assert_eq!(set(text, "alias.fast.models", "[\"a\"]"), format!("{text}\n[alias.fast]\nmodels = [\"a\"]\n"));
    let text = "[alias.a]\nmodels = [\"m\"]\n\n[set]\nx = [\"a\"]\n";
    let with = set(text, "alias.b.models", "[\"m\"]");
    assert!(with.contains("[alias.b]\nmodels = [\"m\"]\n") && with.contains("[set]\nx"), "{with}");
    assert_eq!(set("", "task.coding", "\"m\""), "[task]\ncoding = \"m\"\n");
}

#[test]
fn quoted_parts_and_inline_tables_can_be_set_too() {
    assert_eq!(set("", "price.\"a/b.c\".input", "1.5"), "[price.\"a/b.c\"]\ninput = 1.5\n");
    let text = "[gateway.openai]\ntimeouts = { total = \"5s\" } # short\n";
    assert_eq!(set(text, "gateway.openai.timeouts.total", "\"9s\""), text.replace("5s", "9s"));
    assert_eq!(set("gateway = \"demo\"\n", "gateway", "\"openai\""), "default_gateway = \"openai\"\n");
    let fixture = Fixture::new("model = \"a\"\n");
    assert!(fixture.edit().set(&key("model.x"), 1.into()).is_err());
    assert!(parse_key("a b").is_err() && parse_key("").is_err());
}

#[test]
fn a_table_can_be_taken_out_and_put_back() {
    let text = "[template.a]\nprompt = \"x\" # short\n\n# about b\n[template.b]\nprompt = \"y\"\n[template.b.params]\ntop_k = 1\n\n[template.c]\nprompt = \"z\"\n";
    let fixture = Fixture::new(text);
    let taken = fixture.edit().table(&key("template.b")).expect("the table");
    assert_eq!(taken, "# about b\n[template.b]\nprompt = \"y\"\n[template.b.params]\ntop_k = 1\n");
    let mut edit = fixture.edit();
    let changed: DocumentMut = taken.replace("\"y\"", "\"new\"").parse().expect("TOML");
    let table = changed["template"]["b"].as_table().expect("a table").clone();
    edit.set_table(&key("template.b"), table).expect("set");
    edit.save().expect("written");
    let new = fixture.text();
    assert!(
        new.contains("[template.b]\nprompt = \"new\"") && new.contains("# short") && new.contains("# about b"),
        "{new}"
    );
    let order: Vec<_> =
        ["template.a", "template.b]", "b.params", "template.c"].iter().map(|part| new.find(part)).collect();
    assert!(order.is_sorted() && order[0].is_some(), "{new}");
    assert!(edit.table(&key("template.none")).is_none());
}

#[test]
fn what_is_removed_takes_empty_tables_with_it() {
    let text = "model = \"a\"\n\n[alias.b]\nmodels = [\"m\"]\n";
    assert_eq!(after(text, |edit| assert!(edit.remove(&key("alias.b")))), "model = \"a\"\n");
    let fixture = Fixture::new(text);
    assert!(!fixture.edit().remove(&key("alias.c")) && !fixture.edit().remove(&key("model.x")));
}

#[test]
fn comments_that_speak_of_others_stay_when_something_is_removed() {
    let removed = |text: &str, name: &str| after(text, |edit| assert!(edit.remove(&key(name)), "{name}"));
    let text = "# all\n\n# of a\n[alias.a]\nmodels = [\"m\"]\n\n# of b\n[alias.b]\nmodels = [\"m\"]\n";
    assert_eq!(removed(text, "alias.a"), "# all\n\n# of b\n[alias.b]\nmodels = [\"m\"]\n");
    assert_eq!(removed("# all\n\n[alias.a]\nmodels = [\"m\"]\n", "alias.a"), "# all\n");
    assert_eq!(
        removed("# all\n\n# of it\nmodel = \"m\"\n\n[set]\nx = [\"a\"]\n", "model"),
        "# all\n\n[set]\nx = [\"a\"]\n"
    );
    assert_eq!(
        removed("# all\n\nmodel = \"m\"\nlog = \"off\"\n[set]\nx = [\"a\"]\n", "model"),
        "# all\n\nlog = \"off\"\n[set]\nx = [\"a\"]\n"
    );
    assert_eq!(
        removed("# all\n\n# of it\nmodel = \"m\"\n\n# of log\nlog = \"off\"\n", "model"),
        "# all\n\n# of log\nlog = \"off\"\n"
    );
    assert_eq!(
        removed("[set]\n# of x\nx = [\"a\"] # too\ny = [\"b\"] # of y\n", "set.x"),
        "[set]\ny = [\"b\"] # of y\n"
    );
}

#[test]
fn a_file_that_was_changed_meanwhile_is_not_overwritten() {
    let fixture = Fixture::new("model = \"a\"\n");
    let mut edit = fixture.edit();
    edit.set(&key("model"), "b".into()).expect("set");
    std::fs::write(fixture.home.path().join("c.toml"), "log = \"off\"\n").expect("written");
    assert_eq!(edit.save().expect_err("changed").exit_code(), 3);
    assert_eq!(fixture.text(), "log = \"off\"\n");
}

#[test]
fn line_ends_stay_as_they_were() {
    assert_eq!(set("model = \"a\"\r\nlog = \"off\"\r\n", "model", "\"b\""), "model = \"b\"\r\nlog = \"off\"\r\n");
}

#[cfg(unix)]
#[test]
fn mode_and_link_stay_as_they_were_and_a_new_file_is_private() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let fixture = Fixture::new("model = \"a\"\n");
    let path = fixture.home.path().join("c.toml");
    let real = fixture.home.path().join("real.toml");
    fs::rename(&path, &real).expect("moved");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("ours");
    symlink("real.toml", &path).expect("a link");
    let mut edit = fixture.edit();
    edit.set(&key("model"), "b".into()).expect("set");
    edit.save().expect("written");
    assert!(path.is_symlink() && mode(&real) == 0o640);
    assert_eq!(fs::read_to_string(&real).expect("there"), "model = \"b\"\n");
    fs::remove_file(&path).expect("removed");
    let mut edit = ConfigEdit::open(&fixture.env).expect("none yet");
    edit.set(&key("model"), "b".into()).expect("set");
    edit.save().expect("written");
    assert_eq!((mode(&path), fixture.text().as_str()), (0o600, "model = \"b\"\n"));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_written_anew_keeps_its_mode_and_its_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let fixture = Fixture::new("model = \"a\"\n");
    let path = fixture.home.path().join("c.toml");
    let real = fixture.home.path().join("real.toml");
    fs::rename(&path, &real).expect("moved");
    symlink("real.toml", &path).expect("a link");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("ours");
    assert_eq!(write_config(&path, "x", false).expect_err("there is one").exit_code(), 74);
    assert_eq!(fixture.text(), "model = \"a\"\n");
    write_config(&path, "log = \"off\"\n", true).expect("written");
    assert!(path.is_symlink() && mode(&real) == 0o640);
    assert_eq!(fixture.text(), "log = \"off\"\n");
    // Where the link leads to nothing, the file is made there, for this user alone.
    fs::remove_file(&real).expect("removed");
    write_config(&path, "y", true).expect("written");
    assert!(path.is_symlink() && mode(&real) == 0o600);
}

#[test]
fn only_a_file_gives_way_to_a_config() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("c.toml");
    fs::create_dir(&path).expect("made");
    let error = write_config(&path, "x", true).expect_err("a directory");
    assert_eq!(error.cause().as_deref(), Some("it is not a file"));
    assert_eq!(fs::read_dir(home.path()).expect("there").count(), 1, "nothing is left over");
}
