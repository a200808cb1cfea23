//! Settings of the server itself: ports, limits, which pods are rewritten, startup and shutdown.

use std::time::Duration;

use mimic_config::value_type::{DURATION, FLAG, GLOBS, HOST, NAME, OPTIONAL_COUNT, OPTIONAL_SIZE, PERIOD, PORT, SIZE};
use mimic_config::{Row, Setting};

/// An address and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// IP address or host name, without brackets.
    pub host: String,
    /// Port; 0 for any free one.
    pub port: u16,
}

/// Limits of requests and connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body in bytes.
    pub body: usize,
    /// Maximum concurrent connections; `None` to compute it from the memory limit.
    pub connections: Option<usize>,
    /// Bytes of all bodies that are being received and all responses that are being sent; `None` to compute it from the
    /// memory limit.
    pub memory: Option<usize>,
    /// Longest time to receive a request, and to send a response.
    pub request_time: Duration,
}

impl Limits {
    /// The least [`memory`](Self::memory) with which one body of the largest size can be received: a quarter is kept for
    /// small ones.
    pub(crate) fn least_memory(&self) -> usize {
        self.body + self.body / 2
    }
}

pub(super) const LISTEN_HOST: Setting<String> =
    Setting::new("listenhost", &HOST, "0.0.0.0", "Address of the webhook. `::` listens on IPv4 and IPv6.");
pub(super) const LISTEN_PORT: Setting<u16> =
    Setting::new("listenport", &PORT, "8443", "Port of the webhook, with TLS. `0`: a free port, which is logged.");
pub(super) const ADMIN_LISTEN_HOST: Setting<String> = Setting::new(
    "admin.listenhost",
    &HOST,
    "0.0.0.0",
    "Address of the admin port: `/healthz`, `/readyz` and `/metrics` over plain HTTP.",
);
pub(super) const ADMIN_LISTEN_PORT: Setting<u16> =
    Setting::new("admin.listenport", &PORT, "8081", "The admin port. `0` turns it off.");
pub(super) const WATCH_MIRRORS: Setting<bool> = Setting::new(
    "watchmirrors",
    &FLAG,
    "true",
    "`false`: read mirrors only once, at startup. Certificates are still reloaded.",
);
pub(super) const EXCLUDE_NAMESPACES: Setting<Vec<String>> = Setting::new(
    "exclude.namespaces",
    &GLOBS,
    "kube-system,kube-node-lease,kube-public",
    "Namespaces whose pods are skipped, in addition to Mimic's own.",
);
pub(super) const ANNOTATE: Setting<bool> = Setting::new(
    "annotate",
    &FLAG,
    "true",
    "Record the original images in an [annotation](admission.md#the-annotation) of the pod.",
);
pub(super) const DRY_RUN: Setting<bool> =
    Setting::new("dryrun", &FLAG, "false", "Only log and warn what would be rewritten.");
pub(super) const LIMITS_BODY: Setting<usize> = Setting::new(
    "limits.body",
    &SIZE,
    "8MiB",
    "Largest request body; beyond it, status 413. Keep it above 6 MiB: an UPDATE contains the object twice, each up \
     to 3 MiB.",
);
pub(super) const LIMITS_CONNECTIONS: Setting<Option<usize>> = Setting::new(
    "limits.connections",
    &OPTIONAL_COUNT,
    "",
    "Maximum connections; beyond it, a new one [closes another](operation.md#request-limits). When empty: a quarter \
     of the container's memory limit, divided by 32 KiB; at most 10000.",
);
pub(super) const LIMITS_MEMORY: Setting<Option<usize>> = Setting::new(
    "limits.memory",
    &OPTIONAL_SIZE,
    "",
    "Bytes of all bodies and responses in transit; beyond it, status 503. When empty: a quarter of the container's \
     memory limit.",
);
pub(super) const LIMITS_REQUEST_TIME: Setting<Duration> = Setting::new(
    "limits.requesttime",
    &PERIOD,
    "10s",
    "Timeout for receiving a request (status 408) or sending a response. A shorter `?timeout=` of the API server \
     takes precedence.",
);
pub(super) const DRAIN: Setting<Duration> = Setting::new(
    "drain",
    &DURATION,
    "5s",
    "How long Mimic keeps serving after SIGTERM, while not ready. Must exceed endpoint propagation time. The \
     manifests and the chart set `10s`.",
);
pub(super) const STARTUP: Setting<Duration> = Setting::new(
    "startup",
    &DURATION,
    "60s",
    "How long readiness waits for every source to load once; after that Mimic is ready, but degraded.",
);
pub(super) const NAMESPACE: Setting<String> = Setting::new(
    "kubernetes.namespace",
    &NAME,
    "",
    "Namespace of Mimic, its ConfigMap and Secret. When empty: the variable `POD_NAMESPACE`, then the service \
     account's namespace, then that of the kubeconfig's context, then `default`.",
);

pub(super) static ROWS: &[Row] = &[
    LISTEN_HOST.row(),
    LISTEN_PORT.row(),
    ADMIN_LISTEN_HOST.row(),
    ADMIN_LISTEN_PORT.row(),
    WATCH_MIRRORS.row(),
    EXCLUDE_NAMESPACES.row(),
    ANNOTATE.row(),
    DRY_RUN.row(),
    LIMITS_BODY.row(),
    LIMITS_CONNECTIONS.row(),
    LIMITS_MEMORY.row(),
    LIMITS_REQUEST_TIME.row(),
    DRAIN.row(),
    STARTUP.row(),
    NAMESPACE.row(),
];
