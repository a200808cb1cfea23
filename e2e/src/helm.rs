//! The real `helm`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{binaries::MIMIC, go::HELM, process::command, tools};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart");

/// Helm and the shipped chart, without a cluster; [`Checkout`](crate::Checkout) has one.
#[derive(Debug)]
pub struct Helm {
    binary: PathBuf,
}

impl Helm {
    /// `None` if it cannot be built; then a line on stderr reports that the test is skipped, and why.
    ///
    /// # Errors
    /// If the build fails or, with `MIMIC_E2E=required`, Go is missing.
    pub fn available() -> Result<Option<Self>> {
        let available = HELM.is_available()?;
        let missing = "Go is not installed, and it is needed to build the Helm of these tests";
        if tools::is_skipped(|| (!available).then_some(missing))? {
            return Ok(None);
        }
        Ok(Some(Self { binary: HELM.built()? }))
    }

    /// The program.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs `helm SUBCOMMAND` with the folder of the chart and more arguments, and returns its output.
    fn run(&self, subcommand: &[&str], arguments: &[&str]) -> Result<(bool, String, String)> {
        let output = command(&self.binary).args(subcommand).arg(CHART).args(arguments).output()?;
        let text = |bytes| String::from_utf8(bytes).map_err(anyhow::Error::from);
        Ok((output.status.success(), text(output.stdout)?, text(output.stderr)?))
    }

    /// The output of `helm lint --strict` with these options.
    ///
    /// # Errors
    /// If it reports errors.
    pub fn lint(&self, options: &[&str]) -> Result<String> {
        match self.run(&["lint", "--strict"], options)? {
            (true, report, _) => Ok(report),
            (false, report, errors) => bail!("helm lint {options:?}:\n{report}{errors}"),
        }
    }

    /// The objects of a release with these options, as YAML.
    ///
    /// # Errors
    /// If the values are invalid.
    pub fn template(&self, release: &str, options: &[&str]) -> Result<String> {
        match self.run(&["template", release], options)? {
            (true, objects, _) => Ok(objects),
            (false, _, errors) => bail!("helm template {options:?}: {errors}"),
        }
    }

    /// The same after `mimic manifests` as a post-renderer with these options.
    ///
    /// # Errors
    /// If Helm or the command fails.
    pub fn template_with_mimic(&self, release: &str, mimic: &[&str]) -> Result<String> {
        let binary = MIMIC.path()?.display().to_string();
        let mut options = vec!["--post-renderer", &binary, "--post-renderer-args", "manifests"];
        options.extend(mimic.iter().flat_map(|argument| ["--post-renderer-args", *argument]));
        self.template(release, &options)
    }

    /// The error message for invalid values.
    ///
    /// # Errors
    /// If Helm accepts them.
    pub fn refuses(&self, options: &[&str]) -> Result<String> {
        match self.run(&["template", "mimic"], options)? {
            (true, _, _) => bail!("helm template {options:?} succeeds"),
            (false, _, errors) => Ok(errors),
        }
    }
}

/// The objects in a string with several YAML documents.
///
/// # Errors
/// If one of them is not valid YAML.
pub fn objects(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}
