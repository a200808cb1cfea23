use std::collections::HashMap;
use std::sync::Arc;

use mimic_core::Catalog;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, Result};

use super::table::{self, Label, Metric};
use crate::health::{CheckState, Health};
use crate::logging;

/// What need not be counted: the catalog and the health know it, and are asked when somebody looks.
pub(super) struct Observer {
    catalog: Arc<Catalog>,
    health: Arc<Health>,
    descriptions: Vec<Desc>,
}

impl Observer {
    pub(super) fn new(catalog: Arc<Catalog>, health: Arc<Health>) -> Result<Self> {
        let observed = [
            &table::RULE_IMAGES,
            &table::SOURCE_RULES,
            &table::SOURCE_SKIPPED,
            &table::CERTIFICATE_EXPIRY,
            &table::CERTIFICATE_LOADS,
            &table::READY,
            &table::LOG_LOST,
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

        let images = counters(&table::RULE_IMAGES)?;
        let rewriter = self.catalog.rewriter();
        for (rule, uses) in rewriter.uses() {
            images.with_label_values(&[rule.source, rule.rule.name()]).inc_by(uses);
        }

        let (rules, skipped) = (gauges(&table::SOURCE_RULES)?, gauges(&table::SOURCE_SKIPPED)?);
        for source in self.catalog.status() {
            if let Some(count) = source.rules {
                rules.with_label_values(&[&source.name]).set(number(count));
                skipped.with_label_values(&[&source.name]).set(number(self.health.skipped_entries(&source.name)));
            }
        }

        let loads = counters(&table::CERTIFICATE_LOADS)?;
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
        let ready = gauges(&table::READY)?;
        for state in table::READY.labels.iter().flat_map(Label::closed) {
            ready.with_label_values(&[state]).set(f64::from(u8::from(*state == now)));
        }

        let lost = IntCounter::with_opts(table::LOG_LOST.opts())?;
        lost.inc_by(logging::lost_lines());

        let collectors: [&dyn Collector; 6] = [&images, &rules, &skipped, &loads, &ready, &lost];
        let mut families: Vec<MetricFamily> = collectors.into_iter().flat_map(Collector::collect).collect();
        if let Some(end) = self.health.certificate_end() {
            let expiry = Gauge::with_opts(table::CERTIFICATE_EXPIRY.opts())?;
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
            log::error!(error:%; "some metrics cannot be told");
            Vec::new()
        })
    }
}

/// Prometheus knows floating-point numbers only, which are exact far beyond any count here.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}
