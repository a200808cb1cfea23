//! The configuration of the server. `docs/configuration.md` describes every setting.

mod certificate;
mod general;
mod logging;
mod page;
mod policy;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mimic_config::{Layers, Options, Schema};
use mimic_core::Problem;

use crate::sources::{self, SourceSettings};
pub use certificate::{Certificate, CertificateOrigin};
pub use general::{Limits, Listen};
pub use logging::{Log, LogFormat, LogLevel};
pub use policy::Policy;

/// The whole configuration, checked and typed.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[non_exhaustive]
pub struct Settings {
    /// Where the webhook listens.
    pub listen: Listen,
    /// Where the admin port listens; `None` when it is off.
    pub admin: Option<Listen>,
    /// The log.
    pub log: Log,
    /// The serving certificate.
    pub certificate: Certificate,
    /// Whether sources are watched or polled.
    pub watch_mirrors: bool,
    /// Globs of namespaces whose pods are skipped.
    pub excluded_namespaces: Vec<String>,
    /// Whether the original images are recorded in an annotation.
    pub annotate: bool,
    /// Whether pods are left unchanged.
    pub dry_run: bool,
    /// The admission policy; `None` if Mimic keeps none.
    pub policy: Option<Policy>,
    /// Whether problems are also reported as Events.
    pub events: bool,
    /// Limits of requests and connections.
    pub limits: Limits,
    /// How long Mimic keeps serving after a signal to stop.
    pub drain: Duration,
    /// How long readiness waits for every source.
    pub startup: Duration,
    /// Mimic's own namespace, as configured; empty to detect it.
    pub namespace: String,
    /// The configured sources, in order of precedence.
    pub(crate) sources: Vec<Arc<dyn SourceSettings>>,
}

/// The result of reading the configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The settings, or all errors.
    pub settings: Result<Settings, Vec<Problem>>,
    /// Warnings, such as unknown variables.
    pub warnings: Vec<Problem>,
}

impl Settings {
    /// Reads the configuration from the environment, `file` (which takes precedence over `MIMIC_CONFIG`) and the defaults.
    /// `defaults` replace the built-in ones of some keys.
    pub fn load(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        file: Option<&Path>,
        defaults: &[(&str, &str)],
    ) -> Loaded {
        let mut layers = Layers::merge(schema(), environment, file, defaults, Options::default());
        let settings = read(&mut layers);
        let (problems, warnings) = layers.finish();
        let settings = if problems.is_empty() { Ok(settings) } else { Err(problems) };
        Loaded { settings, warnings }
    }

    /// Whether a source or the certificate comes from the cluster, or Mimic keeps a policy in it.
    pub(crate) fn needs_cluster(&self) -> bool {
        self.policy.is_some()
            || self.certificate.needs_cluster()
            || self.sources.iter().any(|source| source.needs_cluster())
    }
}

/// Every setting, in the order of the reference page.
pub(crate) fn schema() -> Schema {
    let own = [general::ROWS, logging::ROWS, certificate::ROWS, policy::ROWS];
    let of_sources = sources::KINDS.iter().map(|kind| kind.rows);
    Schema {
        rows: own.into_iter().chain(of_sources).flatten().collect(),
        lists: sources::KINDS.iter().filter_map(|kind| kind.list).collect(),
        is_partial: false,
    }
}

/// `docs/configuration.md`.
pub fn reference_page() -> String {
    page::reference_page(&schema())
}

