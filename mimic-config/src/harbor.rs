//! The settings of Harbors: a single one by variables, or several by a list in the file.

use std::path::PathBuf;
use std::time::Duration;

use mimic_core::Hint as _;
use mimic_core::internal::Globs;
use mimic_harbor::{Address, Credentials, HarborSettings, Overrides, Timeouts};

use crate::layers::Layers;
use crate::registries::{read_each, source_name};
use crate::secret::{Secret, read_secret};
use crate::setting::{Row, Setting};
use crate::value_type::{FLAG, GLOBS, NAME as KUBERNETES_NAME, PATH, PERIOD, SECRET, TEXT, ValueType};

/// The group of these settings.
pub const GROUP: &str = "harbor";

/// Shorter intervals would put Harbor under constant load.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

const OVERRIDES_TYPE: ValueType<Overrides> =
    ValueType::new("", "a list of overrides", "project=upstream pairs, separated by commas", |text| {
        Overrides::parse(text).ok()
    });

pub(crate) const ENABLED: Setting<bool> = Setting::new(
    "harbor.enabled",
    &FLAG,
    "false",
    "Discover mirrors from Harbor's proxy-cache projects; see [harbor.md](harbor.md). The file can list several \
     Harbors under `harbor`, each with these keys and enabled by default; `MIMIC_HARBOR_` variables are then an \
     error.",
);
pub(crate) const NAME: Setting<String> = Setting::new(
    "harbor.name",
    &KUBERNETES_NAME,
    "",
    "Name of this Harbor, for the source name `harbor:NAME`. Each of several needs one.",
);
pub(crate) const API_HOST: Setting<String> = Setting::new(
    "harbor.api.host",
    &TEXT,
    "",
    "Host, host:port or URL of Harbor's API, with an optional path; https unless the URL starts with `http://`. \
     `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` apply.",
);
const API_CA_FILE: Setting<PathBuf> = Setting::new(
    "harbor.api.cafile",
    &PATH,
    "",
    "PEM file with the CAs for Harbor, in place of the system's. Reloaded when it changes.",
);
const REGISTRY_URL: Setting<String> = Setting::new(
    "harbor.registryurl",
    &TEXT,
    "",
    "Registry that pods pull from, `host` or `host:port`. If empty, read from Harbor (needs an account).",
);
const ROBOT_USERNAME: Setting<String> =
    Setting::new("harbor.robot.username", &TEXT, "", "Robot account, with its `robot$`, or user. If empty: anonymous.");
const ROBOT_PASSWORD: Setting<String> =
    Setting::new("harbor.robot.password", &SECRET, "", "The account's password. Never logged.");
const ROBOT_PASSWORD_FILE: Setting<PathBuf> = Setting::new(
    "harbor.robot.passwordfile",
    &PATH,
    "",
    "File with the password; reloaded when it changes. Setting both is an error.",
);
const CONNECT_TIMEOUT: Setting<Duration> =
    Setting::new("harbor.timeout.connect", &PERIOD, "10s", "Timeout for connecting to Harbor, including TLS.");
const REQUEST_TIMEOUT: Setting<Duration> = Setting::new(
    "harbor.timeout.request",
    &PERIOD,
    "30s",
    "Timeout for one request. A Harbor without its Redis needs 13 s.",
);
const WATCH: Setting<bool> =
    Setting::new("harbor.watch", &FLAG, "true", "`false`: stop polling Harbor after the first success.");
const INTERVAL: Setting<Duration> = Setting::new(
    "harbor.interval",
    &PERIOD,
    "5m",
    "Time between two polls, ±10 %; minimum 1s. Failed polls are retried after 1s at most, then after pauses that grow to a \
     minute, but not before Harbor's `Retry-After`.",
);
const PRIVATE: Setting<bool> = Setting::new(
    "harbor.private",
    &FLAG,
    "false",
    "Also use private projects. Pods need credentials to pull from them.",
);
const PULL_SECRET: Setting<String> = Setting::new(
    "harbor.pullsecret",
    &KUBERNETES_NAME,
    "",
    "Pull secret added to pods that pull from a private project. It must exist in the pod's namespace.",
);
const PROJECTS: Setting<Vec<String>> = Setting::new("harbor.projects", &GLOBS, "*", "Names of the projects to use.");
const UNHEALTHY: Setting<bool> = Setting::new(
    "harbor.unhealthy",
    &FLAG,
    "true",
    "Also use projects whose registry endpoint is not `healthy`; Harbor serves only cached images for them.",
);
const OVERRIDES: Setting<Overrides> = Setting::new(
    "harbor.overrides",
    &OVERRIDES_TYPE,
    "",
    "Upstreams that Mimic cannot derive from the endpoint: `ecr=123456789012.dkr.ecr.eu-west-1.amazonaws.com`. \
     Separate several with commas.",
);
const GRACE: Setting<Duration> = Setting::new(
    "harbor.grace",
    &PERIOD,
    "1h",
    "How long projects are kept if more than half of them, or all private ones, vanish at once. Others are dropped after two polls \
     without them.",
);

