//! A condition that spares the webhook a call for pods that are done.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use mimic_core::{Fixed, Rewriter};
use serde_json::Value;

use super::literal::list;
use super::object::condition;

/// With more images in a pod, the webhook is called without a comparison, which has a budget: a condition that exceeds it
/// would reject the pod, or lose the call.
const MAX_IMAGES: usize = 64;
/// With more locations there is no condition, for the same reason.
const MAX_LOCATIONS: usize = 500;

/// The conditions; none if there are no locations or too many of them.
pub(super) fn conditions(rewriter: &Rewriter) -> Vec<Value> {
    let (mut starts, mut domains) = (BTreeSet::new(), BTreeSet::new());
    let mirrors = rewriter.rules().flat_map(|rule| rule.rule.mirrors());
    for location in mirrors.map(|mirror| mirror.location().fixed()) {
        match location {
            Fixed::Prefix(prefix) => _ = starts.insert(format!("{prefix}/")),
            Fixed::Stem(stem) => _ = starts.insert(stem.to_owned()),
            Fixed::Domain(domain) => _ = domains.insert(domain.to_owned()),
        }
    }
    if starts.len() + domains.len() > MAX_LOCATIONS || starts.is_empty() && domains.is_empty() {
        return Vec::new();
    }
    let mut is_done = format!("{}.exists(l, image.startsWith(l))", list(starts.iter().map(String::as_str)));
    if !domains.is_empty() {
        let domains = list(domains.iter().map(String::as_str));
        let _ = write!(is_done, " || {domains}.exists(d, image.split('/')[0].endsWith(d))");
    }
    let containers = ["containers", "initContainers", "ephemeralContainers"]
        .map(|kind| format!("object.spec.?{kind}.orValue([]).map(c, c.?image.orValue(''))"));
    let images = format!(
        "({} + object.spec.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.?reference.orValue('')))",
        containers.join(" + ")
    );
    let many = ["containers", "initContainers", "ephemeralContainers", "volumes"]
        .map(|kind| format!("object.spec.?{kind}.orValue([]).size()"));
    let test = format!(
        "object.spec.?containers.orValue([]) == null || {} > {MAX_IMAGES} ||\n!{images}.all(image, {is_done})",
        many.join(" + ")
    );
    vec![condition("an-image-is-not-on-a-mirror", &test)]
}
