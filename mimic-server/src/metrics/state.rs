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
use crate::policy_status::PolicyStatus;

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
            &definitions::POLICY_RULES,
            &definitions::POLICY_UP_TO_DATE,
            &definitions::POLICY_LAST_WRITE,
            &definitions::POLICY_INFO,
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
        if let Some(policy) = self.health.policy() {
            families.extend(policy_families(&policy)?);
        }
        Ok(families)
    }
}

fn policy_families(policy: &PolicyStatus) -> Result<Vec<MetricFamily>> {
    let mut families = Vec::new();
    let mut set = |metric: &Metric, label: Option<&str>, value: f64| -> Result<()> {
        let gauge = GaugeVec::new(metric.opts(), &metric.label_names())?;
        gauge.with_label_values(&Vec::from_iter(label)).set(value);
        families.extend(gauge.collect());
        Ok(())
    };
    set(&definitions::POLICY_UP_TO_DATE, None, f64::from(u8::from(policy.problem.is_none())))?;
    if let Some(time) = policy.last_write {
        set(&definitions::POLICY_LAST_WRITE, None, time)?;
    }
    if let Some(hash) = &policy.stored {
        set(&definitions::POLICY_INFO, Some(hash), 1.0)?;
    }
    if let Some((rules, left)) = policy.rules {
        let gauge = GaugeVec::new(definitions::POLICY_RULES.opts(), &definitions::POLICY_RULES.label_names())?;
        gauge.with_label_values(&["policy"]).set(number(rules));
        gauge.with_label_values(&["webhook"]).set(number(left));
        families.extend(gauge.collect());
    }
    Ok(families)
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

#[test]
fn the_metrics_of_the_policy_exist_only_if_there_is_one() {
    let catalog = Arc::new(Catalog::new([""; 0]));
    let health = Arc::new(Health::new(Arc::clone(&catalog), std::time::Duration::ZERO));
    let metrics = super::Metrics::new(&catalog, &health).expect("the names differ");
    let lines = || {
        let text = metrics.text().expect("it is text");
        let samples = text.lines().filter(|line| line.starts_with("mimic_policy_"));
        samples.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(), [""; 0]);
    let status = PolicyStatus {
        rules: Some((3, 1)),
        stored: Some("0123".to_owned()),
        last_write: Some(1.5),
        ..PolicyStatus::default()
    };
    health.policy_reported(status.clone());
    let expected = [
        "mimic_policy_info{hash=\"0123\"} 1",
        "mimic_policy_last_write_timestamp_seconds 1.5",
        "mimic_policy_rules{place=\"policy\"} 3",
        "mimic_policy_rules{place=\"webhook\"} 1",
        "mimic_policy_up_to_date 1",
    ];
    assert_eq!(lines(), expected);
    let documented = definitions::TABLE.iter().filter(|metric| metric.name.starts_with("mimic_policy_"));
    assert_eq!(documented.count(), 4);
    health.policy_reported(PolicyStatus { problem: Some("no permission".to_owned()), ..status });
    assert_eq!(lines().pop().as_deref(), Some("mimic_policy_up_to_date 0"));
}
