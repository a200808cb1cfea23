//! Compiles 10 to 100,000 rules.

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mimic_benches::cpu::ThreadTime;
use mimic_benches::data::{self, Shape};

fn compile(c: &mut Criterion<ThreadTime>) {
    for (name, shape) in Shape::ALL {
        let mut group = c.benchmark_group(format!("compile/{name}"));
        group.sample_size(20);
        for size in [10, 100, 1_000, 10_000, 100_000] {
            let rules = shape.rules(size);
            group.throughput(Throughput::Elements(size as u64));
            group.bench_with_input(BenchmarkId::from_parameter(size), &rules, |b, rules| {
                b.iter_batched(|| Arc::clone(rules), data::rewriter, BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

criterion_group!(name = benches; config = Criterion::default().with_measurement(ThreadTime); targets = compile);
criterion_main!(benches);
