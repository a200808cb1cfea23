//! The Harbors: one by variables, or several by a list in the file.

use std::time::Duration;

use mimic_core::Hint as _;
use mimic_core::internal::Globs;
use mimic_harbor::{Address, Credentials, HarborSettings, Timeouts};

use super::load::Layers;
use super::settings::{Secret, read_secret};
use super::table;

/// Harbor would be asked without a break.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// A Harbor that mirrors are discovered from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Harbor {
    /// What it is called; empty for the only one.
    pub name: String,
    /// Whether it is asked again.
    pub watch: bool,
    /// How often.
    pub interval: Duration,
    /// Where it is, and what is taken from it.
    pub settings: HarborSettings,
}

impl Harbor {
    /// Name of the source that it is.
    pub fn source_name(&self) -> String {
        if self.name.is_empty() { "harbor".to_owned() } else { format!("harbor:{}", self.name) }
    }
}

/// Reads those that are enabled.
pub(super) fn read(layers: &mut Layers) -> Vec<Harbor> {
    let count = layers.listed();
    let mut harbors: Vec<Harbor> = Vec::new();
    for scope in 0..count.unwrap_or(1) {
        if count.is_some() {
            layers.enter(scope);
        }
        let name = layers.read(&table::HARBOR_NAME);
        if count.is_some_and(|count| count > 1) {
            if name.is_empty() {
                layers.note(&table::HARBOR_NAME, "not set, but each of several Harbors needs one", "");
            } else if harbors.iter().any(|harbor| harbor.name == name) {
                layers.note(&table::HARBOR_NAME, format!("`{name}` is the name of another one as well"), "");
            }
        }
        harbors.extend(read_one(layers, name));
    }
    layers.leave();
    harbors
}

/// `None` for one that is not enabled, or has no address.
fn read_one(layers: &mut Layers, name: String) -> Option<Harbor> {
    let enabled = layers.read(&table::HARBOR_ENABLED);
    let host = layers.read(&table::HARBOR_API_HOST);
    let registry = layers.read(&table::HARBOR_REGISTRY_URL);
    let ca_file = layers.read(&table::HARBOR_API_CAFILE);
    let username = layers.read(&table::HARBOR_ROBOT_USERNAME);
    let password = read_secret(layers, &table::HARBOR_ROBOT_PASSWORD, &table::HARBOR_ROBOT_PASSWORDFILE);
    let timeouts = Timeouts {
        connect: layers.read(&table::HARBOR_TIMEOUT_CONNECT),
        request: layers.read(&table::HARBOR_TIMEOUT_REQUEST),
    };
    let watch = layers.read(&table::HARBOR_WATCH);
    let interval = layers.read(&table::HARBOR_INTERVAL);
    let private = layers.read(&table::HARBOR_PRIVATE);
    let pull_secret = layers.read(&table::HARBOR_PULL_SECRET);
    let projects = layers.read(&table::HARBOR_PROJECTS);
    let unhealthy = layers.read(&table::HARBOR_UNHEALTHY);
    let overrides = layers.read(&table::HARBOR_OVERRIDES);
    if !enabled {
        return None;
    }
    // Zero stands for a value that could not be read, which has been noted.
    if !interval.is_zero() && interval < SHORTEST_INTERVAL {
        layers.note(&table::HARBOR_INTERVAL, format!("`{interval:?}` is too short"), "1s and more");
    }
    let address = address(layers, &host);
    let credentials = credentials(layers, username, password);
    if private && credentials.is_none() {
        let needed = layers.setter(&table::HARBOR_ROBOT_USERNAME);
        layers.note(&table::HARBOR_PRIVATE, format!("nobody sees private projects, so `{needed}` has to be set"), "");
    }
    let mut settings = HarborSettings::new(address?);
    settings.ca_file = Some(ca_file).filter(|path| !path.as_os_str().is_empty());
    settings.credentials = credentials;
    settings.timeouts = timeouts;
    settings.registry = Some(registry).filter(|registry| !registry.is_empty());
    // They were checked where they were read.
    settings.projects = Globs::new(projects).unwrap_or_default();
    settings.private = private;
    settings.pull_secret = Some(pull_secret).filter(|name| !name.is_empty());
    settings.unhealthy = unhealthy;
    settings.overrides = overrides;
    Some(Harbor { name, watch, interval, settings })
}

fn address(layers: &mut Layers, host: &str) -> Option<Address> {
    if host.is_empty() {
        layers.note(&table::HARBOR_API_HOST, "not set, but Harbor is enabled", "a host, host:port or URL");
        return None;
    }
    Address::parse(host).map_err(|error| layers.note(&table::HARBOR_API_HOST, error.full_message(), "")).ok()
}

fn credentials(layers: &mut Layers, username: String, password: Secret) -> Option<Credentials> {
    match (username.is_empty(), password) {
        (true, Secret::Absent) => None,
        (false, Secret::Value(password)) => Some(Credentials::new(username, password)),
        (false, Secret::File(path)) => Some(Credentials::from_file(username, path)),
        (true, Secret::Value(_) | Secret::File(_)) => {
            layers.note(&table::HARBOR_ROBOT_USERNAME, "not set, but a password is", "the account's name");
            None
        }
        (false, Secret::Absent) => {
            layers.note(
                &table::HARBOR_ROBOT_PASSWORD,
                "not set, and no password file either, but an account is named",
                "",
            );
            None
        }
    }
}
