//! Rewriting the images of one pod within a limit.

use crate::context::Context;
use crate::outcome::Outcome;
use crate::rewriter::Rewriter;
use crate::work::Work;

/// Images up to which remembering what applies to the pod costs more than it saves.
const FEW: usize = 32;

/// Rewrites the images of one pod with a limited number of steps, for pods and images that are not trusted.
///
/// A step takes about a nanosecond at worst. What an image costs depends on its length and on the rules that match it, so
/// the same pod always costs the same.
///
/// ```
/// use mimic_core::{Batch, Context, Rewriter, Rule};
///
/// let rules = vec![Rule::mirror("docker.io", "harbor.example.com/dockerhub")?];
/// let rewriter = Rewriter::new([("mine", rules.into())]);
/// let batch = Batch::new(&rewriter, Context::default(), 2, 2_000);
/// assert_eq!(batch.rewrite("nginx")?.rewritten(), Some("harbor.example.com/dockerhub/library/nginx"));
/// assert!(batch.rewrite(&"a".repeat(10_000)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Batch<'a, 'c> {
    rewriter: &'a Rewriter,
    context: Context<'c>,
    steps: u64,
    work: Work,
}

/// All steps of a [`Batch`] are spent, and there is no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the images need too much work")]
pub struct TooCostly;

impl<'a, 'c> Batch<'a, 'c> {
    /// For a pod with about this number of images, and at most this number of steps for all of them.
    pub fn new(rewriter: &'a Rewriter, context: Context<'c>, images: usize, steps: u64) -> Self {
        Self { rewriter, context, steps, work: Work::limited(steps, images > FEW) }
    }

