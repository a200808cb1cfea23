use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mimic_core::Problem;

use super::availability;
use super::form::{CertificateOrigin, LogFormat, LogLevel};
use super::harbor::{self, Harbor};
use super::load::Layers;
use super::table::{self, Key};

/// The whole configuration, checked and typed. See `docs/configuration.md` for what each key means.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where the webhook listens.
    pub listen: Listen,
    /// Where the second port listens; `None` when it is off.
    pub admin: Option<Listen>,
    /// What is logged, and how.
    pub log: Log,
    /// The serving certificate.
    pub certificate: Certificate,
    /// Mirrors in the short form.
    pub mirrors: Mirrors,
    /// Files with mirrors.
    pub files: Files,
    /// The master switch of watching for mirrors.
    pub watch_mirrors: bool,
    /// Globs of namespaces whose pods are left alone.
    pub excluded_namespaces: Vec<String>,
    /// Whether the original images are kept in an annotation.
    pub annotate: bool,
    /// Whether pods are left as they are, whatever was decided.
    pub dry_run: bool,
    /// What one client may ask for.
    pub limits: Limits,
    /// How long Mimic keeps serving after it was asked to stop.
    pub drain: Duration,
    /// How long readiness waits for every source.
    pub startup: Duration,
    /// What is taken from the cluster.
    pub kubernetes: Kubernetes,
    /// The Harbors that mirrors are discovered from, in order of precedence.
    pub harbors: Vec<Harbor>,
    /// What is taken from OpenShift.
    pub openshift: OpenShift,
}

/// An address and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// IP address or host name, without brackets.
    pub host: String,
    /// Port; 0 for any that is free.
    pub port: u16,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least level that is logged.
    pub level: LogLevel,
    /// Text or JSON.
    pub format: LogFormat,
}

/// The serving certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Where it comes from.
    pub source: CertificateOrigin,
    /// PEM file with the chain, leaf first.
    pub cert_file: PathBuf,
    /// PEM file with the private key.
    pub key_file: PathBuf,
    /// Service by which the API server calls Mimic, and which the certificate must name; empty when it calls a URL.
    pub service: String,
    /// Webhook configuration that a managed certificate is kept in step with.
    pub webhook: String,
    /// How long a managed certificate is good for.
    pub validity: Duration,
    /// How long the authority of managed certificates is good for.
    pub authority_validity: Duration,
}

/// Certificates count whole seconds, and replacing one takes a few of them.
const SHORTEST_VALIDITY: Duration = Duration::from_secs(10);

/// Dates in certificates have four digits for the year.
const LONGEST_VALIDITY: Duration = Duration::from_hours(876_000);

impl Certificate {
    /// The name by which the API server calls the Service in this namespace. `None` when that is not to be checked.
    pub fn host(&self, namespace: &str) -> Option<String> {
        (!self.service.is_empty()).then(|| format!("{}.{namespace}.svc", self.service))
    }
}

/// Mirrors in the short form.
#[derive(Debug, Clone)]
pub struct Mirrors {
    /// All of them, as written.
    pub text: String,
    /// What sets them, for messages: the variable, or the file and the line in it.
    pub place: (String, Option<usize>),
}

/// Files with mirrors.
#[derive(Debug, Clone)]
pub struct Files {
    /// Their names, in order of precedence.
    pub paths: Vec<PathBuf>,
    /// Whether they are read again when they change.
    pub watch: bool,
}

/// What one client may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body in bytes.
    pub body: usize,
    /// Most connections at a time.
    pub connections: usize,
    /// Longest time to receive a request.
    pub request_time: Duration,
}

/// What is taken from the cluster.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// Whether mirrors come from a ConfigMap.
    pub enabled: bool,
    /// Mimic's own namespace, as configured; empty to find it.
    pub namespace: String,
    /// Secret with the certificate.
    pub cert_secret: String,
    /// ConfigMap with the mirrors.
    pub config_map: String,
    /// Whether the ConfigMap is watched.
    pub watch: bool,
    /// Whether bad entries become Events.
    pub events: bool,
}

/// What is taken from OpenShift.
#[derive(Debug, Clone, Copy)]
pub struct OpenShift {
    /// Whether mirrors come from mirror sets.
    pub enabled: bool,
}

/// A secret, given as such or as the name of a file that holds it. Its debug form shows neither.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// There is none.
    Absent,
    /// The secret itself.
    Value(String),
    /// The file that holds it, to be read whenever it is needed, so that it can be changed.
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Value(_) => "Value(…)",
            Self::File(_) => "File(…)",
        })
    }
}

/// What reading the configuration gave: settings, or every problem there is, and warnings in either case.
#[derive(Debug)]
pub struct Loaded {
    /// The settings, or all that is wrong with them.
    pub settings: Result<Settings, Vec<Problem>>,
    /// What is odd but does no harm.
    pub warnings: Vec<Problem>,
}

impl Settings {
    /// Reads the configuration from the environment, `file` (which wins over `MIMIC_CONFIG`) and the defaults.
    /// `defaults` replace the built-in ones of some keys.
    pub fn load(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        file: Option<&Path>,
        defaults: &[(&str, &str)],
    ) -> Loaded {
        let mut layers = Layers::merge(environment, file, defaults);
        let settings = read(&mut layers);
        check(&settings, &mut layers);
        availability::check(&settings, &mut layers);
        let warnings = layers.warnings();
        let settings = if layers.problems.is_empty() { Ok(settings) } else { Err(layers.problems) };
        Loaded { settings, warnings }
    }
}

