//! Label selectors, as Kubernetes has them.

use std::collections::BTreeMap;

/// Labels of a pod, however the caller keeps them.
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
/// hold; one without requirements holds for every pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSelector {
    /// What must hold.
    pub requirements: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What must hold of its value.
    pub operator: Operator,
}

/// What must hold of a label's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label is there, with one of these values.
    In(Vec<String>),
    /// The label is not there, or has none of these values.
    NotIn(Vec<String>),
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl PodSelector {
    /// Whether the selector holds for a pod with these labels.
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
