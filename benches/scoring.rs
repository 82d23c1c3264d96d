//! Scoring one pair and a small corpus with `codebleu`.
#![allow(missing_docs)] // criterion's macros make public items

use codebleu::{Scorer, Variant};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use distill_core::Language;

const REFERENCE: &str = "\
def merge(left, right):
    result = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            result.append(left[i])
            i += 1
        else:
            result.append(right[j])
            j += 1
    result.extend(left[i:])
    result.extend(right[j:])
    return result
";

const HYPOTHESIS: &str = "\
def merge(a, b):
    out = []
    while a and b:
        if a[0] <= b[0]:
            out.append(a.pop(0))
        else:
            out.append(b.pop(0))
    return out + a + b
";

fn pairs(c: &mut Criterion) {
    let mut group = c.benchmark_group("score_pair");
    group.throughput(Throughput::Elements(1));
    for variant in [Variant::Paper, Variant::K4black] {
        let scorer = Scorer::new(Language::Python, variant).unwrap();
        group.bench_function(variant.name(), |b| {
            b.iter(|| scorer.score(&[REFERENCE], HYPOTHESIS).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, pairs);
criterion_main!(benches);
