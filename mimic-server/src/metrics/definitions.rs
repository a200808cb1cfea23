//! The definitions of all metrics. `/metrics` and the page `docs/metrics.md` are generated from them.

use mimic_core::ReasonCode;
use mimic_k8s::admission::Skip;
use prometheus::{HistogramOpts, Opts};

/// One metric.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [Label],
    pub(crate) help: &'static str,
    /// What the page adds to the help text.
    pub(crate) about: &'static str,
}

pub(crate) struct Label {
    pub(crate) name: &'static str,
    pub(crate) values: Values,
}

impl Label {
    /// The fixed values; none if the values come from the configuration.
    pub(crate) fn closed(&self) -> &'static [&'static str] {
        match self.values {
            Values::Closed(values) => values,
            Values::Configured(_) => &[],
        }
    }
}

/// The values of a label. They never come from a request: users who create pods must not be able to add series.
pub(crate) enum Values {
    /// One of these; all are exposed from the start.
    Closed(&'static [&'static str]),
    /// A value from the configuration, as this describes.
    Configured(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Metric {
    pub(crate) fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    pub(crate) fn label_names(&self) -> Vec<&'static str> {
        self.labels.iter().map(|label| label.name).collect()
    }

    /// A histogram over these upper bounds, in seconds.
    pub(crate) fn histogram(&self, bounds: &[f64]) -> HistogramOpts {
        HistogramOpts::new(self.name, self.help).buckets(bounds.to_vec())
    }
}

/// Every metric that Mimic defines, in the order of the page.
pub(crate) static TABLE: &[&Metric] = &[
    &REQUESTS,
    &DURATION,
    &IMAGES,
    &RULE_IMAGES,
    &SKIPPED,
    &WARNINGS,
    &HANDSHAKE_FAILURES,
    &EVICTIONS,
    &SOURCE_RULES,
    &SOURCE_SKIPPED,
    &SOURCE_LOADS,
    &SOURCE_FAILURES,
    &SOURCE_LAST_SUCCESS,
    &CERTIFICATE_EXPIRY,
    &CERTIFICATE_LOADS,
    &POLICY_RULES,
    &POLICY_UP_TO_DATE,
    &POLICY_LAST_WRITE,
    &POLICY_INFO,
    &READY,
    &LOG_LOST,
    &BUILD,
];

/// The operation of the review. `none`: the request was not a valid review.
const OPERATIONS: Label = Label { name: "operation", values: Values::Closed(&["CREATE", "UPDATE", "other", "none"]) };
const SOURCE: Label = Label { name: "source", values: Values::Configured("[above](#metrics)") };

