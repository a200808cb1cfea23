//! The options that name a Harbor and an account.

use std::env;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap::builder::FalseyValueParser;
use mimic_core::Hint as _;
use mimic_core::internal::{Globs, Printable};
use mimic_harbor::{Address, Credentials, Harbor, HarborError, HarborSettings, Overrides, Report};

/// The alternative to a password file. There is no option, because other users can see arguments in the process list.
const PASSWORD: &str = "MIMIC_HARBOR_ROBOT_PASSWORD";

/// A Harbor, and what to use of it. Each option defaults to a variable of the server.
#[derive(Args, Debug)]
#[command(next_help_heading = "Harbor options")]
pub(crate) struct HarborArgs {
    /// Address of a Harbor: host, host:port or URL; https unless the URL starts with `http://` (`MIMIC_HARBOR_API_HOST`).
    #[arg(long, value_name = "URL", env = "MIMIC_HARBOR_API_HOST", hide_env = true, value_parser = address)]
    harbor: Option<Address>,
    /// Robot account or user (`MIMIC_HARBOR_ROBOT_USERNAME`). The password comes from a file, or from the variable
    /// `MIMIC_HARBOR_ROBOT_PASSWORD`.
    #[arg(long, value_name = "NAME", env = "MIMIC_HARBOR_ROBOT_USERNAME", hide_env = true)]
    username: Option<String>,
    /// File with the password (`MIMIC_HARBOR_ROBOT_PASSWORDFILE`).
    #[arg(long, value_name = "FILE", env = "MIMIC_HARBOR_ROBOT_PASSWORDFILE", hide_env = true)]
    password_file: Option<PathBuf>,
    /// CA bundle (PEM) for Harbor (`MIMIC_HARBOR_API_CAFILE`).
    #[arg(long, value_name = "FILE", env = "MIMIC_HARBOR_API_CAFILE", hide_env = true)]
    ca_file: Option<PathBuf>,
    /// Registry address for pods; default: as reported by Harbor (`MIMIC_HARBOR_REGISTRYURL`).
    #[arg(long, value_name = "HOST", env = "MIMIC_HARBOR_REGISTRYURL", hide_env = true)]
    registry: Option<String>,
    /// Use private projects, too (`MIMIC_HARBOR_PRIVATE`).
    #[arg(long, env = "MIMIC_HARBOR_PRIVATE", hide_env = true, value_parser = FalseyValueParser::new())]
    private: bool,
    /// Pull secret to add for private projects (`MIMIC_HARBOR_PULLSECRET`).
    #[arg(long, value_name = "NAME", env = "MIMIC_HARBOR_PULLSECRET", hide_env = true)]
    pull_secret: Option<String>,
    /// Projects to use, by name. Repeatable, or separated by commas (`MIMIC_HARBOR_PROJECTS`).
    #[arg(
        long = "project",
        value_name = "GLOB",
        value_delimiter = ',',
        env = "MIMIC_HARBOR_PROJECTS",
        hide_env = true,
        default_value = "*"
    )]
    projects: Vec<String>,
    /// Set the upstream of a project; several are separated by commas (`MIMIC_HARBOR_OVERRIDES`).
    #[arg(
        long = "override",
        value_name = "PROJECT=UPSTREAM",
        env = "MIMIC_HARBOR_OVERRIDES",
        hide_env = true,
        default_value = "",
        hide_default_value = true,
        value_parser = overrides
    )]
    overrides: Overrides,
    /// Skip projects whose endpoint is unhealthy (`MIMIC_HARBOR_UNHEALTHY=false`).
    #[arg(long)]
    only_healthy: bool,
}

impl HarborArgs {
    /// The settings; `None` if no Harbor is given.
    pub(crate) fn settings(&self) -> anyhow::Result<Option<HarborSettings>> {
        let Some(address) = &self.harbor else { return Ok(None) };
        let unhealthy = match env::var("MIMIC_HARBOR_UNHEALTHY").ok().filter(|text| !text.is_empty()) {
            None => true,
            Some(text) => text
                .to_lowercase()
                .parse()
                .with_context(|| format!("invalid value `{}` of `MIMIC_HARBOR_UNHEALTHY`", Printable(&text)))?,
        };
        let mut settings = HarborSettings::new(address.clone());
        settings.credentials = self.credentials()?;
        settings.ca_file = given(self.ca_file.as_ref().filter(|path| !path.as_os_str().is_empty()));
        settings.registry = given(self.registry.as_ref().filter(|text| !text.is_empty()));
        settings.private = self.private;
        settings.pull_secret = given(self.pull_secret.as_ref().filter(|name| !name.is_empty()));
        settings.projects = Globs::new(self.projects.iter().map(|project| project.trim()))?;
        settings.overrides = self.overrides.clone();
        settings.unhealthy = unhealthy && !self.only_healthy;
        Ok(Some(settings))
    }

    fn credentials(&self) -> anyhow::Result<Option<Credentials>> {
        let username = self.username.as_ref().filter(|name| !name.is_empty());
        let file = self.password_file.as_ref().filter(|path| !path.as_os_str().is_empty());
        let password = env::var(PASSWORD).ok().filter(|password| !password.is_empty());
        match (username, file, password) {
            (None, _, _) => Ok(None),
            (Some(name), Some(file), _) => Ok(Some(Credentials::from_file(name, file))),
            (Some(name), None, Some(password)) => Ok(Some(Credentials::new(name, password))),
            (Some(name), None, None) => {
                anyhow::bail!(
                    "no password for `{name}` (hint: use `--password-file`, or set the variable `{PASSWORD}`)"
                )
            }
        }
    }
}

/// Discovers the mirrors of a Harbor.
pub(crate) fn discover(settings: &HarborSettings) -> anyhow::Result<Result<Report, HarborError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async { Harbor::new(settings.clone())?.discover_confirmed().await }))
}

fn given<T: Clone>(value: Option<&T>) -> Option<T> {
    value.cloned()
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.full_message().to_string())
}

fn overrides(text: &str) -> Result<Overrides, String> {
    Overrides::parse(text).map_err(|error| error.full_message().to_string())
}
