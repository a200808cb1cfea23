//! Parses thirty typical references: with Mimic's parser and, in the same run, with that of `oci-spec`.

use std::hint::black_box;
use std::str::FromStr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mimic_benches::cpu::ThreadTime;
use mimic_benches::data;
use mimic_core::ImageRef;
use oci_spec::distribution::Reference;

fn parse(c: &mut Criterion<ThreadTime>) {
    let references = data::references();
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(references.len() as u64));
    group.bench_function("mimic", |b| {
        b.iter(|| {
            for reference in &references {
                let _ = black_box(ImageRef::parse(black_box(reference)));
            }
        });
    });
    group.bench_function("oci-spec", |b| {
        b.iter(|| {
            for reference in &references {
                let _ = black_box(Reference::from_str(black_box(reference)));
            }
        });
    });
    group.finish();
}

criterion_group!(name = benches; config = Criterion::default().with_measurement(ThreadTime); targets = parse);
criterion_main!(benches);