fn read(layers: &mut Layers) -> Settings {
    let admin = Listen { host: layers.read(&table::ADMIN_LISTEN_HOST), port: layers.read(&table::ADMIN_LISTEN_PORT) };
    Settings {
        listen: Listen { host: layers.read(&table::LISTEN_HOST), port: layers.read(&table::LISTEN_PORT) },
        admin: Some(admin).filter(|admin| admin.port != 0),
        log: Log { level: layers.read(&table::LOG_LEVEL_KEY), format: layers.read(&table::LOG_FORMAT_KEY) },
        certificate: Certificate {
            source: layers.read(&table::CERTIFICATE_SOURCE),
            cert_file: layers.read(&table::CERTIFICATE_CERTFILE),
            key_file: layers.read(&table::CERTIFICATE_KEYFILE),
            service: layers.read(&table::CERTIFICATE_SERVICE),
            webhook: layers.read(&table::CERTIFICATE_WEBHOOK),
            validity: layers.read(&table::CERTIFICATE_VALIDITY),
            authority_validity: layers.read(&table::CERTIFICATE_AUTHORITY_VALIDITY),
        },
        mirrors: Mirrors { text: layers.read(&table::MIRRORS), place: layers.place(&table::MIRRORS) },
        files: Files { paths: layers.read(&table::FILE_PATH), watch: layers.read(&table::FILE_WATCH) },
        watch_mirrors: layers.read(&table::WATCH_MIRRORS),
        excluded_namespaces: layers.read(&table::EXCLUDE_NAMESPACES),
        annotate: layers.read(&table::ANNOTATE),
        dry_run: layers.read(&table::DRY_RUN),
        limits: Limits {
            body: layers.read(&table::LIMITS_BODY),
            connections: layers.read(&table::LIMITS_CONNECTIONS),
            request_time: layers.read(&table::LIMITS_REQUEST_TIME),
        },
        drain: layers.read(&table::DRAIN),
        startup: layers.read(&table::STARTUP),
        kubernetes: Kubernetes {
            enabled: layers.read(&table::KUBERNETES_ENABLED),
            namespace: layers.read(&table::KUBERNETES_NAMESPACE),
            cert_secret: layers.read(&table::KUBERNETES_CERTSECRET),
            config_map: layers.read(&table::KUBERNETES_CONFIGMAP),
            watch: layers.read(&table::KUBERNETES_WATCH),
            events: layers.read(&table::KUBERNETES_EVENTS),
        },
        harbors: harbor::read(layers),
        openshift: OpenShift { enabled: layers.read(&table::OPENSHIFT_ENABLED) },
    }
}

pub(super) fn read_secret(layers: &mut Layers, value_key: &Key<String>, file_key: &Key<PathBuf>) -> Secret {
    let value = layers.read(value_key);
    let file = layers.read(file_key);
    match (value.is_empty(), file.as_os_str().is_empty()) {
        (true, true) => Secret::Absent,
        (false, true) => Secret::Value(value),
        (true, false) => {
            if let Err(error) = std::fs::read_to_string(&file) {
                layers.note(file_key, format!("`{}` cannot be read: {error}", file.display()), "");
            }
            Secret::File(file)
        }
        (false, false) => {
            let other = layers.setter(value_key);
            layers.note(file_key, format!("set although `{other}` is set as well; one of the two has to go"), "");
            Secret::Absent
        }
    }
}

/// What the values say together.
fn check(settings: &Settings, layers: &mut Layers) {
    if settings.certificate.source == CertificateOrigin::File {
        for (key, path) in [
            (&table::CERTIFICATE_CERTFILE, &settings.certificate.cert_file),
            (&table::CERTIFICATE_KEYFILE, &settings.certificate.key_file),
        ] {
            if path.as_os_str().is_empty() {
                layers.note(key, "not set, but the certificate source `file` needs it", key.form.allowed);
            }
        }
    }
    check_cluster_certificate(settings, layers);
    if settings.admin.as_ref() == Some(&settings.listen) {
        let message = format!("`{}` is the port of the webhook as well", settings.listen.port);
        layers.note(&table::ADMIN_LISTEN_PORT, message, "another port, or 0 for none");
    }
}

/// What certificates in a Secret need, and how long managed ones may live.
fn check_cluster_certificate(settings: &Settings, layers: &mut Layers) {
    let Certificate { source, service, webhook, validity, authority_validity, .. } = &settings.certificate;
    let secret = (&table::KUBERNETES_CERTSECRET, &settings.kubernetes.cert_secret);
    let (word, needed) = match source {
        CertificateOrigin::File | CertificateOrigin::SelfSigned => return,
        CertificateOrigin::Kubernetes => ("kubernetes", vec![secret]),
        CertificateOrigin::Managed => {
            let service = (&table::CERTIFICATE_SERVICE, service);
            ("managed", vec![secret, service, (&table::CERTIFICATE_WEBHOOK, webhook)])
        }
    };
    for (key, value) in needed {
        if value.is_empty() {
            layers.note(key, format!("empty, but the certificate source `{word}` needs it"), key.form.allowed);
        }
    }
    if *source != CertificateOrigin::Managed {
        return;
    }
    // Zero stands for a value that could not be read, which has been noted.
    if !validity.is_zero() && *validity < SHORTEST_VALIDITY {
        layers.note(&table::CERTIFICATE_VALIDITY, "too short to be replaced in time", "10s and more");
    }
    if *authority_validity > LONGEST_VALIDITY {
        layers.note(&table::CERTIFICATE_AUTHORITY_VALIDITY, "longer than a hundred years", "876000h and less");
    } else if !authority_validity.is_zero() && *authority_validity / 3 < *validity {
        let other = layers.setter(&table::CERTIFICATE_VALIDITY);
        let message = format!("less than three times `{other}`: certificates would outlive their authority");
        layers.note(&table::CERTIFICATE_AUTHORITY_VALIDITY, message, "");
    }
}
