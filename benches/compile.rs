//! Benchmarks of compiling scenario files to a verified plan: `cargo bench --bench compile`; `thrpt` is bytes of YAML a
//! second.
//!
//! `check` reads and compiles 1,000 files of a directory, as `tracegen compile --check` does. `playground` compiles a
//! shipped file and its base from memory. `size` shows that the time is linear in the size of a file.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;
use tracegen::compiler::{Compiled, compile_loaded};
use tracegen::language::{Loaded, load, load_texts};

const FILES: usize = 1_000;
const SERVICES: usize = 50;
const CALLS: usize = 8;

fn base() -> String {
    let services = (0..SERVICES).map(|n| format!("  service-{n}: {{version: 1.{n}, instances: 3}}\n"));
    services.fold("services:\n".to_owned(), |text, line| text + &line)
}

/// Makes a scenario of 9 spans and 2.7 KB, with attributes, conditions, and templates in most values. The first half of the
/// scenarios export contexts, to which the second half link.
fn scenario(i: usize, of: usize) -> String {
    let mut text = format!(
        "name: scenario {i}
vars:
  user_id: <<random.int(1000, 9999)>>
  order_id: \"order-<<random.uuid>>\"
root_span:
  service: service-0
  operation: o
  attributes: {{user.id: <<user_id>>}}
  calls:
"
    );
    for n in 0..CALLS {
        write!(
            text,
            "      - service: service-{n}
        operation: \"GET /<<user_id>>/{n}\"
        kind: CLIENT
        delay_ms: [5, 15]
        attributes: {{user.id: \"<<parent.attributes.user.id>>\", n: {n}, flag: <<random.bool>>}}
        error_conditions: [{{probability: 2, type: Timeout, message: \"no answer from <<service.name>>\"}}]
"
        )
        .expect("a text takes all");
    }
    match i.checked_sub(of / 2) {
        None => text + &format!("  export_context_as: \"k{i}-<<order_id>>\"\n"),
        Some(source) => text + &format!("  link_from_context: \"k{source}-*\"\n"),
    }
}

/// Makes one file of many scenarios.
fn large(scenarios: usize) -> String {
    let indented = |i| scenario(i, scenarios).trim_end().replace('\n', "\n    ");
    (0..scenarios).fold("scenarios:\n".to_owned(), |text, i| text + "  - " + &indented(i) + "\n")
}

fn compiled(loaded: Loaded) -> Compiled {
    let (_, compiled) = compile_loaded(loaded);
    assert!(compiled.plan.is_some(), "{:?}", compiled.diagnostics.first());
    compiled
}

fn from_memory(files: &[(&str, &str)]) -> Compiled {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    compiled(load_texts(files.collect()))
}

fn check(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("a file");
    write("_base.yaml", &base());
    let mut bytes = 0;
    for i in 0..FILES {
        let text = scenario(i, FILES);
        bytes += text.len() as u64;
        write(&format!("{i:04}.yaml"), &text);
    }
    let paths = [directory.path().to_owned()];
    let mut group = c.benchmark_group("check");
    group.throughput(Throughput::Bytes(bytes)).sample_size(20).measurement_time(Duration::from_secs(5));
    group.bench_function("1000 files", |b| b.iter(|| black_box(compiled(load(&paths)))));
    group.bench_function("1000 files/load", |b| b.iter(|| black_box(load(&paths))));
}

fn playground(c: &mut Criterion) {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let read = |name: &str| std::fs::read_to_string(scenarios.join(name)).expect("a shipped file");
    let base = read("_base.yaml");
    let mut group = c.benchmark_group("playground");
    for name in ["01_api_gateway.yaml", "03_search_service.yaml"] {
        let text = read(name);
        let files = [("_base.yaml", base.as_str()), (name, text.as_str())];
        group.throughput(Throughput::Bytes((base.len() + text.len()) as u64));
        group.bench_function(name, |b| b.iter(|| black_box(from_memory(&files))));
    }
}

fn size(c: &mut Criterion) {
    let mut group = c.benchmark_group("size");
    for megabytes in [1, 2, 5, 10] {
        let text = large(megabytes * 1_000_000 / large(100).len() * 100);
        let files = [("_base.yaml", &*base()), ("large.yaml", &*text)];
        group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
        let id = BenchmarkId::from_parameter(format_args!("{megabytes} MB"));
        group.bench_function(id, |b| b.iter(|| black_box(from_memory(&files))));
    }
}

criterion_group!(all, check, playground, size);
criterion_main!(all);
