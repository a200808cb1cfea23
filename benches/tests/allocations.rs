//! Allocations per image: none to parse it, none if it stays unchanged, one (the new reference) to rewrite it.

use allocation_counter::measure;
use mimic_benches::data::{self, Shape};
use mimic_core::{Context, ImageRef, Outcome, Rewriter};

/// The largest number of allocations that `act` makes for an image.
fn most(images: &[&str], act: impl Fn(&str)) -> u64 {
    images.iter().map(|image| measure(|| act(image)).count_total).max().unwrap_or_default()
}

fn rewriter(rules: &str) -> Rewriter {
    data::rewriter(mimic_core::parse_rules_file("rules", rules).expect("the rules can be read").rules.into())
}

#[test]
fn parsing_allocates_nothing() {
    let parse = |image: &str| assert!(ImageRef::parse(image).is_ok(), "{image}");
    assert_eq!(most(&data::references(), parse), 0);
}

#[test]
fn an_unchanged_image_costs_no_allocation() {
    let others = data::rewriter(Shape::Prefixes.rules(1_000));
    let elsewhere = rewriter("mirrors: {harbor.example.com: other.example.com}");
    let kept = rewriter("rules: [{upstream: '*', keep: true}]");
    for rewriter in [others, elsewhere, kept] {
        let stays = |image: &str| {
            assert!(matches!(rewriter.rewrite(image, &Context::default()), Outcome::Unchanged(_)), "{image}");
        };
        assert_eq!(most(&data::references(), stays), 0);
    }
}

#[test]
fn a_rewritten_image_costs_one_allocation() {
    let rewriter = rewriter("mirrors: {'*': 'harbor.example.com/all'}");
    let changes = |image: &str| {
        assert!(rewriter.rewrite(image, &Context::default()).rewritten().is_some(), "{image}");
    };
    assert_eq!(most(&data::references(), changes), 1);
}