pub(crate) static REQUESTS: Metric = Metric {
    name: "mimic_admission_requests_total",
    kind: Kind::Counter,
    labels: &[
        OPERATIONS,
        Label { name: "outcome", values: Values::Closed(&["rewritten", "unchanged", "skipped", "refused", "error"]) },
    ],
    help: "Requests to the webhook, by result.",
    about: "`refused`: 4xx, because the request was not an AdmissionReview, too large or too slow. `error`: a bug; the pod was \
            admitted unchanged. With `MIMIC_DRYRUN`, `rewritten` counts pods that would have been rewritten.",
};
pub(crate) static DURATION: Metric = Metric {
    name: "mimic_admission_duration_seconds",
    kind: Kind::Histogram,
    labels: &[],
    help: "Time to process a review, without network and TLS.",
    about: "The API server measures the whole call as `apiserver_admission_webhook_admission_duration_seconds`.",
};
pub(crate) static IMAGES: Metric = Metric {
    name: "mimic_images_total",
    kind: Kind::Counter,
    labels: &[Label { name: "reason", values: Values::Closed(&REASONS) }],
    help: "Images processed, by outcome.",
    about: "[how-it-decides.md](how-it-decides.md) explains the reasons.",
};
pub(crate) static RULE_IMAGES: Metric = Metric {
    name: "mimic_rule_images_total",
    kind: Kind::Counter,
    labels: &[SOURCE, Label { name: "rule", values: Values::Configured("rule name (defaults to its upstream)") }],
    help: "Images that a rule matched, rewritten or not.",
    about: "A series appears with its first image and disappears with the rule.",
};
pub(crate) static SKIPPED: Metric = Metric {
    name: "mimic_pods_skipped_total",
    kind: Kind::Counter,
    labels: &[Label { name: "reason", values: Values::Closed(&SKIPS) }],
    help: "Pods skipped without processing their images.",
    about: "The default webhook configuration filters most of them out.",
};
pub(crate) static WARNINGS: Metric = Metric {
    name: "mimic_admission_warnings_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Admission warnings returned to API clients.",
    about: "The log has their texts.",
};
pub(crate) static HANDSHAKE_FAILURES: Metric = Metric {
    name: "mimic_tls_handshake_failures_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Connections that failed before TLS was established.",
    about: "If only this rises, not `mimic_admission_requests_total`, the API server does not trust the certificate: \
            `caBundle` is wrong. TCP probes are counted too.",
};
pub(crate) static EVICTIONS: Metric = Metric {
    name: "mimic_connections_evicted_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Connections that were closed to make room for new ones.",
    about: "The limit is `limits.connections`.",
};
pub(crate) static SOURCE_RULES: Metric = Metric {
    name: "mimic_source_rules",
    kind: Kind::Gauge,
    labels: &[SOURCE],
    help: "Number of rules loaded from a source.",
    about: "No series until the source has loaded.",
};
pub(crate) static SOURCE_SKIPPED: Metric = Metric {
    name: "mimic_source_skipped_entries",
    kind: Kind::Gauge,
    labels: &[SOURCE],
    help: "Invalid entries in the last list of a source.",
    about: "The log and `/readyz?verbose` show the errors.",
};
pub(crate) static SOURCE_LOADS: Metric = Metric {
    name: "mimic_source_loads_total",
    kind: Kind::Counter,
    labels: &[SOURCE],
    help: "Successful loads of a source.",
    about: "Each replaces the previous rules.",
};
pub(crate) static SOURCE_FAILURES: Metric = Metric {
    name: "mimic_source_failures_total",
    kind: Kind::Counter,
    labels: &[SOURCE],
    help: "Failed loads of a source; its last good rules stay in use.",
    about: "",
};
pub(crate) static SOURCE_LAST_SUCCESS: Metric = Metric {
    name: "mimic_source_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[SOURCE],
    help: "Unix time of the last successful load of a source.",
    about: "Watched sources load only on change, so an old timestamp alone is not an error.",
};
pub(crate) static CERTIFICATE_EXPIRY: Metric = Metric {
    name: "mimic_certificate_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "Unix time at which the serving certificate expires.",
    about: "No series until a certificate is loaded.",
};
pub(crate) static CERTIFICATE_LOADS: Metric = Metric {
    name: "mimic_certificate_loads_total",
    kind: Kind::Counter,
    labels: &[Label { name: "outcome", values: Values::Closed(&["used", "refused"]) }],
    help: "Certificate loads, by result.",
    about: "`refused`: the previous one stays in use. A persistent error is counted once.",
};
pub(crate) static POLICY_RULES: Metric = Metric {
    name: "mimic_policy_rules",
    kind: Kind::Gauge,
    labels: &[Label { name: "place", values: Values::Closed(&["policy", "webhook"]) }],
    help: "Rules that the admission policy has, and rules that it leaves to the webhook.",
    about: "No series of `mimic_policy_…` without `MIMIC_POLICY_ENABLED`.",
};
pub(crate) static POLICY_UP_TO_DATE: Metric = Metric {
    name: "mimic_policy_up_to_date",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 if the stored admission policy has this replica's rules, 0 otherwise.",
    about: "`/readyz?verbose` shows the reason for 0.",
};
pub(crate) static POLICY_LAST_WRITE: Metric = Metric {
    name: "mimic_policy_last_write_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "Unix time at which this replica last wrote the admission policy.",
    about: "No series until then: another replica may have written it.",
};
pub(crate) static POLICY_INFO: Metric = Metric {
    name: "mimic_policy_info",
    kind: Kind::Gauge,
    labels: &[Label {
        name: "hash",
        values: Values::Configured("hash of the stored policy, as `mimic policy` prints it"),
    }],
    help: "Always 1; the label identifies the content of the stored admission policy.",
    about: "It is equal on all replicas.",
};
pub(crate) static READY: Metric = Metric {
    name: "mimic_ready",
    kind: Kind::Gauge,
    labels: &[Label { name: "state", values: Values::Closed(&["ready", "degraded", "unready"]) }],
    help: "Readiness state.",
    about: "Exactly one state is 1. `degraded`: ready, but something needs attention; see `/readyz?verbose`.",
};
pub(crate) static LOG_LOST: Metric = Metric {
    name: "mimic_log_lines_lost_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Log lines dropped because the output was too slow.",
    about: "",
};
pub(crate) static BUILD: Metric = Metric {
    name: "mimic_build_info",
    kind: Kind::Gauge,
    labels: &[Label { name: "version", values: Values::Configured("version of Mimic") }],
    help: "Always 1; the version is in the label.",
    about: "",
};

const SKIPS: [&str; Skip::ALL.len()] = {
    let mut names = [""; Skip::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Skip::ALL[index].as_str();
        index += 1;
    }
    names
};

/// The same for the reasons of outcomes.
const REASONS: [&str; ReasonCode::ALL.len()] = {
    let mut names = [""; ReasonCode::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = ReasonCode::ALL[index].as_str();
        index += 1;
    }
    names
};
