//! Sources change; readers always see a complete set of rules.

#![expect(clippy::unwrap_used, reason = "a panic with its line is what a failed test should report")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mimic_core::{Catalog, Context, Rule, SourceStatus, Warning};

fn rules(pairs: &[(&str, &str)]) -> Vec<Rule> {
    pairs.iter().map(|(upstream, location)| Rule::mirror(upstream, location).unwrap()).collect()
}

fn rewritten(catalog: &Catalog, image: &str) -> Option<String> {
    catalog.rewriter().rewrite(image, &Context::default()).rewritten().map(str::to_owned)
}

#[test]
fn the_first_source_wins_and_the_longest_prefix_wins_over_that() {
    let catalog = Catalog::new(["file", "harbor"]);
    assert_eq!(rewritten(&catalog, "nginx"), None);
    catalog.publish("harbor", rules(&[("docker.io", "h.example.com"), ("docker.io/acme", "h.example.com/acme")]));
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("h.example.com/library/nginx"));
    catalog.publish("file", rules(&[("docker.io", "f.example.com")]));
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("f.example.com/library/nginx"));
    assert_eq!(rewritten(&catalog, "acme/app").as_deref(), Some("h.example.com/acme/app"));
    catalog.publish("file", Vec::new());
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("h.example.com/library/nginx"));
}

fn status(rules: Option<usize>, failures: u64, error: Option<&str>) -> Vec<SourceStatus> {
    vec![SourceStatus { name: "file".into(), rules, failures, last_error: error.map(Into::into) }]
}

#[test]
fn a_source_that_fails_keeps_its_last_list() {
    let catalog = Catalog::new(["file"]);
    assert_eq!(catalog.status(), status(None, 0, None));
    catalog.fail("file", "gone");
    assert_eq!(catalog.status(), status(None, 1, Some("gone")));
    catalog.publish("file", rules(&[("docker.io", "f.example.com")]));
    assert_eq!(catalog.status(), status(Some(1), 0, None));
    catalog.fail("file", "gone again");
    catalog.fail("file", "still gone");
    assert_eq!(catalog.status(), status(Some(1), 2, Some("still gone")));
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("f.example.com/library/nginx"));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let catalog = Catalog::new(["file"]);
    catalog.publish("file", rules(&[("docker.io", "old.example.com")]));
    let snapshot = catalog.rewriter();
    catalog.publish("file", rules(&[("docker.io", "new.example.com")]));
    let context = Context::default();
    assert_eq!(snapshot.rewrite("nginx", &context).rewritten(), Some("old.example.com/library/nginx"));
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("new.example.com/library/nginx"));
}

#[test]
fn a_source_that_was_not_named_comes_last() {
    let catalog = Catalog::new(["file"]);
    catalog.publish("late", rules(&[("docker.io", "l.example.com"), ("quay.io", "l.example.com/quay")]));
    catalog.publish("file", rules(&[("docker.io", "f.example.com")]));
    catalog.fail("later", "gone");
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("f.example.com/library/nginx"));
    assert_eq!(rewritten(&catalog, "quay.io/a/b").as_deref(), Some("l.example.com/quay/a/b"));
    let names: Vec<String> = catalog.status().into_iter().map(|source| source.name).collect();
    assert_eq!(names, ["file", "late", "later"]);
}

#[test]
fn publishing_returns_the_warnings_about_all_lists() {
    let catalog = Catalog::new(["file", "harbor"]);
    assert_eq!(catalog.publish("file", rules(&[("docker.io", "m.example.com")])), []);
    let warnings = catalog.publish("harbor", rules(&[("quay.io", "m.example.com")]));
    assert_eq!(warnings, catalog.rewriter().warnings());
    assert!(matches!(&warnings[..], [Warning::SharedLocation { .. }]), "{warnings:?}");
    assert_eq!(catalog.publish("file", Vec::new()), []);
}

#[test]
fn readers_see_one_version_or_the_next_never_a_mix() {
    let catalog = Catalog::new(["file"]);
    let version = |host: &str| rules(&[("docker.io", host), ("quay.io", &format!("{host}/q"))]);
    catalog.publish("file", version("a.example.com"));
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let table = catalog.rewriter();
                let host = |image| {
                    let outcome = table.rewrite(image, &Context::default());
                    outcome.rewritten().unwrap().split('/').next().unwrap().to_owned()
                };
                assert_eq!(host("nginx"), host("quay.io/a/b"));
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut turn = 0;
        while turn < 200 || reads.load(Ordering::Relaxed) < 200 {
            catalog.publish("file", version(["a.example.com", "b.example.com"][turn % 2]));
            turn += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_use_of_a_rule_is_counted_across_tables_and_forgotten_with_the_rule() {
    let uses = |catalog: &Catalog| -> Vec<(String, String, u64)> {
        let rewriter = catalog.rewriter();
        rewriter.uses().map(|(rule, uses)| (rule.source.to_owned(), rule.rule.name().to_owned(), uses)).collect()
    };
    let decide = |catalog: &Catalog, image: &str| {
        let rewriter = catalog.rewriter();
        if let Some(rule) = rewriter.rewrite(image, &Context::default()).rule() {
            rewriter.note_use(rule);
        }
    };
    let row = |source: &str, rule: &str, uses| (source.to_owned(), rule.to_owned(), uses);
    let catalog = Catalog::new(["file", "harbor"]);
    catalog.publish("harbor", rules(&[("docker.io", "h.example.com/hub"), ("quay.io", "h.example.com/quay")]));
    for image in ["nginx", "quay.io/a/b", "nginx", "ghcr.io/a/b"] {
        decide(&catalog, image);
    }
    assert_eq!(uses(&catalog), [row("harbor", "docker.io", 2), row("harbor", "quay.io", 1)]);

    catalog.publish("file", rules(&[("ghcr.io", "f.example.com/ghcr"), ("docker.io", "f.example.com/hub")]));
    decide(&catalog, "nginx");
    let expected = [row("file", "docker.io", 1), row("harbor", "docker.io", 2), row("harbor", "quay.io", 1)];
    assert_eq!(uses(&catalog), expected);

    catalog.publish("harbor", rules(&[("quay.io", "h.example.com/quay")]));
    assert_eq!(uses(&catalog), [row("file", "docker.io", 1), row("harbor", "quay.io", 1)]);
}
