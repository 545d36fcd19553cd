//! How long the chart engine takes, step by step: *load* (archive to chart), *parse* (template texts to trees),
//! *render* (of a chart that is parsed, to sorted manifests) and *emit* (the text that `helm template` prints).
//!
//! benches/README.md says how to run it and what was measured.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot run says why and stops"
)]

#[path = "support/charts.rs"]
mod charts;
#[path = "support/umbrella.rs"]
#[allow(dead_code, reason = "this benchmark keeps the umbrella in memory, another writes it")]
mod umbrella;

use std::time::Duration;

use charts::{Installation, Source};
use criterion::{BatchSize, Criterion};
use fairlead::render::TemplateOutput;
use fairlead::template::{Limits, TemplateSet};

fn measure(criterion: &mut Criterion, name: &str, source: &Source) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    group.warm_up_time(Duration::from_secs(1));
    group.bench_function("load", |bencher| bencher.iter_with_large_drop(|| source.load()));
    let chart = source.load();
    group.bench_function("parse", |bencher| {
        bencher.iter_batched(
            || charts::templates(&chart),
            |templates| TemplateSet::parse(templates.iter().map(|(name, text)| (name.as_str(), *text))).unwrap(),
            BatchSize::LargeInput,
        );
    });
    let installation = Installation::new(chart);
    group.bench_function("render", |bencher| {
        bencher.iter_with_large_drop(|| installation.render());
    });
    let rendered = installation.render();
    let output = TemplateOutput::default();
    group.bench_function("emit", |bencher| {
        bencher.iter_with_large_drop(|| output.write(&rendered));
    });
    group.finish();
}

fn run() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, source) in charts::sources() {
        measure(&mut criterion, name, &source);
    }
    measure(
        &mut criterion,
        "umbrella-4000-tpl",
        &Source::Files(umbrella::files(umbrella::GOAL)),
    );
    criterion.final_summary();
}

fn main() {
    // Rendering wants a stack that is larger than that of the main thread.
    let thread = std::thread::Builder::new()
        .stack_size(Limits::STACK_BYTES)
        .spawn(run)
        .unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
