//! No files of a crate import each other in a loop, so that each can be read after the files that it imports.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mimic_e2e::Imports;

/// The roots of all crates of the repository.
fn crates() -> Result<Vec<PathBuf>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this crate is in the repository")?;
    let manifest = fs::read_to_string(top.join("Cargo.toml"))?;
    let members = manifest.split_once("members = [").context("the workspace has members")?.1;
    let members = members.split_once(']').context("the list of members ends")?.0;
    let folders = members.split(',').map(|member| member.trim().trim_matches('"')).filter(|member| !member.is_empty());
    let roots: Vec<_> = folders.map(|folder| top.join(folder).join("src/lib.rs")).collect();
    assert!(roots.len() >= 8, "only {} crates were found", roots.len());
    Ok(roots)
}

#[test]
fn no_files_import_each_other_in_a_loop() -> Result<()> {
    let mut found = Vec::new();
    for root in crates()? {
        let cycles = Imports::read(&root)?.cycles();
        found.extend(cycles.iter().map(|cycle| format!("in {}:\n{cycle}", root.display())));
    }
    assert!(found.is_empty(), "import cycles; move what is in the wrong file:\n{}", found.join("\n\n"));
    Ok(())
}

/// The cycles of a crate with these files.
fn cycles(files: &[(&str, &str)]) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().context("it is in the folder")?)?;
        fs::write(path, text)?;
    }
    Ok(Imports::read(&folder.path().join("lib.rs"))?.cycles())
}

#[test]
fn a_cycle_is_found_through_re_exports_and_over_several_files() -> Result<()> {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; pub use c::Last; pub use a::First;"),
        ("a.rs", "use crate::b::Middle; pub struct First(Middle);"),
        ("b.rs", "pub struct Middle(crate::Last);"),
        ("c/mod.rs", "mod d; pub use d::Last;"),
        ("c/d.rs", "use crate::First; pub struct Last(Option<Box<First>>);"),
    ];
    let expected = "a.rs imports `Middle` of b.rs\n\
                    b.rs imports `crate::Last` of c/d.rs\n\
                    c/d.rs imports `First` of a.rs";
    assert_eq!(cycles(&files)?, [expected]);
    Ok(())
}

#[test]
fn a_child_that_uses_what_its_parent_defines_is_a_cycle_if_the_parent_uses_the_child() -> Result<()> {
    let child = ("a/b.rs", "use super::Parent; pub fn make() -> Parent { Parent }");
    let uses = [("lib.rs", "mod a;"), ("a/mod.rs", "mod b; pub struct Parent; fn f() { b::make(); }"), child];
    assert_eq!(cycles(&uses)?.len(), 1);
    let exports = [("lib.rs", "mod a;"), ("a/mod.rs", "mod b; pub use b::make; pub struct Parent;"), child];
    assert_eq!(cycles(&exports)?, [""; 0]);
    Ok(())
}

#[test]
fn tests_other_crates_and_names_of_the_same_file_are_no_cycle() -> Result<()> {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::*; pub use b::*;"),
        ("a.rs", "use std::fmt; use crate::B; pub struct A(B); impl fmt::Debug for A {} pub const ONE: u8 = 1;"),
        ("b.rs", "pub struct B; impl B { const ONE: u8 = 2; } #[cfg(test)] mod tests { use crate::a::A; }"),
    ];
    assert_eq!(cycles(&files)?, [""; 0]);
    Ok(())
}
