//! Links between pages.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use mimic_e2e::Page;

/// The text of a page without code blocks.
fn prose(page: &Page) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in page.text().lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The targets between `](` and the next `)`.
fn links(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchors that GitHub gives the headings of a page.
fn anchors(page: &Page) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = Vec::new();
    for line in prose(page).lines() {
        let Some((_, heading)) = line.split_once("# ").filter(|(level, _)| level.chars().all(|c| c == '#')) else {
            continue;
        };
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect();
        let count = seen.entry(anchor.clone()).or_default();
        anchors.push(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    anchors
}

#[test]
fn every_link_has_an_existing_file_and_heading() -> Result<()> {
    let mut broken = Vec::new();
    let mut count = 0;
    for page in Page::all()? {
        let text = prose(&page);
        for link in links(&text).filter(|link| !link.contains("://") && !link.contains("…")) {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.path().to_owned()
            } else {
                page.path().parent().context("a page is in a folder")?.join(file)
            };
            let is_there = target.exists();
            let is_markdown = target.extension().is_some_and(|extension| extension == "md");
            let leads = is_there
                && (anchor.is_empty() || !is_markdown || anchors(&Page::read(&target)?).iter().any(|a| a == anchor));
            if !leads {
                broken.push(format!("{}: {link}", page.path().display()));
            }
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    ensure!(count > 100, "only {count} links were found");
    Ok(())
}

#[test]
fn every_file_that_a_page_names_exists() -> Result<()> {
    let top = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    for page in Page::all()? {
        let words = page.text().split(|c: char| !(c.is_ascii_alphanumeric() || "./-_".contains(c)));
        for word in words.filter(|word| word.starts_with("deploy/") || word.starts_with("./deploy/")) {
            let file = word.trim_end_matches('.');
            // The script installation creates it.
            let is_generated = file.ends_with("-cabundle.yaml");
            ensure!(is_generated || top.join(file).exists(), "{} names `{file}`", page.path().display());
        }
    }
    Ok(())
}

#[test]
fn every_test_behind_a_guarantee_exists() -> Result<()> {
    check_tests("docs/architecture.md", "Guarantees")
}

#[test]
fn every_test_behind_a_claim_about_security_exists() -> Result<()> {
    check_tests("docs/security.md", "Tests of these claims")
}

/// Checks the tests that the rows of a table name.
fn check_tests(page: &str, section: &str) -> Result<()> {
    let page = Page::read(page)?;
    let folder = page.path().parent().context("a page is in a folder")?;
    let rows = page.section(section)?.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut count = 0;
    for row in rows {
        let mut code = String::new();
        for link in links(row) {
            code += &fs::read_to_string(folder.join(link)).with_context(|| link.to_owned())?;
        }
        let mut names = row.split('`').skip(1).step_by(2).filter(|name| name.contains('_')).peekable();
        ensure!(names.peek().is_some(), "no test is named in: {row}");
        for name in names {
            count += 1;
            ensure!(code.contains(&format!("fn {name}(")), "`{name}` is not in a file that the row links to: {row}");
        }
    }
    ensure!(count > 10, "only {count} tests were found");
    Ok(())
}

#[test]
fn the_readme_links_to_every_page() -> Result<()> {
    let readme = Page::read("README.md")?;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"))? {
        let name = entry?.file_name().into_string().ok().context("names of pages are text")?;
        ensure!(readme.text().contains(&format!("](docs/{name}")), "README.md does not link to docs/{name}");
    }
    Ok(())
}
