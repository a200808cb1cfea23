//! A rule with a `podSelector` applies to a pod exactly if its labels meet each requirement, checked one by one.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{Arbitrary as _, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mimic_core::{ReasonCode, Rewriter, parse_rules_file};
use mimic_k8s::admission::{Review, ReviewSettings};
use serde_json::{Value, json};

const KEYS: [&str; 6] = ["a", "b", "app", "app.kubernetes.io/name", "A", "example.com/a"];
const VALUES: [&str; 6] = ["", "x", "y", "true", "1.0", "X"];
const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

static SETTINGS: LazyLock<ReviewSettings> = LazyLock::new(ReviewSettings::default);

struct Requirement {
    key: String,
    operator: &'static str,
    values: Vec<String>,
}

fn key(input: &mut Unstructured<'_>) -> Result<String> {
    let number = usize::from(u8::arbitrary(input)?);
    Ok(KEYS.get(number).map_or_else(|| format!("k{number}"), |key| (*key).to_owned()))
}

fn value(input: &mut Unstructured<'_>) -> Result<String> {
    let number = usize::from(u8::arbitrary(input)?);
    Ok(VALUES.get(number).map_or_else(|| format!("v{number}"), |value| (*value).to_owned()))
}

fn requirement(input: &mut Unstructured<'_>) -> Result<Requirement> {
    let key = key(input)?;
    let operator = *input.choose(&OPERATORS)?;
    let values = match operator {
        "In" | "NotIn" => (0..input.int_in_range(1..=3)?).map(|_| value(input)).collect::<Result<_>>()?,
        _ => Vec::new(),
    };
    Ok(Requirement { key, operator, values })
}

/// Whether the labels of a pod meet it. Of labels with the same key, the last one counts.
fn is_met(requirement: &Requirement, labels: &[(String, String)]) -> bool {
    let value = labels.iter().rfind(|(key, _)| *key == requirement.key).map(|(_, value)| value);
    let is_listed = value.is_some_and(|value| requirement.values.contains(value));
    match requirement.operator {
        "In" => is_listed,
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        _ => value.is_none(),
    }
}

fn check(input: &mut Unstructured<'_>) -> Result<()> {
    let mut rules = Vec::new();
    let mut selectors = Vec::new();
    for number in 0..input.int_in_range(1..=3)? {
        let as_labels = bool::arbitrary(input)?;
        let mut selector: Vec<Requirement> =
            (0..input.int_in_range(0..=4)?).map(|_| requirement(input)).collect::<Result<_>>()?;
        let written = if as_labels {
            let mut seen = Vec::new();
            selector.retain(|one| {
                one.operator == "In" && !seen.contains(&one.key) && {
                    seen.push(one.key.clone());
                    true
                }
            });
            selector.iter_mut().for_each(|one| one.values.truncate(1));
            let labels: serde_json::Map<_, _> =
                selector.iter().map(|one| (one.key.clone(), json!(one.values[0]))).collect();
            json!({ "matchLabels": labels })
        } else {
            let expressions: Vec<Value> = selector
                .iter()
                .map(|one| match &one.values[..] {
                    [] => json!({"key": one.key, "operator": one.operator}),
                    values => json!({"key": one.key, "operator": one.operator, "values": values}),
                })
                .collect();
            json!({ "matchExpressions": expressions })
        };
        rules.push(json!({
            "name": number.to_string(), "upstream": "docker.io", "mirrors": [format!("m{number}.example.com/hub")],
            "podSelector": written,
        }));
        selectors.push(selector);
    }
    let labels: Vec<(String, String)> =
        (0..input.int_in_range(0..=8)?).map(|_| Ok((key(input)?, value(input)?))).collect::<Result<_>>()?;

    let list = parse_rules_file("rules", &json!({ "rules": rules }).to_string()).expect("it is YAML");
    assert_eq!((list.rules.len(), list.problems.len()), (rules.len(), 0), "{:?}", list.problems);
    let rewriter = Rewriter::new([("rules", list.rules.into())]);
    let members: Vec<String> = labels.iter().map(|(key, value)| format!("{}:{}", json!(key), json!(value))).collect();
    let body = format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u","operation":"CREATE",
        "resource":{{"group":"","resource":"pods"}},"object":{{"metadata":{{"labels":{{{}}}}},
        "spec":{{"containers":[{{"name":"a","image":"nginx"}},{{"name":"b","image":"redis:7"}}]}}}}}}}}"#,
        members.join(",")
    );
    let review = Review::parse(body.as_bytes()).expect("the review is valid");
    let verdict = review.decide(&rewriter, &SETTINGS);
    let selected = selectors.iter().position(|selector| selector.iter().all(|one| is_met(one, &labels)));
    for decision in verdict.images() {
        let rule = decision.outcome.rule().map(|rule| rule.rule.name().to_owned());
        assert_eq!(rule, selected.map(|number| number.to_string()), "{labels:?} {rules:?}");
        let reason = if selected.is_some() { ReasonCode::Rewritten } else { ReasonCode::NoRule };
        assert_eq!(decision.outcome.reason(), reason);
    }
    Ok(())
}

fuzz_target!(|input: &[u8]| {
    // Too short an input describes nothing.
    let _ = check(&mut Unstructured::new(input));
});
