//! The objects as the API has them.

use mimic_core::internal::Globs;
use serde_json::{Value, json};

use super::expression::rewrite;
use super::literal::{list, string};
use super::lookup::Lookup;
use super::stages::{patch, variables};
use crate::admission::OPT_OUT;

/// The label that every namespace has, with its name.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// The spec of the policy. `None` if a glob over namespaces has no equivalent in CEL.
pub(super) fn policy_spec(lookup: &Lookup, annotate: bool, excluded: &Globs) -> Option<Value> {
    let (names, globs) = namespaces(excluded);
    let variables: Vec<Value> = variables(lookup, annotate)
        .into_iter()
        .map(|variable| json!({"name": variable.name, "expression": variable.expression}))
        .collect();
    let mut conditions = vec![
        condition("not-a-mirror-pod", "!('kubernetes.io/config.mirror' in object.metadata.?annotations.orValue({}))"),
        condition("not-deleting", "!has(object.metadata.deletionTimestamp)"),
        // The selector below also matches if only the earlier version of the pod has no label.
        condition(
            "not-opted-out",
            &format!(
                "object.metadata.?labels[?{0}].orValue('') != 'false' && object.metadata.?annotations[?{0}].orValue('') != 'false'",
                string(OPT_OUT)
            ),
        ),
    ];
    if !globs.is_empty() {
        let expressions: Option<Vec<String>> = globs.into_iter().map(|glob| rewrite(&glob)).collect();
        let expressions = list(expressions?.iter().map(String::as_str));
        let test = format!("!{expressions}.exists(n, request.namespace.matches(n))");
        conditions.push(condition("not-in-an-excluded-namespace", &test));
    }
    Some(json!({
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": namespace_selector(&names),
            "objectSelector": object_selector(),
            "resourceRules": [
                resource_rule(&["CREATE", "UPDATE"], &["pods"]),
                resource_rule(&["UPDATE"], &["pods/ephemeralcontainers"]),
            ],
        },
        "matchConditions": conditions,
        "variables": variables,
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch(lookup, annotate)}}],
    }))
}

/// The spec of the binding.
pub(super) fn binding_spec(policy: &str, excluded: &Globs) -> Value {
    json!({
        "policyName": policy,
        "matchResources": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": namespace_selector(&namespaces(excluded).0),
            "objectSelector": {},
            "resourceRules": [resource_rule(&["CREATE", "UPDATE"], &["pods", "pods/ephemeralcontainers"])],
        },
    })
}

/// One of `matchConditions`.
pub(super) fn condition(name: &str, expression: &str) -> Value {
    json!({"name": name, "expression": expression})
}

fn resource_rule(operations: &[&str], resources: &[&str]) -> Value {
    json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": operations, "resources": resources, "scope": "Namespaced"})
}

fn namespace_selector(excluded: &[String]) -> Value {
    if excluded.is_empty() {
        return json!({});
    }
    json!({"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "NotIn", "values": excluded}]})
}

/// As in the webhook configuration: the opt-out label, and the pods of operators that delete pods whose images differ from
/// their own spec.
fn object_selector() -> Value {
    json!({"matchExpressions": [
        {"key": OPT_OUT, "operator": "NotIn", "values": ["false"]},
        {"key": "cnpg.io/podRole", "operator": "NotIn", "values": ["instance"]},
        {"key": "olm.catalogSource", "operator": "DoesNotExist"},
        {"key": "aerospike.com/cr", "operator": "DoesNotExist"},
        {"key": "application", "operator": "NotIn", "values": ["spilo"]},
    ]})
}

/// The names, and the globs as expressions.
fn namespaces(globs: &Globs) -> (Vec<String>, Vec<String>) {
    let (mut names, mut expressions) = (Vec::new(), Vec::new());
    for (glob, expression) in globs.patterns().iter().zip(globs.expressions()) {
        if glob.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            names.push(glob.clone());
        } else {
            expressions.push(expression);
        }
    }
    names.sort_unstable();
    names.dedup();
    (names, expressions)
}
