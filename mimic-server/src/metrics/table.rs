//! The one list of metrics. What is exposed and the page `docs/metrics.md` both come from here.

use mimic_core::Outcome;
use mimic_k8s::admission::Skip;
use prometheus::{HistogramOpts, Opts};

/// What is exposed under one name.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [Label],
    pub(crate) help: &'static str,
    /// What the page says beyond the help text.
    pub(crate) about: &'static str,
}

pub(crate) struct Label {
    pub(crate) name: &'static str,
    pub(crate) values: Values,
}

impl Label {
    /// What it can say, if that is a closed set.
    pub(crate) fn closed(&self) -> &'static [&'static str] {
        match self.values {
            Values::Closed(values) => values,
            Values::Configured(_) => &[],
        }
    }
}

/// What a label can say. Never what a request says: whoever may create pods must not be able to grow memory.
pub(crate) enum Values {
    /// One of these, all of which are exposed from the start.
    Closed(&'static [&'static str]),
    /// Something out of the configuration, in words.
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

/// Every metric of Mimic's own, in the order of the page.
pub(crate) static TABLE: &[&Metric] = &[
    &REQUESTS,
    &DURATION,
    &IMAGES,
    &RULE_IMAGES,
    &SKIPPED,
    &WARNINGS,
    &HANDSHAKE_FAILURES,
    &SOURCE_RULES,
    &SOURCE_SKIPPED,
    &SOURCE_LOADS,
    &SOURCE_FAILURES,
    &SOURCE_LAST_SUCCESS,
    &CERTIFICATE_EXPIRY,
    &CERTIFICATE_LOADS,
    &READY,
    &LOG_LOST,
    &BUILD,
];

/// What a request asked for. `none`: it was not understood.
const OPERATIONS: Label = Label { name: "operation", values: Values::Closed(&["CREATE", "UPDATE", "other", "none"]) };
const SOURCE: Label = Label {
    name: "source",
    values: Values::Configured("a source, as the logs call it: `environment`, `file:…`, `configmap:…`"),
};

pub(crate) static REQUESTS: Metric = Metric {
    name: "mimic_admission_requests_total",
    kind: Kind::Counter,
    labels: &[
        OPERATIONS,
        Label { name: "outcome", values: Values::Closed(&["rewritten", "unchanged", "skipped", "refused", "error"]) },
    ],
    help: "Requests to the webhook.",
    about: "`skipped`: see `mimic_pods_skipped_total`. `refused`: not an AdmissionReview, too large or too slow, answered with \
            4xx; the operation is then `none`. `error`: a defect of Mimic; the pod was allowed as it is. With `MIMIC_DRYRUN` \
            on, `rewritten` counts the pods that would have been.",
};
pub(crate) static DURATION: Metric = Metric {
    name: "mimic_admission_duration_seconds",
    kind: Kind::Histogram,
    labels: &[],
    help: "Time from a whole request in memory to a whole answer in memory.",
    about: "What Mimic itself adds to the creation of a pod. The network and TLS come on top; the API server measures the \
            whole as `apiserver_admission_webhook_admission_duration_seconds`.",
};
pub(crate) static IMAGES: Metric = Metric {
    name: "mimic_images_total",
    kind: Kind::Counter,
    labels: &[Label { name: "reason", values: Values::Closed(&Outcome::REASONS) }],
    help: "Images that were decided, by what became of them.",
    about: "The reasons are those of the logs and of `mimic explain`.",
};
pub(crate) static RULE_IMAGES: Metric = Metric {
    name: "mimic_rule_images_total",
    kind: Kind::Counter,
    labels: &[
        SOURCE,
        Label { name: "rule", values: Values::Configured("the name of a rule; its upstream, unless it was given one") },
    ],
    help: "Images that a rule decided, whether it rewrote them or left them as they were.",
    about: "A rule has a line from its first image on, and none any more once it is gone from its source.",
};
pub(crate) static SKIPPED: Metric = Metric {
    name: "mimic_pods_skipped_total",
    kind: Kind::Counter,
    labels: &[Label { name: "reason", values: Values::Closed(&SKIPS) }],
    help: "Requests answered without a look at their images.",
    about: "Most of these the API server does not even send, with the registration that is shipped.",
};
pub(crate) static WARNINGS: Metric = Metric {
    name: "mimic_admission_warnings_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Warnings that went back to whoever sent a pod.",
    about: "The log has their texts.",
};
pub(crate) static HANDSHAKE_FAILURES: Metric = Metric {
    name: "mimic_tls_handshake_failures_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Connections that ended before TLS was set up.",
    about: "A steady rise while `mimic_admission_requests_total` stands still: the API server does not trust the certificate, \
            so the caBundle of the webhook configuration is not that of the certificate. Probes that only open a connection \
            count as well.",
};
pub(crate) static SOURCE_RULES: Metric = Metric {
    name: "mimic_source_rules",
    kind: Kind::Gauge,
    labels: &[SOURCE],
    help: "Rules in the last good list of a source.",
    about: "A source that has not loaded yet has no line.",
};
pub(crate) static SOURCE_SKIPPED: Metric = Metric {
    name: "mimic_source_skipped_entries",
    kind: Kind::Gauge,
    labels: &[SOURCE],
    help: "Entries of a source's last list that were left out because they are wrong.",
    about: "The log and `/readyz?verbose` say which and why.",
};
pub(crate) static SOURCE_LOADS: Metric = Metric {
    name: "mimic_source_loads_total",
    kind: Kind::Counter,
    labels: &[SOURCE],
    help: "Lists that a source gave.",
    about: "Each of them was compiled and put in place of the one before.",
};
pub(crate) static SOURCE_FAILURES: Metric = Metric {
    name: "mimic_source_failures_total",
    kind: Kind::Counter,
    labels: &[SOURCE],
    help: "Attempts to get a source's list that failed; its last good one stays in use.",
    about: "",
};
pub(crate) static SOURCE_LAST_SUCCESS: Metric = Metric {
    name: "mimic_source_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[SOURCE],
    help: "When a source gave a list last, in seconds since 1970.",
    about: "Sources that are followed, such as files, give one only when it changes: an old time alone is no fault.",
};
pub(crate) static CERTIFICATE_EXPIRY: Metric = Metric {
    name: "mimic_certificate_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "When the certificate in use expires, in seconds since 1970.",
    about: "There is no line until there is a certificate.",
};
pub(crate) static CERTIFICATE_LOADS: Metric = Metric {
    name: "mimic_certificate_loads_total",
    kind: Kind::Counter,
    labels: &[Label { name: "outcome", values: Values::Closed(&["used", "refused"]) }],
    help: "Certificates that were taken up, and reasons not to take one up.",
    about: "`refused`: it could not be read or cannot be used; if there was one before, that one stays in use. A reason that \
            stays counts once.",
};
pub(crate) static READY: Metric = Metric {
    name: "mimic_ready",
    kind: Kind::Gauge,
    labels: &[Label { name: "state", values: Values::Closed(&["ready", "degraded", "unready"]) }],
    help: "What /readyz says.",
    about: "One of the three is 1. `degraded` is ready, with something that wants attention; `/readyz?verbose` says what.",
};
pub(crate) static LOG_LOST: Metric = Metric {
    name: "mimic_log_lines_lost_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Log lines that were lost because the log was not read fast enough.",
    about: "A line of the log tells of them, too. No pod waits for the log.",
};
pub(crate) static BUILD: Metric = Metric {
    name: "mimic_build_info",
    kind: Kind::Gauge,
    labels: &[Label { name: "version", values: Values::Configured("Mimic's version") }],
    help: "Always 1; which version it is says the label.",
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
