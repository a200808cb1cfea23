//! The labels of a pod, as the selectors of rules look them up.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::pod::Labels;

/// Labels up to which a search costs less than an index.
const FEW: usize = 16;

/// The labels of a pod. Many labels are indexed when the first one is looked up.
pub(super) struct LabelIndex<'r> {
    labels: Option<&'r Labels<'r>>,
    /// With a random seed, because a pod's author chooses the keys.
    index: OnceCell<HashMap<&'r str, &'r str>>,
}

impl<'r> LabelIndex<'r> {
    pub(super) fn new(labels: Option<&'r Labels<'r>>) -> Self {
        Self { labels, index: OnceCell::new() }
    }
}

impl mimic_core::Labels for LabelIndex<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let labels = self.labels?;
        if labels.len() <= FEW {
            return mimic_core::Labels::get(labels, key);
        }
        // Of equal keys, the last one counts.
        self.index.get_or_init(|| labels.iter().collect()).get(key).copied()
    }
}

#[cfg(test)]
mod tests {
    use mimic_core::Labels as _;

    use super::*;

    #[test]
    fn many_labels_are_found_as_few_are() {
        for count in [1, FEW, FEW + 1, 1_000] {
            let members: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"v{n}""#)).collect();
            let json = format!(r#"{{{},"k0":"last"}}"#, members.join(","));
            let labels: Labels<'_> = serde_json::from_str(&json).unwrap();
            let index = LabelIndex::new(Some(&labels));
            for key in ["k0", "k1", "k15", "k16", "k999", "k1000", ""] {
                assert_eq!(index.get(key), labels.get(key), "{key} of {count}");
            }
            assert_eq!(index.get("k0"), Some("last"));
        }
        assert_eq!(LabelIndex::new(None).get("k0"), None);
    }
}
