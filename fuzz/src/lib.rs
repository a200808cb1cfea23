//! What several fuzz targets check.

use std::collections::BTreeMap;

use mimic_core::{Context, Hint as _, ImageRef, Problem, ReasonCode, Rewriter, Rule, RuleSpec, Upstream};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Images of several registries and forms.
const IMAGES: [&str; 8] = [
    "nginx:1.27",
    "redis",
    "team/app:v1",
    "docker.io/library/alpine@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "quay.io/acme/app:1@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "registry-1.docker.io/team/app",
    "localhost:5000/a/b/c:x",
    "Ghcr.IO:443/acme/app",
];

/// Checks that compiled rules keep tags and digests, that an image is not rewritten twice, and that `explain` tells what
/// `rewrite` does.
///
/// # Panics
/// If they do not.
pub fn assert_rewrites(rules: Vec<Rule>) {
    let mut images: Vec<String> = IMAGES.map(String::from).into();
    for rule in rules.iter().take(8) {
        let upstream = rule.upstream().to_string().replace(":*", ":5000").replace('*', "x");
        images.extend([format!("{upstream}:1"), format!("{upstream}/a"), format!("{upstream}/b/c:1@{DIGEST}")]);
        images.extend(rule.mirrors().iter().take(4).map(|mirror| format!("{}/a:1", mirror.location().as_str())));
    }
    let rewriter = Rewriter::new([("fuzz", rules.into())]);
    let labels = BTreeMap::from([("tier".to_owned(), "front".to_owned())]);
    for image in &images {
        let context = Context::default().with_namespace("staging-a").with_labels(&labels);
        let outcome = rewriter.rewrite(image, &context);
        assert_eq!(rewriter.explain(image, &context).outcome.to_string(), outcome.to_string(), "{image}");
        let Some(rewritten) = outcome.rewritten() else { continue };
        let before = ImageRef::parse(image).expect("only a valid image is rewritten");
        let after = ImageRef::parse(rewritten).expect("the result is valid");
        assert_eq!((before.tag(), before.digest()), (after.tag(), after.digest()), "{image} -> {rewritten}");
        assert_eq!(rewriter.rewrite(rewritten, &context).reason(), ReasonCode::OnMirror, "{image} -> {rewritten}");
    }
}

/// Checks that the upstream and the locations of a rule, written as they are displayed, are valid and mean the same.
///
/// # Panics
/// If they do not.
pub fn assert_reads_back(rule: &Rule) {
    match rule.upstream() {
        Upstream::Pattern(_) => return,
        _ if rule.alias_of().is_some() => return,
        _ => {}
    }
    let upstream = rule.upstream().to_string();
    for mirror in rule.mirrors() {
        let location = mirror.location().as_str();
        let again = Rule::mirror(&upstream, location).unwrap_or_else(|error| panic!("{upstream}: {location}: {error}"));
        assert_eq!(again.upstream().to_string(), upstream);
        assert_eq!(again.mirrors()[0].location().as_str(), location);
    }
    if rule.mirrors().is_empty() {
        let kept = RuleSpec { upstream: Some(upstream.clone()), keep: true, ..RuleSpec::default() }.check();
        assert_eq!(kept.unwrap_or_else(|error| panic!("{upstream}: {error}")).upstream().to_string(), upstream);
    }
}

/// Checks that problems name lines of the text.
///
/// # Panics
/// If they do not.
pub fn assert_lines<'p>(text: &str, problems: impl IntoIterator<Item = &'p Problem>) {
    // YAML also breaks lines at a lone carriage return.
    let lines = text.trim_end().split(['\n', '\r']).count().max(1);
    for problem in problems {
        assert!(problem.line().is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
        assert!(!problem.full_message().to_string().is_empty());
    }
}
