//! Rewrites images with 10 to 100,000 rules.
//!
//! `warm` uses the same thirty images repeatedly, so that the needed data stays in the processor's caches: it shows the cost
//! of the algorithm. `spread` uses images that match rules all over the table: it adds the cost of cache misses.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mimic_benches::cpu::ThreadTime;
use mimic_benches::data::{self, Shape, Texts, scattered};
use mimic_core::Context;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Images per measured iteration.
const BATCH: usize = 30;
/// Images of `spread`: enough to reach every rule of the largest table.
const SPREAD: usize = 100_000;

fn rewrite(c: &mut Criterion<ThreadTime>) {
    for (shape_name, shape) in Shape::ALL {
        for (kind, image) in [("hit", Shape::hit as fn(Shape, usize) -> String), ("miss", Shape::miss)] {
            let mut group = c.benchmark_group(format!("rewrite/{shape_name}/{kind}"));
            group.throughput(Throughput::Elements(BATCH as u64));
            for size in SIZES {
                let rewriter = data::rewriter(shape.rules(size));
                for (name, images) in [("warm", BATCH), ("spread", SPREAD)] {
                    let images: Texts = scattered(images, size).map(|rule| image(shape, rule)).collect();
                    let mut next = 0;
                    group.bench_with_input(BenchmarkId::new(name, size), &images, |b, images| {
                        b.iter(|| {
                            for _ in 0..BATCH {
                                black_box(rewriter.rewrite(images.get(next), &Context::default()));
                                next += 1;
                            }
                        });
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group!(name = benches; config = Criterion::default().with_measurement(ThreadTime); targets = rewrite);
criterion_main!(benches);
