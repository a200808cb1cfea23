//! The Harbors that a command uses: the options that name them, and what they mirror.

use std::env;
use std::path::PathBuf;

use clap::Args;
use mimic_config::harbor::{ConfiguredHarbor, ROWS};
use mimic_config::{Options, Row, Selection};
use mimic_core::Hint as _;
use mimic_core::internal::{GlobError, Globs};
use mimic_harbor::{Address, Harbor, HarborError, HarborSettings, Overrides, Report};

use crate::output::Output;

/// Every option that sets a setting of a Harbor.
static OPTIONS: &[(&str, &str)] = &[
    ("--harbor", "harbor.api.host"),
    ("--username", "harbor.robot.username"),
    ("--password-file", "harbor.robot.passwordfile"),
    ("--ca-file", "harbor.api.cafile"),
    ("--registry", "harbor.registryurl"),
    ("--private", "harbor.private"),
    ("--pull-secret", "harbor.pullsecret"),
    ("--project", "harbor.projects"),
    ("--override", "harbor.overrides"),
    ("--only-healthy", "harbor.unhealthy"),
];

/// The Harbors that the server is configured with, or one of them, or another one.
#[derive(Args, Debug)]
#[group(skip)]
#[command(next_help_heading = "Harbor options")]
pub(crate) struct HarborArgs {
    /// Configuration file of the server, of which the Harbors are used (`MIMIC_CONFIG`). The server's variables take
    /// precedence over the file, and the options below over both.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A single Harbor: name or address of a configured one, or another host, host:port or URL; https unless the URL starts with
    /// `http://` (`MIMIC_HARBOR_API_HOST`).
    #[arg(long, value_name = "URL", value_parser = address)]
    harbor: Option<String>,
    /// Robot account or user (`MIMIC_HARBOR_ROBOT_USERNAME`). The password comes from a file, or from the variable
    /// `MIMIC_HARBOR_ROBOT_PASSWORD`.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// File with the password (`MIMIC_HARBOR_ROBOT_PASSWORDFILE`).
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// CA bundle (PEM) for Harbor (`MIMIC_HARBOR_API_CAFILE`).
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// Registry address for pods; default: as reported by Harbor (`MIMIC_HARBOR_REGISTRYURL`).
    #[arg(long, value_name = "HOST")]
    registry: Option<String>,
    /// Use private projects, too (`MIMIC_HARBOR_PRIVATE`).
    #[arg(long)]
    private: bool,
    /// Pull secret to add for private projects (`MIMIC_HARBOR_PULLSECRET`).
    #[arg(long, value_name = "NAME")]
    pull_secret: Option<String>,
    /// Projects to use, by name. Repeatable, or separated by commas (`MIMIC_HARBOR_PROJECTS`).
    #[arg(long = "project", value_name = "GLOB", value_parser = glob)]
    projects: Vec<String>,
    /// Set the upstream of a project; several are separated by commas (`MIMIC_HARBOR_OVERRIDES`).
    #[arg(long = "override", value_name = "PROJECT=UPSTREAM", value_parser = overrides)]
    overrides: Option<String>,
    /// Skip projects whose endpoint is unhealthy (`MIMIC_HARBOR_UNHEALTHY=false`).
    #[arg(long)]
    only_healthy: bool,
}

/// A Harbor, and what it mirrors.
pub(crate) struct Discovered {
    /// The name of its source, as in the server.
    pub(crate) source: String,
    pub(crate) settings: HarborSettings,
    pub(crate) report: Result<Report, HarborError>,
}

impl HarborArgs {
    /// Whether any of these options is given.
    pub(crate) fn is_given(&self) -> bool {
        self.config.is_some() || self.harbor.is_some() || !self.options().is_empty()
    }

    /// Discovers the mirrors of the Harbors, in order of precedence. `None` if the settings have an error. The errors have
    /// been reported.
    pub(crate) fn discover(&self, out: &mut Output) -> anyhow::Result<Option<Vec<Discovered>>> {
        let Some(harbors) = self.configured(out) else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut all = Vec::new();
        for harbor in harbors {
            let source = harbor.source_name();
            let settings = harbor.settings;
            let report = runtime.block_on(async { Harbor::new(settings.clone())?.discover_confirmed().await });
            all.push(Discovered { source, settings, report });
        }
        Ok(Some(all))
    }

    /// Reports warnings and errors in the settings.
    fn configured(&self, out: &mut Output) -> Option<Vec<ConfiguredHarbor>> {
        let environment: Vec<_> = env::vars_os().collect();
        let options = self.options();
        let selection = Selection { file: self.config.as_deref(), harbor: self.harbor.as_deref(), options: &options };
        let selected = selection.load(&environment);
        for warning in &selected.warnings {
            out.warning(warning.full_message());
        }
        match selected.harbors {
            Ok(harbors) => Some(harbors),
            Err(problems) => {
                for problem in &problems {
                    out.error(problem.full_message());
                }
                None
            }
        }
    }

    fn options(&self) -> Options {
        let mut options = Options::new(OPTIONS);
        for (path, value) in [
            ("harbor.robot.username", &self.username),
            ("harbor.robot.passwordfile", &self.password_file),
            ("harbor.api.cafile", &self.ca_file),
            ("harbor.registryurl", &self.registry),
            ("harbor.pullsecret", &self.pull_secret),
            ("harbor.overrides", &self.overrides),
        ] {
            if let Some(value) = value {
                options = options.with(path, value);
            }
        }
        if self.password_file.is_some() {
            options = options.with("harbor.robot.password", "");
        }
        if !self.projects.is_empty() {
            options = options.with("harbor.projects", self.projects.join(","));
        }
        if self.private {
            options = options.with("harbor.private", "true");
        }
        if self.only_healthy {
            options = options.with("harbor.unhealthy", "false");
        }
        options
    }

    /// A text about a Harbor with the names of what sets its settings: the options, if an option names the Harbor.
    pub(crate) fn named(&self, text: &str) -> String {
        if self.harbor.is_some() { with_options(text) } else { text.to_owned() }
    }
}

/// The text with options in place of the keys of settings, or with variables in place of those that have no option.
fn with_options(text: &str) -> String {
    let name = |part: &str| match OPTIONS.iter().find(|(_, path)| *path == part) {
        Some((option, _)) => (*option).to_owned(),
        None => ROWS.iter().find(|row| row.path == part).map_or_else(|| part.to_owned(), Row::variable),
    };
    text.split('`').map(name).collect::<Vec<_>>().join("`")
}

fn address(text: &str) -> Result<String, String> {
    Address::parse(text).map(|_| text.to_owned()).map_err(|error| error.full_message().to_string())
}

fn overrides(text: &str) -> Result<String, String> {
    Overrides::parse(text).map(|_| text.to_owned()).map_err(|error| error.full_message().to_string())
}

fn glob(text: &str) -> Result<String, GlobError> {
    Globs::new(text.split(',').map(str::trim)).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_options_or_variables() {
        for (text, expected) in [
            (
                "set `harbor.private` and `harbor.pullsecret` to use them",
                "set `--private` and `--pull-secret` to use them",
            ),
            (
                "raise `harbor.timeout.request` if Harbor is slow",
                "raise `MIMIC_HARBOR_TIMEOUT_REQUEST` if Harbor is slow",
            ),
            ("cannot find `harbor.example.com`", "cannot find `harbor.example.com`"),
        ] {
            assert_eq!(with_options(text), expected);
        }
    }
}
