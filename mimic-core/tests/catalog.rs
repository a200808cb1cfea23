//! Sources come and go; readers always have a whole table.

#![expect(clippy::unwrap_used, reason = "in a test, where it failed is what one wants to know")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mimic_core::{Catalog, Context, Rule, SourceStatus};

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
    assert!(
        catalog.publish("harbor", rules(&[("docker.io", "h.example.com"), ("docker.io/acme", "h.example.com/acme")]))
    );
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("h.example.com/library/nginx"));
    assert!(catalog.publish("file", rules(&[("docker.io", "f.example.com")])));
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("f.example.com/library/nginx"));
    assert_eq!(rewritten(&catalog, "acme/app").as_deref(), Some("h.example.com/acme/app"));
    assert!(catalog.publish("file", Vec::new()), "a source may have no rules any more");
    assert_eq!(rewritten(&catalog, "nginx").as_deref(), Some("h.example.com/library/nginx"));
    assert!(!catalog.publish("nobody", Vec::new()));
}

#[test]
fn a_source_that_fails_keeps_its_last_list() {
    let status = |rules, failures, error: Option<&str>| {
        vec![SourceStatus { name: "file".into(), rules, failures, last_error: error.map(Into::into) }]
    };
    let catalog = Catalog::new(["file"]);
    assert_eq!(catalog.status(), status(None, 0, None));
    assert!(catalog.fail("file", "gone"));
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
fn listeners_hear_of_every_table() {
    let catalog = Catalog::new(["a", "b"]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    catalog.subscribe(move |rewriter| ear.lock().unwrap().push(rewriter.len()));
    catalog.publish("a", rules(&[("docker.io", "f.example.com")]));
    catalog.publish("b", rules(&[("quay.io", "f.example.com/q"), ("ghcr.io", "f.example.com/g")]));
    catalog.publish("a", Vec::new());
    assert_eq!(*heard.lock().unwrap(), [1, 3, 2]);
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
