//! Metrics for Prometheus: counted while serving, or read from other parts of the server at each scrape.

mod counters;
mod definitions;
mod page;
mod state;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mimic_core::{Catalog, Snapshot};
use mimic_k8s::admission::{Review, Verdict};
use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntCounterVec, Registry, Result, TextEncoder};

use crate::health::Health;
use counters::{Counters, find};
use state::Observer;

/// Upper bounds of the buckets of durations, in seconds. A typical review takes tens of microseconds.
const BOUNDS: [f64; 12] = [10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 100e-3, 1.0];

/// The counters and the registry. Requests are counted without locks.
pub struct Metrics {
    registry: Registry,
    requests: Vec<(&'static str, Counters)>,
    duration: Histogram,
    images: Counters,
    skipped: Counters,
    warnings: IntCounter,
    handshake_failures: IntCounter,
    evictions: IntCounter,
    loads: IntCounterVec,
    failures: IntCounterVec,
    last_success: GaugeVec,
}

impl Metrics {
    /// The metrics of a server that uses `catalog` and `health`.
    ///
    /// # Errors
    ///
    /// When two metrics have the same name; a test excludes this.
    pub fn new(catalog: &Arc<Catalog>, health: &Arc<Health>) -> Result<Self> {
        let registry = Registry::new();
        let vector = |metric: &definitions::Metric| -> Result<IntCounterVec> {
            let vector = IntCounterVec::new(metric.opts(), &metric.label_names())?;
            registry.register(Box::new(vector.clone()))?;
            Ok(vector)
        };
        let counter = |metric: &definitions::Metric| -> Result<IntCounter> {
            let counter = IntCounter::with_opts(metric.opts())?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let duration = Histogram::with_opts(definitions::DURATION.histogram(&BOUNDS))?;
        registry.register(Box::new(duration.clone()))?;
        let last_success =
            GaugeVec::new(definitions::SOURCE_LAST_SUCCESS.opts(), &definitions::SOURCE_LAST_SUCCESS.label_names())?;
        registry.register(Box::new(last_success.clone()))?;
        let version = definitions::BUILD.opts().const_label("version", env!("CARGO_PKG_VERSION"));
        let build = Gauge::with_opts(version)?;
        build.set(1.0);
        registry.register(Box::new(build))?;
        registry.register(Box::new(Observer::new(Arc::clone(catalog), Arc::clone(health))?))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;

        let metrics = Self {
            requests: Counters::by(&definitions::REQUESTS, &registry)?,
            duration,
            images: Counters::new(&definitions::IMAGES, &registry)?,
            skipped: Counters::new(&definitions::SKIPPED, &registry)?,
            warnings: counter(&definitions::WARNINGS)?,
            handshake_failures: counter(&definitions::HANDSHAKE_FAILURES)?,
            evictions: counter(&definitions::EVICTIONS)?,
            loads: vector(&definitions::SOURCE_LOADS)?,
            failures: vector(&definitions::SOURCE_FAILURES)?,
            last_success,
            registry,
        };
        // Without an initial zero, Prometheus cannot compute a rate for the first failure.
        for source in catalog.status() {
            metrics.loads.with_label_values(&[&source.name]);
            metrics.failures.with_label_values(&[&source.name]);
        }
        Ok(metrics)
    }

    /// Counts a review that was processed with the rules of `rewriter`.
    pub(crate) fn decided(&self, review: &Review<'_>, verdict: &Verdict<'_>, rewriter: &Snapshot, took: Duration) {
        let mut rewritten = false;
        for image in verdict.images() {
            self.images.count(image.outcome.reason().as_str());
            rewritten |= image.outcome.rewritten().is_some();
            if let Some(rule) = image.outcome.rule() {
                rewriter.note_use(rule);
            }
        }
        let outcome = match verdict.skipped() {
            Some(skip) => {
                self.skipped.count(skip.as_str());
                "skipped"
            }
            None if rewritten => "rewritten",
            None => "unchanged",
        };
        let warnings = verdict.warnings().len();
        if warnings > 0 {
            self.warnings.inc_by(warnings as u64);
        }
        self.request(review.operation(), outcome);
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts a request that was answered with an error.
    pub(crate) fn refused(&self) {
        self.request("none", "refused");
    }

    /// Counts a review that Mimic could not process because of a bug.
    pub(crate) fn failed(&self) {
        self.request("none", "error");
    }

    fn request(&self, operation: &str, outcome: &str) {
        let counters = find(&self.requests, operation).or_else(|| find(&self.requests, "other"));
        if let Some(counters) = counters {
            counters.count(outcome);
        }
    }

    /// Counts a connection that ended before TLS was set up.
    pub(crate) fn handshake_failed(&self) {
        self.handshake_failures.inc();
    }

    /// Counts a connection that was closed to make room.
    pub(crate) fn evicted(&self) {
        self.evictions.inc();
    }

    /// Counts a successful load of a source.
    pub(crate) fn source_loaded(&self, source: &str) {
        self.loads.with_label_values(&[source]).inc();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success.with_label_values(&[source]).set(now.as_secs_f64());
    }

    /// Counts a failed load of a source.
    pub(crate) fn source_failed(&self, source: &str) {
        self.failures.with_label_values(&[source]).inc();
    }

    /// All metrics, in Prometheus' text format
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
    pub(crate) fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

pub use page::metrics_page;
