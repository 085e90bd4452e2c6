//! The imports of the sources are those of `docs/architecture.md`, and there is no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Imports = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines `module → module, module` of the page.
fn documented() -> Imports {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("the page");
    let (_, rest) = page.split_once("```imports\n").expect("the block of imports");
    let (block, _) = rest.split_once("```").expect("its end");
    let line = |line: &str| {
        let (module, imports) = line.split_once(" → ").expect("an arrow");
        (module.to_owned(), imports.split(", ").map(str::to_owned).collect())
    };
    block.lines().map(line).collect()
}

/// What each module imports, tests aside.
fn found() -> Imports {
    let mut found = Imports::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
            if entry.is_dir() {
                directories.push(entry);
            } else if name.ends_with(".rs") && !name.contains("test") && name != "samples.rs" {
                let below = entry.strip_prefix(root().join("src")).expect("below src");
                let module = below.iter().next().expect("a module").to_string_lossy().replace(".rs", "");
                let mut imports = imports(&fs::read_to_string(&entry).expect("a source"));
                imports.remove(&module);
                found.entry(module).or_default().extend(imports);
            }
        }
    }
    found.retain(|_, imports| !imports.is_empty());
    found
}

/// The modules after `crate::` in this source, without its inline tests and comments.
fn imports(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
    };
    let mut imports = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            // `use crate::{a, b::C};`
            Some(list) => imports.extend(list.split('}').next().unwrap_or_default().split(',').map(name)),
            None => _ = imports.insert(name(after)),
        }
    }
    imports.remove("");
    imports
}

#[test]
fn the_page_lists_what_modules_import() {
    let (documented, found) = (documented(), found());
    for module in documented.keys().chain(found.keys()) {
        assert_eq!(
            documented.get(module),
            found.get(module),
            "{module}: left is docs/architecture.md, right the sources"
        );
    }
}

#[test]
fn no_module_imports_itself_through_others() {
    let mut left = found();
    // A module is taken away when everything that it imports is; what is left at the end is a circle.
    loop {
        let modules: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, imports| imports.iter().any(|import| modules.contains(import)));
        if left.len() == before {
            break;
        }
    }
    assert_eq!(left, Imports::new());
}

#[test]
fn imports_are_found_however_they_are_written() {
    let source = "use crate::a;\nuse crate::{b, c::{D, E}};\n// crate::no\nlet x = crate::f::g();\n#[cfg(test)]\nmod tests { use crate::no; }";
    assert_eq!(imports(source), ["a", "b", "c", "f"].map(str::to_owned).into());
}
