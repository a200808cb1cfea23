//! A whole review, from the request's body to the response's. For comparison in the same run: skipping the same JSON, and
//! parsing it into a `serde_json::Value`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mimic_benches::cpu::ThreadTime;
use mimic_benches::data;
use mimic_k8s::admission::{Review, ReviewSettings};
use serde::de::IgnoredAny;

fn review(c: &mut Criterion<ThreadTime>) {
    let list = mimic_core::parse_rules_file("mirrors.yaml", data::MIRRORS).expect("the rules can be read");
    let rewriter = data::rewriter(list.rules.into());
    let settings = ReviewSettings::default();
    let mut group = c.benchmark_group("review");
    for (size, body) in data::REVIEWS {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("whole", size), body, |b, body| {
            b.iter(|| {
                let review = Review::parse(black_box(body)).expect("the review can be read");
                black_box(review.decide(&rewriter, &settings).to_response())
            });
        });
        group.bench_with_input(BenchmarkId::new("parse", size), body, |b, body| {
            b.iter(|| drop(black_box(Review::parse(black_box(body)))));
        });
        group.bench_with_input(BenchmarkId::new("skip", size), body, |b, body| {
            b.iter(|| drop(black_box(serde_json::from_slice::<IgnoredAny>(black_box(body)))));
        });
        group.bench_with_input(BenchmarkId::new("value", size), body, |b, body| {
            b.iter(|| drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(body)))));
        });
    }
    group.finish();
}

criterion_group!(name = benches; config = Criterion::default().with_measurement(ThreadTime); targets = review);
criterion_main!(benches);
