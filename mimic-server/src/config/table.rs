//! The one list of configuration keys. Names, variables, defaults, checks and the reference page all come from here.

use std::path::PathBuf;
use std::time::Duration;

use mimic_harbor::Overrides;

use super::form::{
    self, CERTIFICATE_ORIGIN, CertificateOrigin, DURATION, FLAG, Form, GLOBS, HOST, LOG_FORMAT, LOG_LEVEL, LogFormat,
    LogLevel, NAME, OVERRIDES, PATH, PATHS, PERIOD, PORT, SECRET, SIZE, TEXT,
};

/// The variable that names the configuration file; it has no key in the file itself.
pub(crate) const CONFIG_VARIABLE: &str = "MIMIC_CONFIG";

/// One key with the type of its value.
pub(crate) struct Key<T: 'static> {
    /// Levels joined by dots; every level is one word.
    pub(crate) path: &'static str,
    pub(crate) default: &'static str,
    pub(crate) form: &'static Form<T>,
    about: &'static str,
}

impl<T> Key<T> {
    const fn new(path: &'static str, form: &'static Form<T>, default: &'static str, about: &'static str) -> Self {
        Self { path, default, form, about }
    }

    const fn row(&self) -> Row {
        Row {
            path: self.path,
            what: self.form.what,
            allowed: self.form.allowed,
            default: self.default,
            about: self.about,
        }
    }

    pub(crate) fn variable(&self) -> String {
        variable(self.path)
    }
}

/// One key without its type: a line of the reference.
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) what: &'static str,
    pub(crate) allowed: &'static str,
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
}

impl Row {
    pub(crate) fn variable(&self) -> String {
        variable(self.path)
    }
}

/// The environment variable of a key.
pub(crate) fn variable(path: &str) -> String {
    format!("MIMIC_{}", path.replace('.', "_").to_ascii_uppercase())
}

/// Every key, in the order of the reference page.
pub(crate) static TABLE: &[Row] = &[
    LISTEN_HOST.row(),
    LISTEN_PORT.row(),
    ADMIN_LISTEN_HOST.row(),
    ADMIN_LISTEN_PORT.row(),
    LOG_LEVEL_KEY.row(),
    LOG_FORMAT_KEY.row(),
    CERTIFICATE_SOURCE.row(),
    CERTIFICATE_CERTFILE.row(),
    CERTIFICATE_KEYFILE.row(),
    CERTIFICATE_SERVICE.row(),
    CERTIFICATE_WEBHOOK.row(),
    CERTIFICATE_VALIDITY.row(),
    CERTIFICATE_AUTHORITY_VALIDITY.row(),
    MIRRORS.row(),
    FILE_PATH.row(),
    FILE_WATCH.row(),
    WATCH_MIRRORS.row(),
    EXCLUDE_NAMESPACES.row(),
    ANNOTATE.row(),
    DRY_RUN.row(),
    LIMITS_BODY.row(),
    LIMITS_CONNECTIONS.row(),
    LIMITS_REQUEST_TIME.row(),
    DRAIN.row(),
    STARTUP.row(),
    KUBERNETES_ENABLED.row(),
    KUBERNETES_NAMESPACE.row(),
    KUBERNETES_CERTSECRET.row(),
    KUBERNETES_CONFIGMAP.row(),
    KUBERNETES_WATCH.row(),
    KUBERNETES_EVENTS.row(),
    HARBOR_ENABLED.row(),
    HARBOR_NAME.row(),
    HARBOR_API_HOST.row(),
    HARBOR_API_CAFILE.row(),
    HARBOR_REGISTRY_URL.row(),
    HARBOR_ROBOT_USERNAME.row(),
    HARBOR_ROBOT_PASSWORD.row(),
    HARBOR_ROBOT_PASSWORDFILE.row(),
    HARBOR_TIMEOUT_CONNECT.row(),
    HARBOR_TIMEOUT_REQUEST.row(),
    HARBOR_WATCH.row(),
    HARBOR_INTERVAL.row(),
    HARBOR_PRIVATE.row(),
    HARBOR_PULL_SECRET.row(),
    HARBOR_PROJECTS.row(),
    HARBOR_UNHEALTHY.row(),
    HARBOR_OVERRIDES.row(),
    OPENSHIFT_ENABLED.row(),
];

pub(crate) const LISTEN_HOST: Key<String> =
    Key::new("listenhost", &HOST, "0.0.0.0", "Address that the webhook listens on. `::` listens on IPv6 as well.");
