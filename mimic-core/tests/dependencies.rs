//! The dependency tree of the core must match a list.

use std::collections::BTreeSet;
use std::process::Command;

/// All crates compiled into the core on any target, with the dependencies of build scripts (a `cc` there means C).
fn tree(features: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(["--package", "mimic-core"])
        .args(["--edges", "normal,build", "--target", "all", "--prefix", "none", "--offline", "--locked"])
        .args(features)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("crate names are ASCII");
    let names = lines.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "mimic-core").map(str::to_owned).collect()
}

/// The names in the list. Each must have a reason.
fn allowed(list: &str) -> BTreeSet<String> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, reason) = line.split_once(' ').unwrap_or_else(|| panic!("`{line}` has no reason"));
            assert!(!reason.trim().is_empty(), "`{name}` has no reason");
            name.to_owned()
        })
        .collect()
}

#[track_caller]
fn check(features: &[&str], name: &str, list: &str) {
    let (tree, allowed) = (tree(features), allowed(list));
    let new: Vec<_> = tree.difference(&allowed).collect();
    let gone: Vec<_> = allowed.difference(&tree).collect();
    assert!(
        new.is_empty(),
        "new in the dependency tree of mimic-core: {new:?} (`cargo tree -p mimic-core -e normal,build --target all -i NAME` \
         shows why). tests/data/{name} lists what the core may depend on, because it must run wherever it is embedded, \
         wasm32 included: no async runtime, no sockets, no files, no clock, no C. Add a crate that meets this, with its \
         reason; avoid any other.",
    );
    assert!(
        gone.is_empty(),
        "no longer in the dependency tree of mimic-core: {gone:?}. Remove it from tests/data/{name}."
    );
}

#[test]
fn the_core_depends_only_on_crates_that_run_anywhere() {
    check(&[], "dependencies.txt", include_str!("data/dependencies.txt"));
}

#[test]
fn without_features_the_core_depends_on_regular_expressions_globs_a_hash_and_error_types_only() {
    check(
        &["--no-default-features"],
        "dependencies-no-features.txt",
        include_str!("data/dependencies-no-features.txt"),
    );
}
