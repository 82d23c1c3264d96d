//! Rendering a prompt, parsing a reply, verbalising a function.
#![allow(missing_docs)] // criterion's macros make public items

use criterion::{Criterion, criterion_group, criterion_main};
use distill_core::{Language, Problem};
use teacher_prompt::{ParseOptions, PromptBuilder, parse_reply};

const REPLY: &str = "\
Sure! Here is a plan.

**Pseudocode:**
1. Start with an empty result and both indices at 0.
2. While both lists have elements left:
   - append the smaller of the two front elements
   - move its index on
3. Append what is left of either list.
4. Return the result.

**Code:**
```python
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
    return result + left[i:] + right[j:]
```

This runs in linear time.
";

fn teaching(c: &mut Criterion) {
    let problem = Problem::new("merge", Language::Python, "Merge two sorted lists.");
    let prompts = PromptBuilder::new("a-model");
    c.bench_function("render_prompt", |b| b.iter(|| prompts.request(&problem).unwrap()));

    let options = ParseOptions {
        language: Some(Language::Python),
        entry_point: Some("merge".into()),
        ..ParseOptions::default()
    };
    c.bench_function("parse_reply", |b| b.iter(|| parse_reply(REPLY, &options)));

    let code = parse_reply(REPLY, &options).code.expect("the reply holds code");
    c.bench_function("verbalise", |b| {
        b.iter(|| verbaliser::verbalise(Language::Python, &code).unwrap());
    });
}

criterion_group!(benches, teaching);
criterion_main!(benches);