pub(crate) const LISTEN_PORT: Key<u16> = Key::new(
    "listenport",
    &PORT,
    "8443",
    "Port that the webhook listens on, with TLS. `0` takes any free port; the log says which.",
);
pub(crate) const ADMIN_LISTEN_HOST: Key<String> = Key::new(
    "admin.listenhost",
    &HOST,
    "0.0.0.0",
    "Address of the second port, which serves `/healthz`, `/readyz` and `/metrics` over plain HTTP.",
);
pub(crate) const ADMIN_LISTEN_PORT: Key<u16> =
    Key::new("admin.listenport", &PORT, "8081", "The second port. `0` switches it off.");
pub(crate) const LOG_LEVEL_KEY: Key<LogLevel> = Key::new(
    "loglevel",
    &LOG_LEVEL,
    "info",
    "How much Mimic logs, to stderr. `fatal` and `panic` are accepted for those who move over and mean `error`. Libraries \
     log warnings and errors only. `RUST_LOG` overrides this by module: `RUST_LOG=mimic_server::sources=debug`.",
);
pub(crate) const LOG_FORMAT_KEY: Key<LogFormat> = Key::new(
    "logformat",
    &LOG_FORMAT,
    "text",
    "`text` for people, `json` for collectors: one object a line with `time`, `level`, `target`, `message` and the values \
     of that message as further keys.",
);
pub(crate) const CERTIFICATE_SOURCE: Key<CertificateOrigin> = Key::new(
    "certificate.source",
    &CERTIFICATE_ORIGIN,
    "kubernetes",
    "Where the serving certificate comes from. `kubernetes`: a Secret, taken up while serving when it changes. `file`: two \
     PEM files, likewise. `managed`: Mimic makes it, with an authority of its own, and renews both. `selfsigned`: made at \
     start, for trying Mimic out; nothing trusts it. [certificates.md](certificates.md) describes each.",
);
pub(crate) const CERTIFICATE_CERTFILE: Key<PathBuf> = Key::new(
    "certificate.certfile",
    &PATH,
    "",
    "PEM file with the certificate, followed by its intermediates. Needed by the source `file`.",
);
pub(crate) const CERTIFICATE_KEYFILE: Key<PathBuf> = Key::new(
    "certificate.keyfile",
    &PATH,
    "",
    "PEM file with the certificate's private key, not encrypted. Needed by the source `file`.",
);
pub(crate) const CERTIFICATE_SERVICE: Key<String> = Key::new(
    "certificate.service",
    &NAME,
    "mimic",
    "Service by which the API server calls Mimic. Certificates must name `SERVICE.NAMESPACE.svc`: those of the sources \
     `kubernetes` and `managed`, and in a pod those of `file`. Empty, which only the configuration file can \
     say, when the API server calls a URL instead: then names are not checked. `managed` needs it.",
);
pub(crate) const CERTIFICATE_WEBHOOK: Key<String> = Key::new(
    "certificate.webhook",
    &NAME,
    "mimic",
    "MutatingWebhookConfiguration whose caBundle is kept in step with a `managed` certificate.",
);
pub(crate) const CERTIFICATE_VALIDITY: Key<Duration> = Key::new(
    "certificate.validity",
    &PERIOD,
    "2160h",
    "How long a `managed` certificate is good for, from `10s`; the default is 90 days. It is replaced at two thirds of that.",
);
pub(crate) const CERTIFICATE_AUTHORITY_VALIDITY: Key<Duration> = Key::new(
    "certificate.authorityvalidity",
    &PERIOD,
    "87600h",
    "How long the authority of `managed` certificates is good for, at least three times as long as a certificate; the \
     default is ten years. It gets a successor at two thirds of that.",
);
pub(crate) const MIRRORS: Key<String> = Key::new(
    "mirrors",
    &form::MIRRORS,
    "",
    "Mirrors in the short form: `docker.io=harbor.example.com/dockerhub,quay.io=harbor.example.com/quay`. These come \
     before those of all other sources when two speak of the same upstream.",
);
pub(crate) const FILE_PATH: Key<Vec<PathBuf>> =
    Key::new("file.path", &PATHS, "", "Files with mirrors (`mirrors.yaml`). Earlier files come before later ones.");
pub(crate) const FILE_WATCH: Key<bool> =
    Key::new("file.watch", &FLAG, "true", "Whether the files with mirrors are read again when they change.");