    /// As [`Rewriter::rewrite`].
    ///
    /// # Errors
    /// [`TooCostly`] for this image and all later ones when the steps are spent.
    pub fn rewrite<'i>(&self, image: &'i str) -> Result<Outcome<'i>, TooCostly>
    where
        'a: 'i,
    {
        if self.work.is_spent() {
            return Err(TooCostly);
        }
        let outcome = self.rewriter.rewrite_with(image, &self.context, &self.work);
        if self.work.is_spent() { Err(TooCostly) } else { Ok(outcome) }
    }

    /// Spends steps on the caller's own work for the pod.
    ///
    /// # Errors
    /// [`TooCostly`] when the steps are spent.
    pub fn spend(&self, steps: u64) -> Result<(), TooCostly> {
        self.work.spend(steps);
        if self.work.is_spent() { Err(TooCostly) } else { Ok(()) }
    }

    /// The steps that were spent so far.
    pub fn spent(&self) -> u64 {
        self.steps - self.work.left()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;
    use crate::rule_spec::{MirrorSpec, References, RuleSpec};
    use crate::selector::{Labels, Operator, PodSelector, Requirement};
    use crate::work::{IMAGE, OUTPUT_BYTE, RULE};

    fn rule(upstream: &str, more: RuleSpec) -> Rule {
        let location = "mirror.example.com/{registry}/{repository}".to_owned();
        let mirrors = vec![MirrorSpec { location, references: References::Any }];
        RuleSpec { upstream: Some(upstream.to_owned()), mirrors, ..more }.check().unwrap()
    }

    fn pattern(pattern: &str) -> Rule {
        let location = "mirror.example.com/{repository}".to_owned();
        let mirrors = vec![MirrorSpec { location, references: References::Any }];
        RuleSpec { pattern: Some(pattern.to_owned()), mirrors, ..RuleSpec::default() }.check().unwrap()
    }

    fn rewriter(rules: Vec<Rule>) -> Rewriter {
        Rewriter::new([("test", rules.into())])
    }

    fn selector(values: usize) -> PodSelector {
        let operator = Operator::In((0..values).map(|n| n.to_string()).collect());
        PodSelector { requirements: vec![Requirement { key: "a".to_owned(), operator }] }
    }

    fn rules() -> Vec<Rule> {
        let exclude = ["docker.io/*/b*".to_owned(), "quay.io/x/**:1*".to_owned()];
        vec![
            rule("docker.io", RuleSpec { exclude: exclude[..1].to_vec(), ..RuleSpec::default() }),
            rule("quay.io", RuleSpec { exclude: exclude[1..].to_vec(), ..RuleSpec::default() }),
            rule("quay.io", RuleSpec { pod_selector: Some(selector(2)), priority: 1, ..RuleSpec::default() }),
            rule("*.gcr.io", RuleSpec { include_namespaces: Some(vec!["sh*".to_owned()]), ..RuleSpec::default() }),
            pattern(r"ghcr\.io/(a|b)/.*"),
            pattern(r"[a-z]+\.example\.com/x/.*"),
        ]
    }

    const IMAGES: [&str; 14] = [
        "nginx",
        "docker.io/a/b:1",
        "quay.io/x/y:1",
        "quay.io/x/y:2",
        "eu.gcr.io/a/b",
        "a.b.gcr.io:5000/a",
        "ghcr.io/a/x",
        "ghcr.io/c/x",
        "one.example.com/x/y",
        "one.example.com/y",
        "mirror.example.com/docker.io/a",
        "A:B",
        "auto",
        "",
    ];

    #[test]
    fn a_batch_decides_as_the_rewriter_does() {
        let rewriter = rewriter(rules());
        let labels = vec![("a", "1")];
        for (namespace, images) in [("shop", 1), ("shop", 100), ("other", 1), ("other", 100)] {
            let context = Context::default().with_namespace(namespace).with_labels(&labels);
            let batch = Batch::new(&rewriter, context, images, 1_000_000);
            for image in IMAGES.iter().chain(&IMAGES) {
                let expected = rewriter.rewrite(image, &context).to_string();
                assert_eq!(batch.rewrite(image).map(|outcome| outcome.to_string()), Ok(expected), "{image}");
            }
        }
    }

    #[test]
    fn with_any_number_of_steps_the_outcome_is_right_or_there_is_none() {
        let rewriter = rewriter(rules());
        for image in IMAGES {
            let expected = rewriter.rewrite(image, &Context::default()).to_string();
            let mut steps = 1;
            loop {
                let batch = Batch::new(&rewriter, Context::default(), 1, steps);
                if let Ok(outcome) = batch.rewrite(image) {
                    assert_eq!(outcome.to_string(), expected, "{image} in {steps}");
                    break;
                }
                assert_eq!(batch.spent(), steps);
                assert_eq!(batch.rewrite("auto").err(), Some(TooCostly), "later images have none either");
                steps += 1 + steps / 8;
                assert!(steps < 1_000_000, "{image}");
            }
        }
    }

    /// Labels that count how often they are looked up.
    #[derive(Default)]
    struct Counted(std::cell::Cell<usize>);

    impl Labels for Counted {
        fn get(&self, _: &str) -> Option<&str> {
            self.0.set(self.0.get() + 1);
            Some("1")
        }
    }

    #[test]
    fn a_selector_is_evaluated_once_for_many_images() {
        let few = rule("docker.io", RuleSpec { pod_selector: Some(selector(5)), ..RuleSpec::default() });
        let rewriter = rewriter(vec![few]);
        let labels = Counted::default();
        let batch = Batch::new(&rewriter, Context::default().with_labels(&labels), 100, 1_000_000);
        for n in 0..100 {
            assert!(batch.rewrite(&format!("nginx:{n}")).unwrap().rewritten().is_some());
        }
        assert_eq!(labels.0.get(), 1);
    }

    fn spent(rules: Vec<Rule>, image: &str) -> u64 {
        let rewriter = rewriter(rules);
        let batch = Batch::new(&rewriter, Context::default(), 1, 1 << 40);
        batch.rewrite(image).unwrap();
        batch.spent()
    }

    #[test]
    fn each_part_of_a_decision_has_its_price() {
        assert_eq!(spent(Vec::new(), "auto"), IMAGE + 4);
        // Without rules for domains, a long host costs its length alone.
        let host = format!("{}example.com/a", "a.".repeat(1_000));
        assert_eq!(spent(vec![rule("docker.io", RuleSpec::default())], &host), IMAGE + host.len() as u64);
        // Of a plain rule, the location and the repository, with what is implied, are written.
        let to = |location: &str| vec![Rule::mirror("docker.io", location).unwrap()];
        let (short, long) = ("m.example.com", "m.example.com/a/longer/path");
        let more = OUTPUT_BYTE * (long.len() - short.len()) as u64;
        assert_eq!(spent(to(long), "nginx"), spent(to(short), "nginx") + more);
        assert_eq!(spent(to(short), "nginx-2"), spent(to(short), "nginx") + 2 + 2 * OUTPUT_BYTE);
        let of_team = spent(to(short), "library/nginx") - "library/".len() as u64;
        assert_eq!(spent(to(short), "nginx"), of_team);
        // Of a template, the values of its placeholders are written.
        let template = vec![rule("docker.io", RuleSpec::default())];
        let (written, plain) = ("mirror.example.com/docker.io/library/nginx", "m.example.com/library/nginx");
        let more = OUTPUT_BYTE * (written.len() - plain.len()) as u64;
        assert_eq!(spent(template, "nginx"), spent(to(short), "nginx") + more);
        // Of a rule with a pattern, groups are searched once more, at twice the price of a match.
        let text = "quay.io/team/app";
        let kept = RuleSpec { pattern: Some("quay.*".to_owned()), keep: true, ..RuleSpec::default() }.check().unwrap();
        let crate::Upstream::Pattern(matched) = kept.upstream().clone() else { panic!("it has a pattern") };
        let location = "mirror.example.com/{repository}";
        let written = location.len() - "{repository}".len() + text.len();
        let price = RULE + 2 * matched.steps(text) + OUTPUT_BYTE * written as u64;
        assert_eq!(spent(vec![pattern("quay.*")], text), spent(vec![kept], text) + price);
    }

    #[test]
    fn more_rules_values_expressions_and_bytes_cost_more() {
        let other = |image: &str| spent(vec![rule("docker.io", RuleSpec::default())], image);
        assert!(other(&"a/".repeat(10_000)) > 10 * other(&"a/".repeat(500)), "invalid, and read to its end");

        let selected = |rules: usize, values: usize| {
            let spec = || RuleSpec { pod_selector: Some(selector(values)), ..RuleSpec::default() };
            spent((0..rules).map(|_| rule("docker.io", spec())).collect(), "nginx")
        };
        assert!(selected(1, 10_000) > 50 * selected(1, 10));
        assert!(selected(1_000, 10) > 50 * selected(10, 10));

        let matched = |patterns: usize| spent((0..patterns).map(|n| pattern(&format!(".*x/{n}"))).collect(), "nginx");
        assert!(matched(200) > 15 * matched(10), "{} {}", matched(200), matched(10));
        let elsewhere = (0..200).map(|n| pattern(&format!(r"registry-{n}\.example\.com/.*"))).collect();
        assert!(spent(elsewhere, "nginx") < matched(10), "none of them can match");

        let excluded = |globs: usize| {
            let exclude = (0..globs).map(|n| format!("**/*x{n}*")).collect();
            spent(vec![rule("docker.io", RuleSpec { exclude, ..RuleSpec::default() })], "nginx")
        };
        assert!(excluded(200) > 15 * excluded(10), "{} {}", excluded(200), excluded(10));

        let domain = |bytes: usize| {
            let host = format!("{}example.com/a", "a.".repeat(bytes / 2));
            spent(vec![rule("*.example.org", RuleSpec::default())], &host)
        };
        assert!(domain(100_000) > 8 * domain(10_000) && domain(100_000) < 12 * domain(10_000));
    }
}
