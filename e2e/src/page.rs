//! The pages of the documentation, for tests that follow them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A command of a page.
#[derive(Clone, Debug)]
pub struct Step {
    /// The command line.
    pub command: String,
    /// What it prints, if the page has it.
    pub output: Option<String>,
}

/// A page in Markdown.
#[derive(Clone, Debug)]
pub struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// Reads a page by its path from the repository root.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = Path::new(REPOSITORY).join(path);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, text })
    }

    /// All pages.
    pub fn all() -> Result<Vec<Self>> {
        let mut pages = Vec::new();
        for folder in ["", "docs", "docs/decisions", "deploy/chart", "e2e", "e2e/controlplane", "benches", "fuzz"] {
            for entry in fs::read_dir(Path::new(REPOSITORY).join(folder))? {
                let name = entry?.file_name();
                if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
                    pages.push(Self::read(Path::new(folder).join(name))?);
                }
            }
        }
        Ok(pages)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The section with a second-level heading that begins like this.
    pub fn section(&self, heading: &str) -> Result<&str> {
        let section = self.text.split("\n## ").skip(1).find(|section| section.starts_with(heading));
        section.with_context(|| format!("{} has no section `{heading}`", self.path.display()))
    }

    /// The blocks of commands in a section.
    pub fn commands(&self, heading: &str) -> Result<Vec<String>> {
        Ok(blocks(self.section(heading)?, "console"))
    }

    /// All commands of the page in order, with their expected output where the page has it: such blocks begin with `$`.
    pub fn steps(&self) -> Vec<Step> {
        let steps = blocks(&self.text, "console").into_iter().flat_map(|block| {
            match block.strip_prefix("$ ").and_then(|rest| rest.split_once('\n')) {
                Some((command, output)) => {
                    vec![Step { command: command.to_owned(), output: Some(output.to_owned()) }]
                }
                None => block.lines().map(|line| Step { command: line.to_owned(), output: None }).collect(),
            }
        });
        steps.collect()
    }

    /// The blocks of YAML in a section, as written.
    pub fn samples(&self, heading: &str) -> Result<Vec<String>> {
        Ok(blocks(self.section(heading)?, "yaml"))
    }

    /// The only block of YAML in a section.
    pub fn sample(&self, heading: &str) -> Result<Value> {
        let samples = self.samples(heading)?;
        let [sample] = &samples[..] else { anyhow::bail!("`{heading}` has {} blocks of YAML", samples.len()) };
        Ok(serde_saphyr::from_str(sample)?)
    }
}

fn blocks(section: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let rest = section.split(opening.as_str()).skip(1);
    rest.filter_map(|rest| rest.split("```").next()).map(ToOwned::to_owned).collect()
}