/// All settings of a Harbor.
pub static ROWS: &[Row] = &[
    ENABLED.row(),
    NAME.row(),
    API_HOST.row(),
    API_CA_FILE.row(),
    REGISTRY_URL.row(),
    ROBOT_USERNAME.row(),
    ROBOT_PASSWORD.row(),
    ROBOT_PASSWORD_FILE.row(),
    CONNECT_TIMEOUT.row(),
    REQUEST_TIMEOUT.row(),
    WATCH.row(),
    INTERVAL.row(),
    PRIVATE.row(),
    PULL_SECRET.row(),
    PROJECTS.row(),
    UNHEALTHY.row(),
    OVERRIDES.row(),
    GRACE.row(),
];

/// A Harbor that mirrors are discovered from.
#[derive(Clone, Debug)]
pub struct ConfiguredHarbor {
    /// Its name; empty if it has none.
    pub name: String,
    /// Whether it is polled.
    pub watch: bool,
    /// The time between two polls.
    pub interval: Duration,
    /// How to connect to it, and what to use of it.
    pub settings: HarborSettings,
}

impl ConfiguredHarbor {
    /// The name of its source: `harbor`, or `harbor:NAME`.
    pub fn source_name(&self) -> String {
        source_name(GROUP, &self.name)
    }
}

/// Reads the Harbors that are enabled. Errors are noted in the layers.
pub fn read(layers: &mut Layers) -> Vec<ConfiguredHarbor> {
    read_each(layers, GROUP, &NAME, read_one)
}

/// `None` for a Harbor that is not enabled or has no address.
pub(crate) fn read_one(layers: &mut Layers, name: String) -> Option<ConfiguredHarbor> {
    let enabled = layers.read(&ENABLED);
    let host = layers.read(&API_HOST);
    let registry = layers.read(&REGISTRY_URL);
    let ca_file = layers.read(&API_CA_FILE);
    let username = layers.read(&ROBOT_USERNAME);
    let password = read_secret(layers, &ROBOT_PASSWORD, &ROBOT_PASSWORD_FILE);
    let timeouts = Timeouts { connect: layers.read(&CONNECT_TIMEOUT), request: layers.read(&REQUEST_TIMEOUT) };
    let watch = layers.read(&WATCH);
    let interval = layers.read(&INTERVAL);
    let private = layers.read(&PRIVATE);
    let pull_secret = layers.read(&PULL_SECRET);
    let projects = layers.read(&PROJECTS);
    let unhealthy = layers.read(&UNHEALTHY);
    let overrides = layers.read(&OVERRIDES);
    let grace = layers.read(&GRACE);
    if !enabled {
        // In a list, an entry is enabled unless it says otherwise.
        if !host.is_empty() && layers.list_length(GROUP).is_none() {
            layers.warn(
                &API_HOST,
                "no effect: Harbor is not enabled",
                "set `MIMIC_HARBOR_ENABLED=true`, or `harbor.enabled` in the file",
            );
        }
        return None;
    }
    // Zero is the placeholder of an invalid value, which has been noted.
    if !interval.is_zero() && interval < SHORTEST_INTERVAL {
        layers.note(&INTERVAL, format!("`{interval:?}` is too short"), "1s or more");
    }
    let address = address(layers, &host);
    let credentials = credentials(layers, username, password);
    if private && credentials.is_none() {
        let required = layers.setter(&ROBOT_USERNAME);
        layers.note(&PRIVATE, format!("private projects are visible to accounts only: `{required}` is required"), "");
    }
    let mut settings = HarborSettings::new(address?);
    settings.ca_file = Some(ca_file).filter(|path| !path.as_os_str().is_empty());
    settings.credentials = credentials;
    settings.timeouts = timeouts;
    settings.registry = Some(registry).filter(|registry| !registry.is_empty());
    // The globs were checked when they were read.
    settings.projects = Globs::new(projects).unwrap_or_default();
    settings.private = private;
    settings.pull_secret = Some(pull_secret).filter(|name| !name.is_empty());
    settings.unhealthy = unhealthy;
    settings.overrides = overrides;
    settings.grace = grace;
    Some(ConfiguredHarbor { name, watch, interval, settings })
}

fn address(layers: &mut Layers, host: &str) -> Option<Address> {
    if host.is_empty() {
        layers.note(&API_HOST, "not set, but Harbor is enabled", "a host, host:port or URL");
        return None;
    }
    Address::parse(host).map_err(|error| layers.note(&API_HOST, error.full_message(), "")).ok()
}

fn credentials(layers: &mut Layers, username: String, password: Secret) -> Option<Credentials> {
    match (username.is_empty(), password) {
        (true, Secret::Absent) => None,
        (false, Secret::Value(password)) => Some(Credentials::new(username, password)),
        (false, Secret::File(path)) => Some(Credentials::from_file(username, path)),
        (true, Secret::Value(_) | Secret::File(_)) => {
            layers.note(&ROBOT_USERNAME, "not set, but a password is", "the account's name");
            None
        }
        (false, Secret::Absent) => {
            let file = layers.setter(&ROBOT_PASSWORD_FILE);
            layers.note(&ROBOT_PASSWORD, format!("an account is set, but neither a password nor `{file}`"), "");
            None
        }
    }
}
