//! The values of Mimic's chart, `deploy/chart`.

use mimic_core::internal::yaml::Node;

/// The chart's values that are not part of a rules file.
pub(super) const OTHER_VALUES: &[&str] = &[
    "affinity",
    "autoscaling",
    "certificate",
    "commonLabels",
    "config",
    "configMap",
    "deploymentAnnotations",
    "excludeNamespaces",
    "extraEnv",
    "extraObjects",
    "extraVolumeMounts",
    "extraVolumes",
    "fullnameOverride",
    "global",
    "harbor",
    "hostNetwork",
    "image",
    "imagePullSecrets",
    "livenessProbe",
    "log",
    "metrics",
    "nameOverride",
    "networkPolicy",
    "nodeSelector",
    "podAnnotations",
    "podDisruptionBudget",
    "podLabels",
    "podSecurityContext",
    "policy",
    "ports",
    "presets",
    "priorityClass",
    "priorityClassName",
    "rbac",
    "readinessProbe",
    "replicaCount",
    "resources",
    "revisionHistoryLimit",
    "securityContext",
    "service",
    "serviceAccount",
    "strategy",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "webhook",
];

/// Whether a document is a file of values: it has values that a rules file cannot have.
pub(super) fn is_values(root: &Node) -> bool {
    OTHER_VALUES.iter().any(|value| root.get(value).is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_value_of_the_chart_is_known() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../deploy/chart/values.schema.json")).unwrap();
        let values = schema["properties"].as_object().unwrap().keys().map(String::as_str);
        // Those that are part of a rules file are read.
        let is_part = |value: &&str| {
            mimic_core::parse_rules_file("", &format!("{value}:")).is_ok_and(|list| list.problems.is_empty())
        };
        let (parts, others): (BTreeSet<&str>, BTreeSet<&str>) = values.partition(is_part);
        assert!(parts.contains("mirrors") && parts.contains("rules"), "{parts:?}");
        assert_eq!(OTHER_VALUES.iter().copied().collect::<BTreeSet<_>>(), others);
    }
}