fn read(layers: &mut Layers) -> Settings {
    let listen = Listen { host: layers.read(&general::LISTEN_HOST), port: layers.read(&general::LISTEN_PORT) };
    let admin =
        Listen { host: layers.read(&general::ADMIN_LISTEN_HOST), port: layers.read(&general::ADMIN_LISTEN_PORT) };
    if admin == listen && admin.port != 0 {
        let message = format!("`{}` is also the port of the webhook", listen.port);
        layers.note(&general::ADMIN_LISTEN_PORT, message, "another port, or 0 for none");
    }
    let dry_run = layers.read(&general::DRY_RUN);
    Settings {
        listen,
        admin: Some(admin).filter(|admin| admin.port != 0),
        log: logging::read(layers),
        certificate: certificate::read(layers),
        watch_mirrors: layers.read(&general::WATCH_MIRRORS),
        excluded_namespaces: layers.read(&general::EXCLUDE_NAMESPACES),
        annotate: layers.read(&general::ANNOTATE),
        dry_run,
        policy: policy::read(layers, dry_run),
        events: sources::events(layers),
        limits: limits(layers),
        drain: layers.read(&general::DRAIN),
        startup: layers.read(&general::STARTUP),
        namespace: layers.read(&general::NAMESPACE),
        sources: sources::KINDS.iter().flat_map(|kind| (kind.read)(layers)).collect(),
    }
}

fn limits(layers: &mut Layers) -> Limits {
    let limits = Limits {
        body: layers.read(&general::LIMITS_BODY),
        connections: layers.read(&general::LIMITS_CONNECTIONS),
        memory: layers.read(&general::LIMITS_MEMORY),
        request_time: layers.read(&general::LIMITS_REQUEST_TIME),
    };
    if limits.memory.is_some_and(|memory| memory < limits.least_memory()) {
        let message = format!("too little for a body of `limits.body`, {} bytes", limits.body);
        layers.note(&general::LIMITS_MEMORY, message, &format!("at least {} bytes", limits.least_memory()));
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixteen_variables_of_kubernetes_mimic_are_kept() {
        let kept = [
            ("MIMIC_LISTENPORT", "8443"),
            ("MIMIC_LISTENHOST", "0.0.0.0"),
            ("MIMIC_LOGLEVEL", "info"),
            ("MIMIC_LOGFORMAT", "text"),
            ("MIMIC_CERTIFICATE_SOURCE", "kubernetes"),
            ("MIMIC_WATCHMIRRORS", "true"),
            ("MIMIC_KUBERNETES_ENABLED", "true"),
            ("MIMIC_KUBERNETES_NAMESPACE", ""),
            ("MIMIC_KUBERNETES_CERTSECRET", "mimic-certs"),
            ("MIMIC_KUBERNETES_CONFIGMAP", "mimic-mirrors"),
            ("MIMIC_KUBERNETES_WATCH", "true"),
            ("MIMIC_HARBOR_ENABLED", "false"),
            ("MIMIC_HARBOR_API_HOST", ""),
            ("MIMIC_HARBOR_REGISTRYURL", ""),
            ("MIMIC_HARBOR_ROBOT_USERNAME", ""),
            ("MIMIC_HARBOR_ROBOT_PASSWORD", ""),
        ];
        let schema = schema();
        for (variable, default) in kept {
            let row = schema.rows.iter().find(|row| row.variable() == variable);
            assert_eq!(row.map(|row| row.default), Some(default), "{variable}");
        }
    }

    #[test]
    fn every_level_of_a_key_is_one_word() {
        for row in schema().rows {
            assert!(row.path.chars().all(|c| c.is_ascii_lowercase() || c == '.'), "{}", row.path);
        }
    }

    #[test]
    fn no_key_exists_twice() {
        let schema = schema();
        let paths: std::collections::BTreeSet<&str> = schema.rows.iter().map(|row| row.path).collect();
        assert_eq!(paths.len(), schema.rows.len());
    }

    #[test]
    fn the_reference_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let rendered = reference_page();
        if std::env::var_os("MIMIC_UPDATE_DOCS").is_some() {
            std::fs::write(path, &rendered).expect("docs/configuration.md can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == rendered,
            "docs/configuration.md is stale; run `MIMIC_UPDATE_DOCS=1 cargo test -p mimic-server`"
        );
        let words = rendered.split_whitespace().count();
        assert!(words <= 1_500, "{words} words are more than readers read");
    }
}
