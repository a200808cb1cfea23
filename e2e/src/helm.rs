//! The real `helm`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{go::HELM, process::command, tools};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart");

/// Helm, and the shipped chart. Without a cluster; [`Checkout`](crate::Checkout) has one.
#[derive(Debug)]
pub struct Helm {
    binary: PathBuf,
}

impl Helm {
    /// `None` where it cannot be built: then a line on stderr says that the test is skipped, and why.
    ///
    /// # Errors
    /// When it cannot be built though Go is there, and under `MIMIC_E2E=required` when Go is missing.
    pub fn available() -> Result<Option<Self>> {
        let available = HELM.is_available()?;
        let missing = "Go is not installed, and it takes Go to build the Helm that these tests run";
        if tools::is_skipped(|| (!available).then_some(missing))? {
            return Ok(None);
        }
        Ok(Some(Self { binary: HELM.built()? }))
    }

    /// The program.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs `helm SUBCOMMAND` with the chart's folder and more arguments, and returns what it prints.
    fn run(&self, subcommand: &[&str], arguments: &[&str]) -> Result<(bool, String, String)> {
        let output = command(&self.binary).args(subcommand).arg(CHART).args(arguments).output()?;
        let text = |bytes| String::from_utf8(bytes).map_err(anyhow::Error::from);
        Ok((output.status.success(), text(output.stdout)?, text(output.stderr)?))
    }

    /// What `helm lint --strict` says of the chart with these options.
    ///
    /// # Errors
    /// When it finds fault.
    pub fn lint(&self, options: &[&str]) -> Result<String> {
        match self.run(&["lint", "--strict"], options)? {
            (true, report, _) => Ok(report),
            (false, report, errors) => bail!("helm lint {options:?}:\n{report}{errors}"),
        }
    }

    /// The objects of a release with these options, as YAML.
    ///
    /// # Errors
    /// When there is something wrong with the values.
    pub fn template(&self, release: &str, options: &[&str]) -> Result<String> {
        match self.run(&["template", release], options)? {
            (true, objects, _) => Ok(objects),
            (false, _, errors) => bail!("helm template {options:?}: {errors}"),
        }
    }

    /// What is said about values that are refused.
    ///
    /// # Errors
    /// When they are not.
    pub fn refuses(&self, options: &[&str]) -> Result<String> {
        match self.run(&["template", "mimic"], options)? {
            (true, _, _) => bail!("helm template {options:?} succeeds"),
            (false, _, errors) => Ok(errors),
        }
    }
}

/// The objects in a text with several YAML documents.
///
/// # Errors
/// When one of them is not well-formed.
pub fn objects(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}
