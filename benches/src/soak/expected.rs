//! The rules that change, and the responses by each version of them.

use anyhow::{Context as _, Result};
use mimic_core::{Rule, parse_rules_file};
use mimic_k8s::admission::{Review, ReviewSettings};

use crate::data;

/// The versions of the rules.
pub(super) const VERSIONS: usize = 2;

/// The rules of one version. All mirrors are on its own host, so that a response by two versions is a wrong one.
pub(super) fn rules(version: usize) -> Result<Vec<Rule>> {
    let text = data::MIRRORS.replace("harbor.example.com", &format!("version-{version}.example.com"));
    Ok(parse_rules_file("rules", &text)?.rules)
}

/// The response to a review by each version.
pub(super) fn answers(review: &[u8]) -> Result<Vec<Vec<u8>>> {
    let review = Review::parse(review)?;
    let settings = ReviewSettings::default();
    (0..VERSIONS)
        .map(|version| {
            let rewriter = data::rewriter(rules(version)?.into());
            let verdict = review.decide(&rewriter, &settings);
            verdict.patch().context("the pod is not rewritten")?;
            Ok(verdict.to_response())
        })
        .collect()
}
