//! What Mimic writes into a policy, and how it recognises it later.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The annotation with the fingerprint of the `spec` that Mimic wrote. A policy whose `spec` has another fingerprint was
/// changed by another client.
pub(super) const FINGERPRINT: &str = "mimic.cryptkcoding.com/policy-fingerprint";

/// Fields that the API server fills in
/// (<https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/mutating-admission-policy-v1/>).
const DEFAULTS: [(&str, &str); 4] =
    [("matchPolicy", "Equivalent"), ("scope", "*"), ("failurePolicy", "Fail"), ("reinvocationPolicy", "Never")];

/// The content of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyContent {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) spec: Value,
    fingerprint: String,
}

impl PolicyContent {
    /// The content of this object: labels, annotations and `spec`.
    pub fn of(object: &Value) -> Self {
        let strings = |value: &Value| -> BTreeMap<String, String> {
            let entries = value.as_object().into_iter().flatten();
            entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        };
        let spec = object["spec"].clone();
        let fingerprint = fingerprint(&spec);
        let mut annotations = strings(&object["metadata"]["annotations"]);
        annotations.insert(FINGERPRINT.to_owned(), fingerprint.clone());
        Self { labels: strings(&object["metadata"]["labels"]), annotations, spec, fingerprint }
    }

    /// Identifies the `spec`, whichever replica writes it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// A fingerprint of a `spec`, the same before and after the API server has filled in its defaults. It detects accidents, not
/// forgeries: users who can change the policy can also change the annotation.
pub(super) fn fingerprint(spec: &Value) -> String {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.value(spec);
    format!("{:016x}", hash.0)
}

/// FNV-1a, which is the same in every build (<https://www.rfc-editor.org/rfc/rfc9923>).
struct Fnv(u64);

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn text(&mut self, kind: u8, text: &str) {
        self.bytes(&[kind]);
        self.bytes(text.as_bytes());
        // Not part of any UTF-8 text, so that one text does not continue the other.
        self.bytes(&[0xff]);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(b's', text),
            Value::Array(items) => {
                self.bytes(b"[");
                for item in items {
                    self.value(item);
                }
                self.bytes(b"]");
            }
            Value::Object(fields) => self.fields(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.text(b'v', &value.to_string()),
        }
    }

    fn fields(&mut self, fields: &Map<String, Value>) {
        let mut written: Vec<_> = fields.iter().filter(|(key, value)| !is_default(key, value)).collect();
        written.sort_by_key(|(key, _)| key.as_str());
        self.bytes(b"{");
        for (key, value) in written {
            self.text(b'k', key);
            self.value(value);
        }
        self.bytes(b"}");
    }
}

/// Whether a field says the same as its absence.
fn is_default(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => DEFAULTS.contains(&(key, text)),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Value {
        json!({
            "failurePolicy": "Ignore",
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "resources": ["pods"], "scope": "Namespaced"}]},
            "variables": [{"name": "data", "expression": "{'a': 'b'}"}],
        })
    }

    #[test]
    fn what_the_api_server_fills_in_changes_no_fingerprint() {
        let mut stored = spec();
        stored["reinvocationPolicy"] = json!("Never");
        stored["matchConditions"] = json!([]);
        let constraints = &mut stored["matchConstraints"];
        (constraints["matchPolicy"], constraints["namespaceSelector"]) = (json!("Equivalent"), json!({}));
        assert_eq!(fingerprint(&stored), fingerprint(&spec()));
    }

    #[test]
    fn every_other_change_changes_the_fingerprint() {
        type Change = fn(&mut Value);
        let changes: [Change; 9] = [
            |spec| spec["failurePolicy"] = json!("Fail"),
            |spec| spec["reinvocationPolicy"] = json!("IfNeeded"),
            |spec| spec["variables"] = json!([]),
            |spec| spec["variables"][0]["expression"] = json!("{'a': 'c'}"),
            |spec| spec["variables"][0] = json!({"name": "{'a': 'b'}", "expression": "data"}),
            |spec| spec["variables"] = json!([spec["variables"][0], {"name": "more", "expression": "1"}]),
            |spec| spec["matchConstraints"]["matchPolicy"] = json!("Exact"),
            |spec| spec["matchConstraints"]["objectSelector"] = json!({"matchLabels": {"a": "b"}}),
            |spec| spec["matchConstraints"]["resourceRules"][0]["scope"] = json!("*"),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut other = spec();
            change(&mut other);
            assert_ne!(fingerprint(&other), fingerprint(&spec()), "{index}: {other}");
        }
    }

    #[test]
    fn the_order_of_fields_does_not_matter_but_that_of_items_does() {
        let parse = |text: &str| fingerprint(&serde_json::from_str(text).expect("it is JSON"));
        assert_eq!(parse(r#"{"a": "1", "b": "2"}"#), parse(r#"{"b": "2", "a": "1"}"#));
        assert_ne!(parse(r#"{"a": ["1", "2"]}"#), parse(r#"{"a": ["2", "1"]}"#));
        assert_ne!(parse(r#"{"a": ["12"]}"#), parse(r#"{"a": ["1", "2"]}"#));
    }

    #[test]
    fn the_content_of_an_object_carries_its_fingerprint() {
        let object =
            json!({"metadata": {"name": "mimic", "labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": spec()});
        let content = PolicyContent::of(&object);
        assert_eq!(content.fingerprint(), fingerprint(&spec()));
        let annotations = [("c", "d"), (FINGERPRINT, content.fingerprint())];
        assert_eq!(content.annotations, annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(content.labels, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    }
}
