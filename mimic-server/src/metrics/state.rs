//! Metrics of the sources, the certificate and readiness, read at each scrape.

use std::collections::HashMap;
use std::sync::Arc;

use mimic_core::Catalog;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, Result};

use super::definitions::{self, Label, Metric};
use crate::health::{CheckState, Health};
use crate::logging;

/// Metrics that are read from the catalog and the health when Prometheus scrapes.
pub(super) struct Observer {
    catalog: Arc<Catalog>,
    health: Arc<Health>,
    descriptions: Vec<Desc>,
}

impl Observer {
    pub(super) fn new(catalog: Arc<Catalog>, health: Arc<Health>) -> Result<Self> {
        let observed = [
            &definitions::RULE_IMAGES,
            &definitions::SOURCE_RULES,
            &definitions::SOURCE_SKIPPED,
            &definitions::CERTIFICATE_EXPIRY,
            &definitions::CERTIFICATE_LOADS,
            &definitions::READY,
            &definitions::LOG_LOST,
        ];
        let describe = |metric: &Metric| {
            let labels = metric.label_names().into_iter().map(str::to_owned).collect();
            Desc::new(metric.name.to_owned(), metric.help.to_owned(), labels, HashMap::new())
        };
        Ok(Self { catalog, health, descriptions: observed.into_iter().map(describe).collect::<Result<_>>()? })
    }

    fn observe(&self) -> Result<Vec<MetricFamily>> {
        let gauges = |metric: &Metric| GaugeVec::new(metric.opts(), &metric.label_names());
        let counters = |metric: &Metric| IntCounterVec::new(metric.opts(), &metric.label_names());

        let images = counters(&definitions::RULE_IMAGES)?;
        let rewriter = self.catalog.rewriter();
        for (rule, uses) in rewriter.uses() {
            images.with_label_values(&[rule.source, rule.rule.name()]).inc_by(uses);
        }

        let (rules, skipped) = (gauges(&definitions::SOURCE_RULES)?, gauges(&definitions::SOURCE_SKIPPED)?);
        for source in self.catalog.status() {
            if let Some(count) = source.rules {
                rules.with_label_values(&[&source.name]).set(number(count));
                skipped.with_label_values(&[&source.name]).set(number(self.health.skipped_entries(&source.name)));
            }
        }

        let loads = counters(&definitions::CERTIFICATE_LOADS)?;
        let (used, refused) = self.health.certificate_loads();
        loads.with_label_values(&["used"]).inc_by(used);
        loads.with_label_values(&["refused"]).inc_by(refused);

        let report = self.health.report();
        let degraded = report.checks.iter().any(|check| check.state == CheckState::Degraded);
        let now = match (report.ready, degraded) {
            (true, false) => "ready",
            (true, true) => "degraded",
            (false, _) => "unready",
        };
        let ready = gauges(&definitions::READY)?;
        for state in definitions::READY.labels.iter().flat_map(Label::closed) {
            ready.with_label_values(&[state]).set(f64::from(u8::from(*state == now)));
        }

        let lost = IntCounter::with_opts(definitions::LOG_LOST.opts())?;
        lost.inc_by(logging::lost_lines());

        let collectors: [&dyn Collector; 6] = [&images, &rules, &skipped, &loads, &ready, &lost];
        let mut families: Vec<MetricFamily> = collectors.into_iter().flat_map(Collector::collect).collect();
        if let Some(end) = self.health.certificate_end() {
            let expiry = Gauge::with_opts(definitions::CERTIFICATE_EXPIRY.opts())?;
            expiry.set(end);
            families.extend(expiry.collect());
        }
        Ok(families)
    }
}

impl Collector for Observer {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.observe().unwrap_or_else(|error| {
            log::error!(error:%; "some metrics could not be collected");
            Vec::new()
        })
    }
}

/// Prometheus has floating-point numbers only; they are exact for every count here.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}
