//! The dependency tree of the core, held to a list.

use std::collections::BTreeSet;
use std::process::Command;

const LIST: &str = include_str!("data/dependencies.txt");

/// All that is compiled into the core on any target, with what its build scripts use (a `cc` there means C).
fn tree() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            "--package",
            "mimic-core",
        ])
        .args(["--edges", "normal,build", "--target", "all", "--prefix", "none", "--offline", "--locked"])
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("crate names are ASCII");
    let names = lines.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "mimic-core").map(str::to_owned).collect()
}

/// The names in the list, each of which has its reason beside it.
fn allowed() -> BTreeSet<String> {
    let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, reason) = line.split_once(' ').unwrap_or_else(|| panic!("`{line}` has no reason"));
            assert!(!reason.trim().is_empty(), "`{name}` has no reason");
            name.to_owned()
        })
        .collect()
}

#[test]
fn the_core_depends_only_on_crates_that_run_anywhere() {
    let (tree, allowed) = (tree(), allowed());
    let new: Vec<_> = tree.difference(&allowed).collect();
    let gone: Vec<_> = allowed.difference(&tree).collect();
    assert!(
        new.is_empty(),
        "new in the dependency tree of mimic-core: {new:?} (`cargo tree -p mimic-core -e normal,build --target all -i NAME` \
         shows where from). tests/data/dependencies.txt lists what the core may depend on, because it is to run wherever \
         it is embedded, wasm32 included: no async runtime, no sockets, no files, no clock, no C. Add a crate that keeps \
         to that, with its reason; do without any other.",
    );
    assert!(
        gone.is_empty(),
        "no longer in the dependency tree of mimic-core: {gone:?}. Take it out of tests/data/dependencies.txt."
    );
}
