//! Label selectors, as in Kubernetes.

use std::collections::BTreeMap;

use crate::work::{LOOKUP, RULE};

/// The labels of a pod, in any data structure.
pub trait Labels {
    /// The value of the label `key`.
    fn get(&self, key: &str) -> Option<&str>;
}

impl Labels for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<&str> {
        self.get(key).map(String::as_str)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Labels for &[(K, V)] {
    fn get(&self, key: &str) -> Option<&str> {
        find(self, key)
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Labels for Vec<(K, V)> {
    fn get(&self, key: &str) -> Option<&str> {
        find(self, key)
    }
}

fn find<'a, K: AsRef<str>, V: AsRef<str>>(labels: &'a [(K, V)], key: &str) -> Option<&'a str> {
    labels.iter().find(|(name, _)| name.as_ref() == key).map(|(_, value)| value.as_ref())
}

/// A [label selector](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/): all requirements must
/// match. A selector without requirements matches every pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSelector {
    /// The requirements.
    pub requirements: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// The condition on its value.
    pub operator: Operator,
}

/// A condition on the value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label is present, with one of these values.
    In(Vec<String>),
    /// The label is absent, or has none of these values.
    NotIn(Vec<String>),
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl PodSelector {
    /// Steps to evaluate it: each value is compared with the label.
    pub(crate) fn steps(&self) -> u64 {
        let values = |requirement: &Requirement| match &requirement.operator {
            Operator::In(values) | Operator::NotIn(values) => values.len(),
            Operator::Exists | Operator::DoesNotExist => 0,
        };
        self.requirements.iter().map(|requirement| LOOKUP + RULE * values(requirement) as u64).sum()
    }

    /// Whether a pod with these labels matches.
    pub fn matches(&self, labels: &dyn Labels) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let among = |values: &[String]| value.is_some_and(|value| values.iter().any(|v| v == value));
            match &requirement.operator {
                Operator::In(values) => among(values),
                Operator::NotIn(values) => !among(values),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}