pub(crate) const WATCH_MIRRORS: Key<bool> = Key::new(
    "watchmirrors",
    &FLAG,
    "true",
    "Master switch of all watching for mirrors; `false` reads every source once. Certificates are watched regardless.",
);
pub(crate) const EXCLUDE_NAMESPACES: Key<Vec<String>> = Key::new(
    "exclude.namespaces",
    &GLOBS,
    "kube-system,kube-node-lease,kube-public",
    "Namespaces whose pods are left alone. The one that Mimic runs in always is; outside a cluster there is none.",
);
pub(crate) const ANNOTATE: Key<bool> = Key::new(
    "annotate",
    &FLAG,
    "true",
    "Whether the images as they were written are kept in the pod's annotation `mimic.cryptkcoding.com/original-images`.",
);
pub(crate) const DRY_RUN: Key<bool> =
    Key::new("dryrun", &FLAG, "false", "Decide, log and warn, but change no pod: to see what Mimic would do.");
pub(crate) const LIMITS_BODY: Key<usize> = Key::new(
    "limits.body",
    &SIZE,
    "8MiB",
    "Largest request body; a larger one is answered with 413. The API server sends the object twice in an UPDATE, and \
     its own limit is 3 MiB.",
);
pub(crate) const LIMITS_CONNECTIONS: Key<usize> = Key::new(
    "limits.connections",
    &form::COUNT,
    "10000",
    "Most connections at a time, shared out evenly among the worker threads. Further ones wait to be accepted.",
);
pub(crate) const LIMITS_REQUEST_TIME: Key<Duration> = Key::new(
    "limits.requesttime",
    &PERIOD,
    "10s",
    "Longest time that receiving a request may take; then it is answered with 408. Less when the API server's \
     `?timeout=` is less.",
);
pub(crate) const DRAIN: Key<Duration> = Key::new(
    "drain",
    &DURATION,
    "5s",
    "How long Mimic keeps serving, already unready, after SIGTERM. It must be longer than a Service takes to drop a pod.",
);
pub(crate) const STARTUP: Key<Duration> = Key::new(
    "startup",
    &DURATION,
    "60s",
    "How long readiness waits for every source to load once; then Mimic serves, degraded, with those that did.",
);
pub(crate) const KUBERNETES_ENABLED: Key<bool> = Key::new(
    "kubernetes.enabled",
    &FLAG,
    "true",
    "Whether mirrors are taken from a ConfigMap, `kubernetes.configmap`. Without a cluster set it to `false`. The cluster is \
     that of the kubeconfig that `KUBECONFIG` names, or else the pod's own, or else that of `~/.kube/config`.",
);
pub(crate) const KUBERNETES_NAMESPACE: Key<String> = Key::new(
    "kubernetes.namespace",
    &NAME,
    "",
    "Namespace that Mimic runs in, which has its ConfigMap and its Secret. When empty: the variable `POD_NAMESPACE`, then \
     the service account's namespace, then that of the kubeconfig's context, then `default`. Pods in it are left alone.",
);
pub(crate) const KUBERNETES_CERTSECRET: Key<String> = Key::new(
    "kubernetes.certsecret",
    &NAME,
    "mimic-certs",
    "Secret with the certificate, for the certificate sources `kubernetes` and `managed`.",
);
pub(crate) const KUBERNETES_CONFIGMAP: Key<String> = Key::new(
    "kubernetes.configmap",
    &NAME,
    "mimic-mirrors",
    "ConfigMap with the mirrors, in Mimic's namespace. [mirrors.md](mirrors.md#in-a-configmap) describes it. One that does \
         not exist has no mirrors; it can be made later.",
);
pub(crate) const KUBERNETES_WATCH: Key<bool> = Key::new(
    "kubernetes.watch",
    &FLAG,
    "true",
    "Whether the ConfigMap is watched; `false` reads it once, at the start.",
);
pub(crate) const KUBERNETES_EVENTS: Key<bool> = Key::new(
    "kubernetes.events",
    &FLAG,
    "true",
    "Whether bad entries are reported as Events on the ConfigMap, beside the log.",
);
pub(crate) const HARBOR_ENABLED: Key<bool> = Key::new(
    "harbor.enabled",
    &FLAG,
    "false",
    "Whether mirrors are discovered from Harbor's proxy-cache projects; [harbor.md](harbor.md) describes it. A file can \
     list several Harbors under `harbor`, each with these keys; one that is listed is enabled.",
);
pub(crate) const HARBOR_NAME: Key<String> = Key::new(
    "harbor.name",
    &NAME,
    "",
    "What this Harbor is called: its mirrors come from the source `harbor:NAME`, or `harbor` without a name. Each of \
     several needs a name of its own.",
);
pub(crate) const HARBOR_API_HOST: Key<String> = Key::new(
    "harbor.api.host",
    &TEXT,
    "",
    "Harbor's host, host:port or URL, with a path if its API lies under one; https unless `http://` is written out. The \
     variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured.",
);
pub(crate) const HARBOR_API_CAFILE: Key<PathBuf> = Key::new(
    "harbor.api.cafile",
    &PATH,
    "",
    "PEM file with the authorities that Harbor's certificate is checked against, instead of the system's. It is read \
     again when it changes.",
);
pub(crate) const HARBOR_REGISTRY_URL: Key<String> = Key::new(
    "harbor.registryurl",
    &TEXT,
    "",
    "Registry address that pods pull from, `host` or `host:port`. When empty, Harbor is asked, which tells it to accounts \
     only. The API's host is never taken for it: that is often one that nodes cannot reach.",
);
pub(crate) const HARBOR_ROBOT_USERNAME: Key<String> = Key::new(
    "harbor.robot.username",
    &TEXT,
    "",
    "Name of the robot account, with its `robot$`, or of a user. Without one, Harbor is asked as nobody.",
);
pub(crate) const HARBOR_ROBOT_PASSWORD: Key<String> =
    Key::new("harbor.robot.password", &SECRET, "", "The account's password. Never logged.");
