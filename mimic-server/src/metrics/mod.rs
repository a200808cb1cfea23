//! Metrics for Prometheus: counted while serving, and read off the rest of the server when somebody asks.

mod counters;
mod page;
mod state;
mod table;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mimic_core::{Catalog, Rewriter};
use mimic_k8s::admission::{Review, Verdict};
use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntCounterVec, Registry, Result, TextEncoder};

use crate::health::Health;
use counters::{Counters, find};
use state::Observer;

/// Upper bounds of the buckets of durations, in seconds. A typical review takes tens of microseconds.
const BOUNDS: [f64; 12] = [10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 100e-3, 1.0];

/// Everything that is counted, and where the rest is read. Requests count without locks.
pub struct Metrics {
    registry: Registry,
    requests: Vec<(&'static str, Counters)>,
    duration: Histogram,
    images: Counters,
    skipped: Counters,
    warnings: IntCounter,
    handshake_failures: IntCounter,
    loads: IntCounterVec,
    failures: IntCounterVec,
    last_success: GaugeVec,
}

impl Metrics {
    /// The metrics of a server that uses `catalog` and `health`.
    ///
    /// # Errors
    ///
    /// When two metrics have one name, which a test rules out.
    pub fn new(catalog: &Arc<Catalog>, health: &Arc<Health>) -> Result<Self> {
        let registry = Registry::new();
        let vector = |metric: &table::Metric| -> Result<IntCounterVec> {
            let vector = IntCounterVec::new(metric.opts(), &metric.label_names())?;
            registry.register(Box::new(vector.clone()))?;
            Ok(vector)
        };
        let counter = |metric: &table::Metric| -> Result<IntCounter> {
            let counter = IntCounter::with_opts(metric.opts())?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let duration = Histogram::with_opts(table::DURATION.histogram(&BOUNDS))?;
        registry.register(Box::new(duration.clone()))?;
        let last_success = GaugeVec::new(table::SOURCE_LAST_SUCCESS.opts(), &table::SOURCE_LAST_SUCCESS.label_names())?;
        registry.register(Box::new(last_success.clone()))?;
        let version = table::BUILD.opts().const_label("version", env!("CARGO_PKG_VERSION"));
        let build = Gauge::with_opts(version)?;
        build.set(1.0);
        registry.register(Box::new(build))?;
        registry.register(Box::new(Observer::new(Arc::clone(catalog), Arc::clone(health))?))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;

        let metrics = Self {
            requests: Counters::by(&table::REQUESTS, &registry)?,
            duration,
            images: Counters::new(&table::IMAGES, &registry)?,
            skipped: Counters::new(&table::SKIPPED, &registry)?,
            warnings: counter(&table::WARNINGS)?,
            handshake_failures: counter(&table::HANDSHAKE_FAILURES)?,
            loads: vector(&table::SOURCE_LOADS)?,
            failures: vector(&table::SOURCE_FAILURES)?,
            last_success,
            registry,
        };
        // A rate can be told from the first failure on only if there was a zero before it.
        for source in catalog.status() {
            metrics.loads.with_label_values(&[&source.name]);
            metrics.failures.with_label_values(&[&source.name]);
        }
        Ok(metrics)
    }

    /// Counts a review that was decided, by the table that decided it.
    pub(crate) fn decided(&self, review: &Review<'_>, verdict: &Verdict<'_>, rewriter: &Rewriter, took: Duration) {
        let mut rewritten = false;
        for image in verdict.images() {
            self.images.count(image.outcome.reason());
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

    /// Counts a request that was no review that can be answered.
    pub(crate) fn refused(&self) {
        self.request("none", "refused");
    }

    /// Counts a review that Mimic could not decide by its own fault.
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

    /// Counts a list of a source.
    pub(crate) fn source_loaded(&self, source: &str) {
        self.loads.with_label_values(&[source]).inc();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success.with_label_values(&[source]).set(now.as_secs_f64());
    }

    /// Counts an attempt to get a source's list that failed.
    pub(crate) fn source_failed(&self, source: &str) {
        self.failures.with_label_values(&[source]).inc();
    }

    /// All of it, in Prometheus' text format
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
    pub(crate) fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

pub use page::metrics_page;
