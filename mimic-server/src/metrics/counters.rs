//! Counters with fixed label values.

use prometheus::{IntCounter, IntCounterVec, Registry, Result};

use super::definitions::{Label, Metric};

/// A counter for each of a few known label values, found without a lock. All are exposed from the start.
pub(super) struct Counters {
    known: Vec<(&'static str, IntCounter)>,
}

impl Counters {
    /// For a metric with one label with fixed values.
    pub(super) fn new(metric: &Metric, registry: &Registry) -> Result<Self> {
        let vector = register(metric, registry)?;
        Ok(Self {
            known: resolve(closed(metric.labels.last()), |value| vector.get_metric_with_label_values(&[value]))?,
        })
    }

    /// For a metric with two labels with fixed values: counters of the second by value of the first.
    pub(super) fn by(metric: &Metric, registry: &Registry) -> Result<Vec<(&'static str, Self)>> {
        let vector = register(metric, registry)?;
        let seconds = closed(metric.labels.last());
        let of = |first: &'static str| {
            let known = resolve(seconds, |second| vector.get_metric_with_label_values(&[first, second]))?;
            Ok((first, Self { known }))
        };
        closed(metric.labels.first()).iter().map(|first| of(first)).collect()
    }

    /// Adds one; an unknown value is not counted.
    pub(super) fn count(&self, value: &str) {
        if let Some(counter) = find(&self.known, value) {
            counter.inc();
        }
    }
}

/// The lists are short, so a linear search costs less than a hash.
pub(super) fn find<'t, T>(list: &'t [(&'static str, T)], value: &str) -> Option<&'t T> {
    list.iter().find(|(known, _)| *known == value).map(|(_, found)| found)
}

fn register(metric: &Metric, registry: &Registry) -> Result<IntCounterVec> {
    let vector = IntCounterVec::new(metric.opts(), &metric.label_names())?;
    registry.register(Box::new(vector.clone()))?;
    Ok(vector)
}

fn closed(label: Option<&Label>) -> &'static [&'static str] {
    label.map_or(&[], Label::closed)
}

fn resolve(
    values: &'static [&'static str],
    counter: impl Fn(&str) -> Result<IntCounter>,
) -> Result<Vec<(&'static str, IntCounter)>> {
    values.iter().map(|value| Ok((*value, counter(value)?))).collect()
}