pub(crate) const HARBOR_ROBOT_PASSWORDFILE: Key<PathBuf> = Key::new(
    "harbor.robot.passwordfile",
    &PATH,
    "",
    "File with the password instead, such as a mounted Secret; read again when it changes. Setting both is an error.",
);
pub(crate) const HARBOR_TIMEOUT_CONNECT: Key<Duration> =
    Key::new("harbor.timeout.connect", &PERIOD, "10s", "Longest time to make a connection to Harbor, with TLS.");
pub(crate) const HARBOR_TIMEOUT_REQUEST: Key<Duration> = Key::new(
    "harbor.timeout.request",
    &PERIOD,
    "30s",
    "Longest time that one request to Harbor may take. One that has lost its Redis takes 13 seconds.",
);
pub(crate) const HARBOR_WATCH: Key<bool> = Key::new(
    "harbor.watch",
    &FLAG,
    "true",
    "Whether Harbor is asked again on an interval; `false` asks until it answered once.",
);
pub(crate) const HARBOR_INTERVAL: Key<Duration> = Key::new(
    "harbor.interval",
    &PERIOD,
    "5m",
    "Time between two refreshes, give or take a tenth; 1s or more. After a failure Harbor is asked sooner, at growing \
     intervals of up to a minute, but not before the time that it asks for.",
);
pub(crate) const HARBOR_PRIVATE: Key<bool> = Key::new(
    "harbor.private",
    &FLAG,
    "false",
    "Whether private projects are used as well. Pods need credentials to pull from those.",
);
pub(crate) const HARBOR_PULL_SECRET: Key<String> = Key::new(
    "harbor.pullsecret",
    &NAME,
    "",
    "Pull secret added to pods that pull from a private project. It must exist in the namespace of each of them.",
);
pub(crate) const HARBOR_PROJECTS: Key<Vec<String>> =
    Key::new("harbor.projects", &GLOBS, "*", "Projects to use, by name.");
pub(crate) const HARBOR_UNHEALTHY: Key<bool> = Key::new(
    "harbor.unhealthy",
    &FLAG,
    "true",
    "Whether projects are used whose registry endpoint is not `healthy`. Harbor serves what it has cached of those and \
     has nothing else.",
);
pub(crate) const HARBOR_OVERRIDES: Key<Overrides> = Key::new(
    "harbor.overrides",
    &OVERRIDES,
    "",
    "Upstreams of projects whose endpoint does not tell them, or tells something else: \
     `ecr=123456789012.dkr.ecr.eu-west-1.amazonaws.com`.",
);
pub(crate) const OPENSHIFT_ENABLED: Key<bool> = Key::new(
    "openshift.enabled",
    &FLAG,
    "false",
    "Whether mirrors are taken from OpenShift's mirror sets. Not available in this version: `true` stops the start.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixteen_variables_of_existing_users_are_kept() {
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
        for (variable, default) in kept {
            let row = TABLE.iter().find(|row| row.variable() == variable);
            assert_eq!(row.map(|row| row.default), Some(default), "{variable}");
        }
    }

    #[test]
    fn every_level_of_a_key_is_one_word() {
        for row in TABLE {
            assert!(row.path.chars().all(|c| c.is_ascii_lowercase() || c == '.'), "{}", row.path);
        }
    }

    #[test]
    fn no_key_is_listed_twice() {
        let mut paths: Vec<&str> = TABLE.iter().map(|row| row.path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), TABLE.len());
    }
}
